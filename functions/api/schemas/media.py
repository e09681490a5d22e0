"""Requests and answers about media: the library, and links to what is in it."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from common.schemas.base import Schema

Kind = Literal["image", "clip", "video", "upload"]


class MediaError(Schema):
    """Why an upload was refused; nothing of it is kept."""

    code: str
    detail: str


class MediaLinks(Schema):
    """Where to go from here, relative to the API's address."""

    self: str
    video: str | None = Field(description="The video that it is a part of.")


class MediaObject(Schema):
    """A picture, a clip, a finished video, or an upload. What was not measured is null."""

    id: str
    object: Literal["media"] = "media"
    kind: Kind
    status: Literal["pending", "ready", "refused"]
    media_type: str
    name: str | None
    scene: int | None = Field(description="Counts from 1.")
    version: int | None = Field(description="A later one has replaced an earlier one.")
    size_bytes: int | None
    sha256: str | None
    width: int | None = Field(description="Pixels.")
    height: int | None = Field(description="Pixels.")
    seconds: float | None
    s3_key: str | None
    url: str | None = Field(description="Read without a key, until `expires_at`.")
    expires_at: datetime | None
    error: MediaError | None
    created_at: datetime
    links: MediaLinks


class MediaPage(Schema):
    """Media, newest first. `next_cursor` leads to older ones; null on the last page."""

    data: list[MediaObject]
    next_cursor: str | None
