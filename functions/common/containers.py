"""What a media file is, by its first bytes: a program that opens foreign files is told, not asked.

ffmpeg by itself tries some 300 formats. Among them are playlists and scripts that open other files
and addresses. So each file is opened as one of the few here, or not at all.
"""

from pathlib import Path

from common import magic
from common.errors import MediaError

_HEAD_BYTES = 1024
_ISO = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
_TS_BYTES = 188
_SOUNDS = {"audio/mpeg": "mp3", "audio/wav": "wav", "audio/flac": "flac", "audio/ogg": "ogg"}


def demuxer(path: Path, *, sound: bool = False) -> str:
    """Return the name of ffmpeg's demuxer for the file.

    Raises MediaError for an empty file, and for all but MP4, QuickTime, Matroska, WebM, AVI and
    MPEG transport streams; where `sound` is wanted, MP3, WAV, FLAC and Ogg will do too.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
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
        return _of_sound(head)
    raise MediaError("The file is not a video in MP4, MOV, MKV, WebM, AVI or MPEG-TS.")


def _of_sound(head: bytes) -> str:
    found = _SOUNDS.get(magic.media_type(head[: magic.HEAD_BYTES]) or "")
    if found is None:
        raise MediaError("The file has no sound in MP3, WAV, FLAC, Ogg, MP4 or WebM.")
    return found
