"""Hostile files: they try to read other files, or to exhaust memory, disk or time.

Each is a function of the `Bait`: a clean clip, and a file of the host whose frames have one colour.
The only acceptable outcome is a rejection.
"""

import struct
import subprocess
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.media.coded import FFMPEG


@dataclass(frozen=True)
class Bait:
    """The path of a secret video of the host, and a clean clip to modify."""

    secret: Path
    clean: bytes

    @property
    def url(self) -> str:
        return self.secret.as_uri()


def box(name: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, name) + body


def patch(data: bytes, name: bytes, offset: int, value: bytes, *, last: bool = False) -> bytes:
    """Replace bytes after the name of a box: its first occurrence, or the last."""
    offset = (data.rindex(name) if last else data.index(name)) + 4 + offset
    return data[:offset] + value + data[offset + len(value) :]


def run_ffmpeg(*arguments: str, form: str = "mp4", encode: bool = True) -> bytes:
    """Return ffmpeg's output for a tiny source with `arguments`."""
    source = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=0.5"] if encode else []
    command = [FFMPEG, "-v", "quiet", *source, *arguments]
    command += ["-f", form, "-movflags", "frag_keyframe+empty_moov", "pipe:1"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def grows_midway(_: Bait) -> bytes:
    """A clip whose frames are four times as large from the middle on."""
    small = run_ffmpeg("-c:v", "libx264", form="mpegts")
    large = run_ffmpeg("-vf", "scale=640:360", "-c:v", "libx264", form="mpegts")
    command = [FFMPEG, "-v", "quiet", "-f", "mpegts", "-i", "pipe:0", "-c", "copy", "-f", "mp4"]
    command += ["-movflags", "frag_keyframe+empty_moov", "pipe:1"]
    done = subprocess.run(command, input=small + large, capture_output=True, check=True, timeout=60)
    return done.stdout


def playlist(bait: Bait) -> bytes:
    return (f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{bait.url}\n#EXT-X-ENDLIST\n").encode()


def two_boxes(name: bytes, data: bytes) -> bytes:
    """The file with two boxes of this name appended."""
    return data + box(name, bytes(16)) * 2


def data_reference(bait: Bait) -> bytes:
    """A data reference to another file."""
    offset = bait.clean.index(b"url ")
    return bait.clean[: offset + 4] + b"\0\0\0\0" + bait.clean[offset + 8 :]


def alias(bait: Bait) -> bytes:
    """A QuickTime alias that names the secret by its path."""
    path = str(bait.secret).encode()
    body = (
        bytes(4) + bytes(150) + struct.pack(">hH", 2, len(path)) + path + struct.pack(">hH", -1, 0)
    )
    old = box(b"url ", b"\0\0\0\1")
    replacement = box(b"alis", body)
    data = bait.clean.replace(old, replacement, 1)
    # The size of every enclosing box grows too.
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):
        offset = data.index(name) - 4
        size = int.from_bytes(data[offset : offset + 4], "big") + len(replacement) - len(old)
        data = data[:offset] + struct.pack(">I", size) + data[offset + 4 :]
    return data


def huge_sizes(data: bytes, width: int, height: int) -> bytes:
    offset = data.index(b"avc1", data.index(b"stsd")) + 4 + 24
    return data[:offset] + struct.pack(">HH", width, height) + data[offset + 4 :]


def fast(data: bytes) -> bytes:
    """100,000 frames a second: each lasts one tick of a fast timescale."""
    return patch(data, b"mdhd", 12, struct.pack(">I", 51_200_000))


def slow(data: bytes) -> bytes:
    """Hours of video: each frame lasts an hour."""
    return patch(data, b"stts", 12, struct.pack(">I", 12_288 * 3600))


def nested(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = box(b"moov", body)
    return box(b"ftyp", b"isom", bytes(4)) + body


def packed_index(data: bytes, *, more: int = 0, claims: int | None = None) -> bytes:
    """A compressed moov box, as QuickTime allows, with `more` zeros or a false length."""
    start = data.index(b"moov") - 4
    end = start + int.from_bytes(data[start : start + 4], "big")
    index = data[start:end] + (box(b"free", bytes(more)) if more else b"")
    length = struct.pack(">I", len(index) if claims is None else claims)
    packed = box(b"cmov", box(b"dcom", b"zlib"), box(b"cmvd", length, zlib.compress(index)))
    return data[:start] + box(b"moov", packed) + data[end:]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def many_tracks(data: bytes) -> bytes:
    start = data.index(b"trak") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    trak = data[start : start + size]
    moov = data.index(b"moov") - 4
    replacement = int.from_bytes(data[moov : moov + 4], "big") + 200 * size
    copied = data[:start] + trak * 200 + data[start:]
    return copied[:moov] + struct.pack(">I", replacement) + copied[moov + 4 :]


def matroska_with_attachment(bait: Bait) -> bytes:
    """A Matroska file without video that contains another file as an attachment."""
    command = [FFMPEG, "-v", "quiet", "-f", "lavfi", "-i", "sine=d=1", "-attach", str(bait.secret)]
    command += ["-metadata:s:1", "mimetype=text/plain", "-f", "matroska", "pipe:1"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


Maker = Callable[[Bait], bytes]

HOSTILE: Mapping[str, Maker] = {
    "pictures that grow midway": grows_midway,
    # Other files and addresses
    "hls playlist": playlist,
    "hls playlist with an mp4's head": lambda b: box(b"ftyp", b"isom", bytes(4)) + playlist(b),
    "hls playlist of addresses": lambda b: playlist(b).replace(b"file://", b"http://127.0.0.1:9"),
    "hls playlist of a part": lambda b: playlist(b).replace(b"file:", b"subfile,,start,0,end,0,,:"),
    "concat script": lambda b: f"ffconcat version 1.0\nfile {b.secret}\n".encode(),
    "concat address": lambda b: f"concat:{b.secret}|{b.secret}".encode(),
    "dash manifest": lambda b: (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
        f'<AdaptationSet><Representation id="1"><BaseURL>{b.url}</BaseURL></Representation>'
        "</AdaptationSet></Period></MPD>"
    ).encode(),
    "sdp": lambda b: b"v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n",
    "image sequence": lambda b: str(b.secret.parent / "secret%d.png").encode(),
    "svg with an image": lambda b: (
        f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{b.url}"/></svg>'
    ).encode(),
    "subtitles": lambda b: b"1\n00:00:00,000 --> 00:00:09,000\nhello\n",
    "avisynth script": lambda b: f'FFVideoSource("{b.secret}")\n'.encode(),
    "filter script": lambda b: f"movie={b.secret}".encode(),
    "foreign data reference": data_reference,
    "alias of a file": alias,
    "matroska with an attachment": matroska_with_attachment,
    # Not a video at all
    "empty": lambda b: b"",
    "text": lambda b: b"not a clip\n" * 100,
    "zeros": lambda b: bytes(100_000),
    "zip": lambda b: b"PK\x03\x04" + bytes(1000),
    "program": lambda b: b"\x7fELF\x02\x01\x01" + bytes(1000),
    "picture": lambda b: run_ffmpeg("-frames:v", "1", "-c:v", "png", form="image2pipe"),
    "animated gif": lambda b: run_ffmpeg(form="gif"),
    "sound alone": lambda b: run_ffmpeg(
        "-f", "lavfi", "-i", "sine=d=1", "-map", "1:a", "-c:a", "aac"
    ),
    # Broken
    "cut at the beginning": lambda b: b.clean[:700],
    "cut at a half": lambda b: b.clean[: len(b.clean) // 2],
    "cut near the end": lambda b: b.clean[: len(b.clean) * 98 // 100],
    "half of a matroska": lambda b: half(run_ffmpeg("-c:v", "libx264", form="matroska")),
    "half of an avi": lambda b: half(run_ffmpeg("-c:v", "mpeg4", form="avi")),
    "index alone": lambda b: b.clean[: b.clean.index(b"mdat") - 4],
    "media alone": lambda b: b.clean[b.clean.index(b"mdat") - 4 :],
    "hole in the media": lambda b: patch(b.clean, b"mdat", 700, bytes(300)),
    "samples beyond the file": lambda b: patch(b.clean, b"stco", 8, b"\x7f\xff\xff\xf0"),
    "lengths that do not add up": lambda b: patch(b.clean, b"mdat", 0, b"\xff\xff\xff\xff"),
    # Too much
    "box that overhangs": lambda b: patch(b.clean, b"moov", -8, b"\x7f\xff\xff\xff"),
    "two million samples": lambda b: patch(b.clean, b"stsz", 8, struct.pack(">I", 2_000_000)),
    "four billion samples of one size": lambda b: patch(
        b.clean, b"stsz", 4, struct.pack(">II", 1, 0xFFFFFFFF)
    ),
    "four billion time stamps": lambda b: patch(b.clean, b"stts", 8, b"\xff\xff\xff\xff"),
    "300 MB in a packed index": lambda b: packed_index(b.clean, more=300_000_000),
    "packed index that lies": lambda b: packed_index(b.clean, claims=0x7FFFFFFF),
    "deeply nested": lambda b: nested(5000),
    "200 tracks": lambda b: many_tracks(b.clean),
    "16,000 pixels wide": lambda b: huge_sizes(b.clean, 16_000, 16_000),
    "100,000 pictures a second": lambda b: fast(b.clean),
    "hours": lambda b: slow(b.clean),
    "no clock": lambda b: patch(b.clean, b"mdhd", 12, bytes(4)),
    "two indexes": lambda b: b.clean + b.clean[: b.clean.index(b"mdat") - 4],
    "8,192 pixels in fragments": lambda b: run_ffmpeg(
        "-vf",
        "scale=8192:8192:flags=neighbor",
        "-frames:v",
        "1",
        "-c:v",
        "mjpeg",
    ),
    "240 pictures a second in fragments": lambda b: run_ffmpeg(
        "-r", "240", "-c:v", "libx264", "-preset", "ultrafast"
    ),
    "an hour in matroska": lambda b: run_ffmpeg(
        "-vf", "setpts=N*300/TB", "-fps_mode", "passthrough", "-c:v", "libx264", form="matroska"
    ),
}
