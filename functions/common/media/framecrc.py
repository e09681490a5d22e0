"""Parse what ffmpeg prints: listings of the `framecrc` muxer, and the streams of a file.

https://ffmpeg.org/ffmpeg-formats.html#framecrc: for each stream a header with its codec, time base,
size and the checksum of its decoder set-up, then one line for each packet or decoded frame. Touches
nothing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_DISCARD = 4  # AV_PKT_FLAG_DISCARD: decoded, but outside of the edit list, so never shown
_HEADER = re.compile(r"#(\w+) (\d+):\s*(.+)")
_FLAGS = re.compile(r"F=0x([0-9A-Fa-f]+)")
_STREAM = re.compile(
    r"^.*?Stream #0:(?P<index>\d+)(?:\[0x(?P<id>[0-9a-f]+)\])?(?:\([^)]*\))?: "
    r"(?P<kind>Video|Audio): (?P<codec>[\w-]+)(?P<rest>.*)$",
    re.MULTILINE,
)
_TAG = re.compile(r"\((\S+) / 0x[0-9A-F]+\)")
_LAYOUT = re.compile(r"\d Hz, ([^,]+)")
_PICTURE_ONLY = ("(attached pic)", "(timed thumbnails)", "(still image)")


class Row(NamedTuple):
    """A packet or a frame; times in ticks of the stream's time base."""

    dts: int
    pts: int
    duration: int
    size: int
    discarded: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing: header values by name and stream number, and the rows of each stream."""

    header: Mapping[tuple[str, int], str]
    rows: Mapping[int, Sequence[Row]]

    def first(self, kind: str) -> int | None:
        """Return the number of the first stream of the kind (`video`, `audio`)."""
        kinds = {
            number: value for (name, number), value in self.header.items() if name == "media_type"
        }
        return next((number for number in sorted(kinds) if kinds[number] == kind), None)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its index in the file, the container's id of it, and its codec.

    `layout` names the channels of sound, as ffmpeg does.
    """

    index: int
    id: int | None
    codec: str
    layout: str = ""


@dataclass(frozen=True, slots=True)
class Streams:
    """The first usable video and audio stream of a file; the others do not matter.

    `unusable` names the codecs of video and audio streams that cannot be decoded here.
    """

    video: Stream | None
    audio: Stream | None
    unusable: Mapping[str, str]

    def maps(self) -> list[str]:
        """Return ffmpeg's options that select them, the video first."""
        used = [stream for stream in (self.video, self.audio) if stream is not None]
        return [part for stream in used for part in ("-map", f"0:{stream.index}")]

    @property
    def ids(self) -> frozenset[int]:
        """The container's ids (in MP4 the track ids) of the streams that are used."""
        used = (stream.id for stream in (self.video, self.audio) if stream is not None)
        return frozenset(number for number in used if number is not None)


def listing(text: str) -> Listing:
    """Parse the output of the `framecrc` muxer."""
    header: dict[tuple[str, int], str] = {}
    rows: dict[int, list[Row]] = {}
    for line in text.splitlines():
        if match := _HEADER.match(line):
            header[match[1], int(match[2])] = match[3]
        elif line and line[0].isdigit():
            stream, dts, pts, duration, size = (int(value) for value in line.split(",")[:5])
            flags = _FLAGS.search(line)
            discarded = flags is not None and bool(int(flags[1], 16) & _DISCARD)
            rows.setdefault(stream, []).append(Row(dts, pts, duration, size, discarded))
    return Listing(header, rows)


def streams(text: str, decoders: Collection[str]) -> Streams:
    """Choose the streams to use from ffmpeg's description of a file (log level `info`).

    `decoders` names the codecs that are taken. Cover art is not a video.
    """
    found: dict[str, Stream] = {}
    unusable: dict[str, str] = {}
    for match in _STREAM.finditer(text):
        kind, codec = match["kind"].lower(), match["codec"]
        if any(sign in match["rest"] for sign in _PICTURE_ONLY):
            continue
        if codec not in decoders:
            tag = _TAG.search(match["rest"])
            unusable.setdefault(kind, tag[1] if codec == "none" and tag else codec)
            continue
        number = int(match["id"], 16) if match["id"] else None
        layout = _LAYOUT.search(match["rest"])
        stream = Stream(int(match["index"]), number, codec, layout[1] if layout else "")
        found.setdefault(kind, stream)
    return Streams(found.get("video"), found.get("audio"), unusable)
