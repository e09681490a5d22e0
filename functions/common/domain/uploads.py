"""What clients may upload: media types, sizes, and how a large file is cut. Touches nothing."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["image", "video", "audio"]

_MIB = 1024 * 1024
MOST_BYTES: dict[Kind, int] = {"image": 25 * _MIB, "video": 1024 * _MIB, "audio": 100 * _MIB}
PARTS_FROM_BYTES = 64 * _MIB
PART_BYTES = 16 * _MIB  # of every part but the last one; S3 takes no smaller ones than 5 MiB
SECONDS_TO_SEND = 3600
# Of one owner, announced and not yet looked at. Parts that were sent are stored for a day.
MOST_PENDING = 100
MOST_PENDING_BYTES = 10 * 1024 * _MIB

# Media type, and the suffix of the stored object. A picture is stored anew, always as PNG.
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
PICTURES = tuple(name for name in SUFFIXES if name.startswith("image/"))

# Other names of these types: of before their registration, or of a file name's extension.
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
    """Return the media type in lower case, without parameters, by its registered name."""
    name = media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(name, name)


def kind_of(media_type: str) -> Kind | None:
    """Return what kind of media the type is of, or None for one that is not taken."""
    if media_type not in SUFFIXES:
        return None
    return next(kind for kind in MOST_BYTES if media_type.startswith(f"{kind}/"))


def part_sizes(size_bytes: int) -> list[int]:
    """Return the sizes in bytes of the parts in which a file of that size is sent."""
    return [min(PART_BYTES, size_bytes - begun) for begun in range(0, size_bytes, PART_BYTES)]


@dataclass(frozen=True, slots=True)
class InspectedUpload:
    """What an upload turned out to be, as it is stored."""

    media_type: str
    key: str
    size_bytes: int
    sha256: str
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    has_sound: bool | None = None
