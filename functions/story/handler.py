"""Lambda function `story`: the state WriteStory, which writes a story from the prompt."""

from dataclasses import asdict
from decimal import Decimal
from functools import cached_property
from typing import Any

from common import providers
from common.application.billing.paid_calls import CallResult
from common.application.generation import GenerationStep, provider_context, services
from common.application.pipeline_step import RunEvent, step
from common.database import Cursor, attempts, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.domain import models
from common.domain.models import Model
from common.domain.styles import mood, style
from common.domain.video import Cost, Scene, Stage, Story
from common.providers import StoryRequest, TextProvider
from common.schemas.output import OutputSpec


@step(Stage.STORY, RunEvent, services, submits=True)
def handler(event: RunEvent) -> dict[str, Any]:
    """Write the story; idempotent, an existing story is kept."""
    with services().database.transaction() as cursor:
        video = videos.get(cursor, event.video_id)
    if video.story_title is None:
        WriteStory(event, video).execute()
    return {"status": "succeeded", "scenes": list(range(1, video.frame_count + 1))}


class WriteStory(GenerationStep[RunEvent]):
    """The writing of a video's story."""

    lease_seconds = 240  # the timeout of the state; the function times out earlier

    @property
    def step(self) -> Step:
        return Step(self.event.video_id, "story", 0, 1)

    @property
    def model(self) -> Model:
        return models.find("text", self.video.text_provider, self.video.text_model)

    @property
    def usd(self) -> Decimal:
        return self.model.story_usd(self.video.frame_count)

    @cached_property
    def provider(self) -> TextProvider:
        return providers.text_provider(self.video.text_provider, provider_context())

    @cached_property
    def request(self) -> StoryRequest:
        narration = OutputSpec.model_validate(self.video.output).narration
        return StoryRequest(
            prompt=self.video.original_prompt,
            scenes=self.video.frame_count,
            seconds=self.video.clip_seconds,
            style=style(self.video.style),
            mood=mood(self.video.mood),
            model=self.video.text_model,
            seed=self.video.seed,
            narrated=narration is not None,
            language=narration.language if narration else None,
        )

    def perform(self, token: str) -> CallResult:
        result = self.provider.write_story(self.request)
        return {"story": asdict(result.story), "cost": result.cost.as_json()}

    def record(self, cursor: Cursor, attempt: Attempt, result: CallResult) -> None:
        attempts.mark_succeeded(cursor, attempt, Cost.from_json(result["cost"]))
        story = _story(result["story"])
        scenes.insert_story(cursor, self.event.video_id, story, self.video.style, self.video.mood)
        runs.add_event(cursor, self.event.run_id, "story.succeeded")


def _story(stored: CallResult) -> Story:
    return Story(
        title=stored["title"],
        overview=stored["overview"],
        scenes=tuple(Scene(**scene) for scene in stored["scenes"]),
    )
