"""The inspection of uploads, by their bytes and never by the client's declaration.

An image is decoded with limits, rotated upright and encoded again, so that only its pixels are
kept. Video and audio streams are probed with an explicitly selected demuxer, never a guessed one.
"""

import hashlib
from pathlib import Path

from common.database.uploads import Upload
from common.domain.errors import MediaError
from common.domain.uploads import SUFFIXES, InspectedUpload, kind_of
from common.media import demuxers, ffmpeg, mime
from common.storage import MediaFolder

_CHUNK_BYTES = 1024 * 1024
# Media type by the upload's kind and the detected type, for containers of both audio and video.
_TYPE_BY_KIND: dict[tuple[str, str | None], str] = {
    ("audio", "video/mp4"): "audio/mp4",
    ("audio", "video/quicktime"): "audio/mp4",
    ("audio", "video/webm"): "audio/webm",
    ("video", "audio/mp4"): "video/mp4",
}


def measure(upload: Upload, path: Path) -> InspectedUpload:
    """Inspect the file at `path`; an image is replaced by its sanitized version.

    Raises MediaError or InvalidInput unless it is a complete file of the upload's kind.
    """
    with path.open("rb") as file:
        file.seek(demuxers.leading_zeros(path))
        media_type = mime.media_type(file.read(mime.HEAD_BYTES))
    # The first bytes do not tell audio from video files of these containers. The streams, which are
    # probed below, do.
    media_type = _TYPE_BY_KIND.get((upload.kind, media_type), media_type)
    is_image = media_type is not None and media_type.startswith("image/")
    if media_type is None or (kind_of(media_type) is None and not is_image):
        detected = f"the type {media_type}" if media_type else "an unknown type"
        raise MediaError(
            f"The file has {detected}, which is not supported. Supported types: "
            f"{', '.join(SUFFIXES)}.",
            code="upload.type",
        )
    if is_image != (upload.kind == "image") or kind_of(media_type) not in (None, upload.kind):
        raise MediaError(
            f"The file has the type {media_type}, but the upload was created for "
            f"{upload.media_type}.",
            code="upload.type",
        )
    width = height = seconds = has_sound = None
    if upload.kind == "image":
        # Imported here, because only images need Pillow.
        from common.media import images

        image = images.clean(path.read_bytes())
        path.write_bytes(image.data)
        media_type = image.media_type
        width, height = images.size(image)
    elif upload.kind == "video":
        info = ffmpeg.inspect(path)
        look = ffmpeg.probe_frame_format(path)
        width, height, seconds = look.width, look.height, info.seconds
        has_sound = info.has_sound
        if media_type == "video/webm":
            media_type = demuxers.video_type(path, info.codecs)
    else:
        seconds, has_sound = ffmpeg.audio_seconds(path), True
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
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
