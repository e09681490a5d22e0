"""Responses about the media library."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from common.schemas.base import Schema

Kind = Literal["image", "clip", "video", "upload"]


class MediaError(Schema):
    """Reason why an upload was refused. Its file was deleted."""

    code: str = Field(description="Error code, see docs/errors.md.")
    detail: str = Field(description="Explanation for people; may change.")


class MediaLinks(Schema):
    """Paths of related resources, relative to the base URL of the API."""

    self: str = Field(description="The media object.")
    video: str | None = Field(description="Video that the object belongs to.")


class MediaObject(Schema):
    """An image, clip, finished video or upload. Properties that were not measured are null."""

    id: str = Field(description="Id of the media object.")
    object: Literal["media"] = Field(default="media", description="Always `media`.")
    kind: Kind = Field(description="Kind of media.")
    status: Literal["pending", "ready", "refused"] = Field(
        description="Uploads are `pending` until they are inspected, then `ready` or `refused`."
    )
    media_type: str = Field(description="Media type of the file.")
    name: str | None = Field(description="Display name of an upload.")
    scene: int | None = Field(description="Number of the scene, from 1.")
    version: int | None = Field(
        description="Version of the scene's image or clip. The highest one is the newest."
    )
    size_bytes: int | None = Field(description="Size in bytes.")
    sha256: str | None = Field(description="SHA-256 checksum as hex digits.")
    width: int | None = Field(description="Width in pixels.")
    height: int | None = Field(description="Height in pixels.")
    seconds: float | None = Field(description="Duration in seconds.")
    s3_key: str | None = Field(description="S3 key of the file; null until it is ready.")
    url: str | None = Field(
        description="Signed link, valid until `expires_at`, which needs no API key."
    )
    expires_at: datetime | None = Field(description="Time at which the link expires.")
    error: MediaError | None = Field(description="Reason why the upload was refused.")
    created_at: datetime = Field(description="Time of creation.")
    links: MediaLinks


class MediaPage(Schema):
    """A page of media, newest first. `next_cursor` is null on the last page."""

    data: list[MediaObject] = Field(description="Items of the page.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")
