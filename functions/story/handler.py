"""State WriteStory: the prompt becomes a story with a scene for each picture and clip."""

from dataclasses import asdict
from typing import Any

from common import providers
from common.application.billing.paid_calls import CallResult
from common.application.pipeline_step import RunEvent, step
from common.database import Cursor, attempts, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.database.videos import Video
from common.domain import models
from common.domain.styles import mood, style
from common.domain.video import Cost, Scene, Stage, Story
from common.providers import StoryRequest
from common.runtime import charge, context, database, ledger
from common.schemas.output import OutputSpec

# The state gives up after 240 s, the function before it.
_LEASE_SECONDS = 240


@step(Stage.STORY, RunEvent, database, submits=True)
def handler(event: RunEvent) -> dict[str, Any]:
    """Write the story once; a repeated run gets the one that is there."""
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
    if video.story_title is None:
        _write(event, video)
    return {"status": "succeeded", "scenes": list(range(1, video.frame_count + 1))}


def _write(event: RunEvent, video: Video) -> None:
    storyteller = providers.text_provider(video.text_provider, context())
    narration = OutputSpec.model_validate(video.output).narration
    request = StoryRequest(
        prompt=video.original_prompt,
        scenes=video.frame_count,
        seconds=video.clip_seconds,
        style=style(video.style),
        mood=mood(video.mood),
        model=video.text_model,
        seed=video.seed,
        narrated=narration is not None,
        language=narration.language if narration else None,
    )

    def make(_token: str) -> CallResult:
        result = storyteller.write_story(request)
        return {"story": asdict(result.story), "cost": result.cost.as_json()}

    def record(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        attempts.mark_succeeded(cursor, attempt, Cost.from_json(facts["cost"]))
        scenes.insert_story(cursor, event.video_id, _story(facts["story"]), video.style, video.mood)
        runs.add_event(cursor, event.run_id, "story.succeeded")

    model = models.find("text", video.text_provider, video.text_model)
    usd = model.story_usd(video.frame_count)
    paid_for = Step(event.video_id, "story", 0, 1)
    ledger().execute(
        charge(event.run_id, video, paid_for, model, usd, _LEASE_SECONDS), make, record
    )


def _story(facts: CallResult) -> Story:
    return Story(
        title=facts["title"],
        overview=facts["overview"],
        scenes=tuple(Scene(**scene) for scene in facts["scenes"]),
    )
