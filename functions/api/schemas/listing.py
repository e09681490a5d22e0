"""Responses with the events of a video."""

from datetime import datetime
from typing import Any

from pydantic import Field

from common.schemas.base import Schema


class EventObject(Schema):
    """An event, for example `run.queued`, `story.succeeded`, `clip.failed` or `run.canceled`."""

    id: str = Field(description="Id of the event.")
    at: datetime = Field(description="Time of the event.")
    run_id: str = Field(description="Id of the run.")
    type: str = Field(description="Type of the event.")
    scene: int | None = Field(description="Number of the scene, from 1; null for other events.")
    facts: dict[str, Any] = Field(
        description="Details of the event; for a failure, its code, stage and message."
    )


class EventPage(Schema):
    """A page of events, oldest first. `next_cursor` is null on the last page.

    Scenes are generated concurrently, so a new event may appear before events that were already
    listed. To follow a run, read from the first page again.
    """

    data: list[EventObject] = Field(description="Items of the page.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")
