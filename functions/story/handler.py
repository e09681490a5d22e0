"""State WriteStory: the prompt becomes a story with a scene for each picture and clip."""

from functools import cache
from typing import Any

from common import paid, providers
from common.database import Cursor, Database, runs, scenes, videos
from common.database.jobs import Step
from common.generation import context, settings
from common.providers import StoryRequest, StoryResult, models
from common.step import RunEvent, step
from common.styles import mood, style
from common.video import Stage


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@step(Stage.STORY, RunEvent, database, submits=True)
def handler(event: RunEvent) -> dict[str, Any]:
    """Write the story once; a repeated run gets the one that is there."""
    with database().transaction() as cursor:
        video = videos.get(cursor, event.video_id)
    if video.story_title is None:
        model = models.find("text", video.text_provider, video.text_model)
        request = StoryRequest(
            prompt=video.original_prompt,
            scenes=video.frame_count,
            seconds=video.clip_seconds,
            style=style(video.style),
            mood=mood(video.mood),
            model=video.text_model,
            seed=video.seed,
        )

        def record(cursor: Cursor, result: StoryResult) -> None:
            scenes.insert_story(cursor, event.video_id, result.story, video.style, video.mood)
            runs.add_event(cursor, event.run_id, "story.succeeded")

        paid.call(
            database(),
            paid.Charge(
                Step(event.video_id, "story", 0, 1), model, model.story_usd(video.frame_count)
            ),
            make=lambda _token: providers.text(video.text_provider, context()).write_story(request),
            keep=lambda _result: None,
            record=record,
        )
    return {"scenes": list(range(1, video.frame_count + 1))}
