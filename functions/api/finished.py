"""From the row of a finished cut to what the API shows of it and its files."""

from datetime import UTC, datetime, timedelta

from api.schemas.output import FileObject, Output, PartObject
from common.database.videos import Final
from common.storage import MediaStore
from common.video import File

LINK_SECONDS = 3600


def output(final: Final, store: MediaStore | None, seconds: int = LINK_SECONDS) -> Output:
    """Show a finished video; with links to its files where there is a store to sign them.

    They live for so many seconds.
    """
    files = [File(**file) for file in final.files]

    def link(key: str) -> str | None:
        return store.link(key, seconds=seconds) if store else None

    def first(kind: str, media_type: str | None = None) -> str | None:
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
        preview_url=first("preview"),
        captions_url=first("captions", "text/vtt"),
        files=[_file(file, link(file.key)) for file in files],
        scenes=[
            PartObject(
                scene=part["scene"],
                done=part["how"],
                reason=part["reason"],
                start=part["start"],
                seconds=part["seconds"],
            )
            for part in final.parts
        ],
        expires_at=expiry(seconds) if store else None,
    )


def thumbnails(final: Final | None, store: MediaStore) -> dict[int, str | None]:
    """Return links to the small stills of the scenes that are in the video."""
    files = [File(**file) for file in final.files] if final else []
    return {
        file.scene: store.link(file.key, seconds=LINK_SECONDS)
        for file in files
        if file.kind == "thumbnail" and file.scene is not None
    }


def expiry(seconds: int = LINK_SECONDS) -> datetime:
    """When a link made now stops working."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


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
