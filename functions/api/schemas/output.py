"""Answers about a finished video and its files."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from common.schemas.base import Schema


class FileObject(Schema):
    """One file that was made of the video. The link is read without a key, for an hour."""

    kind: Literal["video", "rendition", "poster", "thumbnail", "preview", "captions"]
    scene: int | None = Field(description="Of a thumbnail.")
    media_type: str
    width: int | None
    height: int | None
    duration_seconds: float | None
    size_bytes: int
    sha256: str
    captioned: bool = Field(
        description="Captions are drawn into the picture; see `warnings` for scenes without."
    )
    url: str | None


class SceneOutput(Schema):
    """What was done with a scene's clip, and where the scene lies in the video, in seconds."""

    scene: int
    done: Literal["copied", "encoded", "still", "skipped"]
    reason: str = Field(description="Why it was not copied as it came; empty if it was.")
    start: float
    seconds: float


class Output(Schema):
    """The finished video. The links are read without a key, until they expire or are ended."""

    duration_seconds: float
    frames: int
    size_bytes: int
    sha256: str
    url: str | None
    poster_url: str | None
    preview_url: str | None
    captions_url: str | None = Field(description="WebVTT; SRT is among the files.")
    files: list[FileObject] = Field(description="Every file; the video itself is the first.")
    scenes: list[SceneOutput]
    expires_at: datetime | None
