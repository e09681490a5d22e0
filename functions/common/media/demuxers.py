"""What a media file is, by its first bytes: a program that opens foreign files is told, not asked.

ffmpeg by itself tries some 300 formats. Among them are playlists and scripts that open other files
and addresses. So each file is opened as one of the few here, or not at all.
"""

from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from common.domain.errors import MediaError
from common.media import mime

_HEAD_BYTES = 1024
_ISO = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
_TS_BYTES = 188
_WEBM = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})
_LEAST_ZEROS, _MOST_ZEROS = 8, 1024 * 1024
_TAG_BYTES = 10
_SOUNDS = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/flac": "flac", "audio/ogg": "ogg"}


def demuxer(path: Path, *, sound: bool = False) -> str:
    """Return the name of ffmpeg's demuxer for the file.

    Raises MediaError for an empty file, and for all but MP4, QuickTime, Matroska, WebM, AVI and
    MPEG transport streams; where `sound` is wanted, MP3, WAV, FLAC and Ogg will do too.
    """
    with path.open("rb") as file:
        file.seek(leading_zeros(path))
        head = file.read(_HEAD_BYTES)
        tagged = _after_tags(file, head) if sound else b""
    if not head:
        raise MediaError("The file is empty.")
    if head[4:8] in _ISO and not head.startswith(b"#"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > 2 * _TS_BYTES and all(head[n * _TS_BYTES] == 0x47 for n in range(3)):
        return "mpegts"
    if sound:
        return "flac" if tagged.startswith(b"fLaC") else _of_sound(head)
    raise MediaError("The file is not a video in MP4, MOV, MKV, WebM, AVI or MPEG-TS.")


def leading_zeros(path: Path) -> int:
    """Return how many zero bytes some programs wrote before the file's beginning.

    No format that is taken begins with eight. Raises nothing for a file of zeros alone.
    """
    with path.open("rb") as file:
        head = file.read(_MOST_ZEROS)
    count = len(head) - len(head.lstrip(b"\0"))
    return count if count >= _LEAST_ZEROS and count < len(head) else 0


def _after_tags(file: BinaryIO, head: bytes) -> bytes:
    """Return the first bytes after ID3 tags, which taggers put before files of any kind.

    Their size is written with seven bits a byte (https://id3.org/id3v2.4.0-structure).
    """
    start = file.tell() - len(head)
    while head.startswith(b"ID3") and len(head) >= _TAG_BYTES:
        size = 0
        for byte in head[6:_TAG_BYTES]:
            size = size << 7 | byte & 0x7F
        has_footer = bool(head[5] & 0x10)
        start += size + _TAG_BYTES * (2 if has_footer else 1)
        file.seek(start)
        head = file.read(_TAG_BYTES)
    return head


def _of_sound(head: bytes) -> str:
    found = _SOUNDS.get(mime.media_type(head[: mime.HEAD_BYTES]) or "")
    if found is None:
        raise MediaError("The file has no sound in MP3, WAV, FLAC, Ogg, MP4 or WebM.")
    return found


def video_type(path: Path, codecs: Collection[str]) -> str:
    """Return the IANA media type of a video whose streams have these codecs, named as ffmpeg does.

    WebM is Matroska with a few codecs (https://www.webmproject.org/docs/container/); players refuse
    others under the name of video/webm.
    """
    match demuxer(path):
        case "matroska":
            return "video/webm" if _WEBM.issuperset(codecs) else "video/matroska"
        case "avi":
            return "video/x-msvideo"
        case "mpegts":
            return "video/mp2t"
    with path.open("rb") as file:
        is_quicktime = mime.media_type(file.read(mime.HEAD_BYTES)) == "video/quicktime"
    return "video/quicktime" if is_quicktime else "video/mp4"
