"""Representation of a finished video and its files in responses."""

from collections.abc import Callable
from datetime import datetime

from api.schemas.output import FileObject, Output, SceneOutput
from common.database.videos import FinalVideo
from common.domain.video import File

LinkTo = Callable[[str | None], str | None]
"""A function that returns a link to the object under an S3 key, or None to omit it."""


def unlinked(_key: str | None) -> None:
    """Omit the link."""


def output(final: FinalVideo, link: LinkTo, expires_at: datetime | None) -> Output:
    """Return a finished video, with links to its files that work until `expires_at`."""
    files = [File(**file) for file in final.files]

    def first_link(kind: str, media_type: str | None = None) -> str | None:
        for file in files:
            if file.kind == kind and media_type in (None, file.media_type):
                return link(file.key)
        return None

    return Output(
        duration_seconds=float(final.duration),
        frames=final.frames,
        size_bytes=final.size_bytes,
        sha256=final.sha256,
        url=link(final.video_key),
        poster_url=link(final.poster_key),
        preview_url=first_link("preview"),
        captions_url=first_link("captions", "text/vtt"),
        files=[_file(file, link(file.key)) for file in files],
        scenes=[
            SceneOutput(
                scene=part["scene"],
                done=part["how"],
                reason=part["reason"],
                start=part["start"],
                seconds=part["seconds"],
            )
            for part in final.parts
        ],
        expires_at=expires_at,
    )


def thumbnails(final: FinalVideo | None, link: LinkTo) -> dict[int, str | None]:
    """Return links to the thumbnails of the scenes in the finished video, by scene number."""
    files = [File(**file) for file in final.files] if final else []
    return {
        file.scene: link(file.key)
        for file in files
        if file.kind == "thumbnail" and file.scene is not None
    }


def _file(file: File, url: str | None) -> FileObject:
    return FileObject.model_validate(
        {
            "kind": file.kind,
            "scene": file.scene,
            "media_type": file.media_type,
            "width": file.width,
            "height": file.height,
            "duration_seconds": file.seconds,
            "size_bytes": file.size_bytes,
            "sha256": file.sha256,
            "captioned": file.captioned,
            "url": url,
        }
    )
