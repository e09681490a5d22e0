"""What an upload really is: by its bytes, never by what was said of it.

A picture is decoded under limits, turned upright and written anew, so that nothing but its pixels
is kept. Of a video or a sound the streams are read with a demuxer that is told, not guessed.
"""

import hashlib
from pathlib import Path

from common.database.uploads import Upload
from common.domain.errors import MediaError
from common.domain.uploads import SUFFIXES, InspectedUpload, kind_of
from common.media import demuxers, ffmpeg, mime
from common.storage import MediaFolder

_CHUNK_BYTES = 1024 * 1024
_MEANT: dict[tuple[str, str | None], str] = {
    ("audio", "video/mp4"): "audio/mp4",
    ("audio", "video/quicktime"): "audio/mp4",
    ("audio", "video/webm"): "audio/webm",
    ("video", "audio/mp4"): "video/mp4",
}


def measure(upload: Upload, path: Path) -> InspectedUpload:
    """Return what the file at `path` is, and leave there what is to be stored.

    Raises MediaError or InvalidInput for what is not a whole file of the announced kind.
    """
    with path.open("rb") as file:
        file.seek(demuxers.leading_zeros(path))
        media_type = mime.media_type(file.read(mime.HEAD_BYTES))
    # What a container is for does not stand in its first bytes; its streams are read below.
    media_type = _MEANT.get((upload.kind, media_type), media_type)
    is_picture = media_type is not None and media_type.startswith("image/")
    if media_type is None or (kind_of(media_type) is None and not is_picture):
        known = f"is {media_type}, which" if media_type else "has an unknown type, which"
        raise MediaError(
            f"The file {known} is not taken. Taken are {', '.join(SUFFIXES)}.", code="upload.type"
        )
    if is_picture != (upload.kind == "image") or kind_of(media_type) not in (None, upload.kind):
        raise MediaError(
            f"The file was announced as {upload.media_type} and is {media_type}.",
            code="upload.type",
        )
    width = height = seconds = has_sound = None
    if upload.kind == "image":
        # Imported here: Pillow is only needed for pictures.
        from common.media import images

        picture = images.clean(path.read_bytes())
        path.write_bytes(picture.data)
        media_type = picture.media_type
        width, height = images.size(picture)
    elif upload.kind == "video":
        facts = ffmpeg.inspect(path)
        look = ffmpeg.look_at(path)
        width, height, seconds = look.width, look.height, facts.seconds
        has_sound = facts.has_sound
        if media_type == "video/webm":
            media_type = demuxers.video_type(path, facts.codecs)
    else:
        seconds, has_sound = ffmpeg.hear(path), True
    folder = MediaFolder(upload.user_id, upload.media_id)
    return InspectedUpload(
        media_type=media_type,
        key=folder.upload(upload.kind, SUFFIXES[media_type]),
        size_bytes=path.stat().st_size,
        sha256=_sha256(path),
        width=width,
        height=height,
        seconds=seconds,
        has_sound=has_sound,
    )


def _sha256(path: Path) -> str:
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            whole.update(chunk)
    return whole.hexdigest()
