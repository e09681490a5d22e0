"""Clips in progress at Runway's stand-in, submitted by the function `clip`."""

from decimal import Decimal

from common.database import Database, runs, scenes
from common.domain import models
from common.storage import MediaFolder
from tests.support.gateway import quietly
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import STORY, admit
from tests.support.vendors import sample_image


def start_clips(database: Database, store: InMemoryMediaStore, count: int = 2) -> tuple[str, str]:
    """Start a run with clips in progress at Runway; return the ids of the video and the run."""
    from clip.handler import handler

    model = models.paid().video
    video_id, run_id = admit(
        database,
        frame_count=3,
        clip_seconds=5,
        video_provider=model.provider,
        video_model=model.model,
        estimated_usd=Decimal(1),
    )
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, STORY, "Cinematic", "Calm")
        runs.enter_stage(cursor, run_id, "clip")
        for scene in (1, 2, 3):
            key = MediaFolder("alice", video_id).image(scene, 1)
            store.put(key, sample_image().data, "image/png")
            scenes.finish_image(cursor, video_id, scene, 1, key=key, usd=Decimal(0))
    event = {"action": "start", "run_id": run_id, "video_id": video_id}
    for scene in range(1, count + 1):
        quietly(handler, {**event, "scene": scene}, None)
    return video_id, run_id
