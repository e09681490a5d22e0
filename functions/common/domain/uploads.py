"""Rules for uploads: media types, sizes, and the parts of multipart uploads. Pure functions."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "video", "audio"]

_MIB = 1024 * 1024
MOST_BYTES: dict[Kind, int] = {"image": 25 * _MIB, "video": 1024 * _MIB, "audio": 100 * _MIB}
PARTS_FROM_BYTES = 64 * _MIB
PART_BYTES = 16 * _MIB  # of every part except the last; S3's minimum is 5 MiB
SECONDS_TO_SEND = 3600
# Limits of a user's uploads that are created and not inspected yet. S3 keeps the parts of an
# incomplete upload for a day.
MOST_PENDING = 100
MOST_PENDING_BYTES = 10 * 1024 * _MIB

# Suffix of the stored object by media type. Images are encoded again, always as PNG.
SUFFIXES: dict[str, str] = {
    "image/png": "png",
    "image/jpeg": "png",
    "image/webp": "png",
    "image/avif": "png",
    "video/mp4": "mp4",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/matroska": "mkv",
    "audio/mpeg": "mp3",
    "audio/mp4": "m4a",
    "audio/wav": "wav",
    "audio/ogg": "ogg",
    "audio/flac": "flac",
    "audio/webm": "weba",
}
IMAGE_TYPES = tuple(name for name in SUFFIXES if name.startswith("image/"))

# Unregistered names of these types: those used before their registration, or made from a file
# name's extension.
_ALIASES = {
    **dict.fromkeys(("image/jpg", "image/pjpeg", "image/jfif"), "image/jpeg"),
    **dict.fromkeys(("image/x-png", "image/apng", "image/vnd.mozilla.apng"), "image/png"),
    **dict.fromkeys(("image/x-webp",), "image/webp"),
    **dict.fromkeys(
        (
            "application/mp4",
            "video/m4v",
            "video/x-m4v",
            "video/x-mp4",
            "video/mpeg4",
            "video/3gpp",
            "video/3gpp2",
            "video/3gp",
        ),
        "video/mp4",
    ),
    **dict.fromkeys(("video/mov", "video/x-quicktime", "video/qt"), "video/quicktime"),
    **dict.fromkeys(("video/x-webm",), "video/webm"),
    **dict.fromkeys(("video/x-matroska", "video/mkv"), "video/matroska"),
    **dict.fromkeys(
        (
            "audio/mp3",
            "audio/x-mp3",
            "audio/mpeg3",
            "audio/x-mpeg-3",
            "audio/x-mpeg",
            "audio/mpg",
            "audio/x-mpg",
            "audio/mpa",
        ),
        "audio/mpeg",
    ),
    **dict.fromkeys(
        ("audio/m4a", "audio/x-m4a", "audio/x-mp4", "audio/m4b", "audio/x-m4b", "audio/m4p"),
        "audio/mp4",
    ),
    **dict.fromkeys(
        ("audio/x-wav", "audio/wave", "audio/x-wave", "audio/vnd.wave", "audio/x-pn-wav"),
        "audio/wav",
    ),
    **dict.fromkeys(
        ("audio/x-ogg", "audio/vorbis", "audio/opus", "application/ogg", "audio/oga"), "audio/ogg"
    ),
    **dict.fromkeys(("audio/x-flac", "application/flac"), "audio/flac"),
}


def standard(media_type: str) -> str:
    """Return the registered name of the media type, in lower case and without parameters."""
    name = media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(name, name)


def kind_of(media_type: str) -> Kind | None:
    """Return the kind of media of the type, or None if the type is not supported."""
    if media_type not in SUFFIXES:
        return None
    return next(kind for kind in MOST_BYTES if media_type.startswith(f"{kind}/"))


def part_sizes(size_bytes: int) -> list[int]:
    """Return the sizes in bytes of the parts of a multipart upload of `size_bytes`."""
    return [min(PART_BYTES, size_bytes - offset) for offset in range(0, size_bytes, PART_BYTES)]


@dataclass(frozen=True, slots=True)
class InspectedUpload:
    """The properties of an inspected upload, as it is stored."""

    media_type: str
    key: str
    size_bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    has_sound: bool | None = None
