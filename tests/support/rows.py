"""Database rows for tests."""

from decimal import Decimal
from typing import Any

from common.database import Database, runs, scenes, videos
from common.database.videos import VideoRecord
from common.domain import ids
from common.domain.video import Scene, Story


def video_record(**changes: Any) -> VideoRecord:
    """Return the record of a new video with three scenes."""
    values: dict[str, Any] = {
        "session_id": ids.new("vid"),
        "user_id": "alice",
        "original_prompt": "A paper boat",
        "frame_count": 3,
        "clip_seconds": 5,
        "ratio": "1280:720",
        "style": "Cinematic",
        "mood": "Calm",
        "seed": 1,
        "reference_key": None,
        "text_provider": "offline",
        "text_model": "storyteller-1",
        "image_provider": "offline",
        "image_model": "painter-1",
        "video_provider": "offline",
        "video_model": "camera-1",
        "estimated_usd": Decimal(0),
        "key_id": "key_1",
    }
    return VideoRecord(**{**values, **changes})


STORY = Story(
    title="A boat",
    overview="It sails.",
    scenes=tuple(Scene(n, (n - 1) * 5, f"scene {n}", f"paint {n}", f"move {n}") for n in (1, 2, 3)),
)


def admit(database: Database, **changes: Any) -> tuple[str, str]:
    """Insert a video and its run; return both ids."""
    row, run_id = video_record(**changes), ids.new("run")
    with database.transaction() as cursor:
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0))
    return row.session_id, run_id


def insert_story(database: Database, session_id: str) -> None:
    """Insert the story of three scenes."""
    with database.transaction() as cursor:
        scenes.insert_story(cursor, session_id, STORY, "Cinematic", "Calm")
