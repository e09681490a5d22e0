"""The timeline of a video."""

from datetime import datetime
from typing import Any

from pydantic import Field

from common.schemas.base import Schema


class EventObject(Schema):
    """One thing that happened: `run.queued`, `story.succeeded`, `clip.failed`, `run.canceled`, …"""

    id: str
    at: datetime
    run_id: str
    type: str
    scene: int | None
    facts: dict[str, Any] = Field(description="Of a failure its code, stage and words.")


class EventPage(Schema):
    """The timeline, oldest first. `next_cursor` leads on; null on the last page.

    Scenes are made side by side, so what has just happened may appear before something that began
    earlier: who follows a run reads from the beginning.
    """

    data: list[EventObject]
    next_cursor: str | None
