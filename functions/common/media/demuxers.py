"""Choose ffmpeg's demuxer for an untrusted file by its first bytes.

Left to detect the format, ffmpeg tries some 300 demuxers. Among them are playlists and scripts that
open other files and URLs (SSRF). So each file is opened with one of the demuxers here, or refused.
"""

from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

from common.domain.errors import MediaError
from common.media import mime

_HEAD_BYTES = 1024
_ISO_BOXES = {b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"}
_TS_PACKET_BYTES = 188
_WEBM_CODECS = frozenset({"vp8", "vp9", "av1", "opus", "vorbis"})
_MIN_ZEROS, _MAX_ZEROS = 8, 1024 * 1024
_ID3_HEADER_BYTES = 10
_AUDIO_DEMUXERS = {
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
}


def demuxer(path: Path, *, sound: bool = False) -> str:
    """Return the name of ffmpeg's demuxer for a file.

    Supported are MP4, QuickTime, Matroska, WebM, AVI and MPEG transport streams; with `sound`, also
    MP3, WAV, FLAC and Ogg. Raises MediaError for an empty file and for any other format.
    """
    with path.open("rb") as file:
        file.seek(leading_zeros(path))
        head = file.read(_HEAD_BYTES)
        after_tags = _read_after_id3(file, head) if sound else b""
    if not head:
        raise MediaError("The file is empty.")
    if head[4:8] in _ISO_BOXES and not head.startswith(b"#"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if len(head) > 2 * _TS_PACKET_BYTES and all(
        head[n * _TS_PACKET_BYTES] == 0x47 for n in range(3)
    ):
        return "mpegts"
    if sound:
        return "flac" if after_tags.startswith(b"fLaC") else _audio_demuxer(head)
    raise MediaError("The file is not a video in MP4, MOV, MKV, WebM, AVI or MPEG-TS.")


def leading_zeros(path: Path) -> int:
    """Return the number of zero bytes that some programs write before a file's header.

    No supported format begins with eight zero bytes. Returns 0 for a file of only zeros.
    """
    with path.open("rb") as file:
        head = file.read(_MAX_ZEROS)
    count = len(head) - len(head.lstrip(b"\0"))
    return count if count >= _MIN_ZEROS and count < len(head) else 0


def _read_after_id3(file: BinaryIO, head: bytes) -> bytes:
    """Return the first bytes after ID3 tags, which may precede files of any format.

    The size of a tag has seven bits per byte (https://id3.org/id3v2.4.0-structure).
    """
    start = file.tell() - len(head)
    while head.startswith(b"ID3") and len(head) >= _ID3_HEADER_BYTES:
        size = 0
        for byte in head[6:_ID3_HEADER_BYTES]:
            size = size << 7 | byte & 0x7F
        has_footer = bool(head[5] & 0x10)
        start += size + _ID3_HEADER_BYTES * (2 if has_footer else 1)
        file.seek(start)
        head = file.read(_ID3_HEADER_BYTES)
    return head


def _audio_demuxer(head: bytes) -> str:
    name = _AUDIO_DEMUXERS.get(mime.media_type(head[: mime.HEAD_BYTES]) or "")
    if name is None:
        raise MediaError("The file has no audio in MP3, WAV, FLAC, Ogg, MP4 or WebM.")
    return name


def video_type(path: Path, codecs: Collection[str]) -> str:
    """Return the IANA media type of a video, given ffmpeg's names of its codecs.

    WebM is Matroska with certain codecs (https://www.webmproject.org/docs/container/); players
    reject others served as video/webm.
    """
    match demuxer(path):
        case "matroska":
            return "video/webm" if _WEBM_CODECS.issuperset(codecs) else "video/matroska"
        case "avi":
            return "video/x-msvideo"
        case "mpegts":
            return "video/mp2t"
    with path.open("rb") as file:
        is_quicktime = mime.media_type(file.read(mime.HEAD_BYTES)) == "video/quicktime"
    return "video/quicktime" if is_quicktime else "video/mp4"
