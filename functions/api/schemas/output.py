"""Responses about a finished video and its files."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from common.schemas.base import Schema


class FileObject(Schema):
    """A file of the finished video. Its signed link expires after an hour."""

    kind: Literal["video", "rendition", "poster", "thumbnail", "preview", "captions"] = Field(
        description="Kind of file."
    )
    scene: int | None = Field(description="Scene of a thumbnail; null for other files.")
    media_type: str = Field(description="Media type of the file.")
    width: int | None = Field(description="Width in pixels.")
    height: int | None = Field(description="Height in pixels.")
    duration_seconds: float | None = Field(description="Duration in seconds.")
    size_bytes: int = Field(description="Size in bytes.")
    sha256: str = Field(description="SHA-256 checksum as hex digits.")
    captioned: bool = Field(
        description="Whether captions are burned in. `warnings` lists scenes without captions."
    )
    url: str | None = Field(description="Signed link to the file; null in lists.")


class SceneOutput(Schema):
    """A scene of the finished video: its position in seconds, and how its clip was merged."""

    scene: int = Field(description="Number of the scene, from 1.")
    done: Literal["copied", "encoded", "still", "skipped"] = Field(
        description="`copied` (stream copy), `encoded`, `still` (image of the scene) or `skipped`."
    )
    reason: str = Field(description="Why the clip was not stream-copied; empty if it was.")
    start: float = Field(description="Start of the scene in seconds.")
    seconds: float = Field(description="Duration of the scene in seconds.")


class Output(Schema):
    """The finished video. Its signed links need no API key, and expire at `expires_at`."""

    duration_seconds: float = Field(description="Duration in seconds.")
    frames: int = Field(description="Number of frames.")
    size_bytes: int = Field(description="Size in bytes.")
    sha256: str = Field(description="SHA-256 checksum as hex digits.")
    url: str | None = Field(description="Signed link to the video; null in lists.")
    poster_url: str | None = Field(description="Signed link to the poster image.")
    preview_url: str | None = Field(description="Signed link to the animated preview.")
    captions_url: str | None = Field(description="Captions as WebVTT. `files` also has SRT.")
    files: list[FileObject] = Field(description="All files; the first is the video.")
    scenes: list[SceneOutput] = Field(description="Scenes of the finished video.")
    expires_at: datetime | None = Field(description="Time at which the links expire.")
