"""Parse ffmpeg's output: listings of the `framecrc` muxer, and the streams of a file.

A listing has a header for each stream with its codec, time base, size and the checksum of its
decoder configuration, then one line per packet or decoded frame
(https://ffmpeg.org/ffmpeg-formats.html#framecrc). Performs no I/O.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_DISCARD = 4  # AV_PKT_FLAG_DISCARD: decoded but outside the edit list, so never presented
_HEADER = re.compile(r"#(\w+) (\d+):\s*(.+)")
_FLAGS = re.compile(r"F=0x([0-9A-Fa-f]+)")
_STREAM = re.compile(
    r"^.*?Stream #0:(?P<index>\d+)(?:\[0x(?P<id>[0-9a-f]+)\])?(?:\([^)]*\))?: "
    r"(?P<kind>Video|Audio): (?P<codec>[\w-]+)(?P<rest>.*)$",
    re.MULTILINE,
)
_TAG = re.compile(r"\((\S+) / 0x[0-9A-F]+\)")
_LAYOUT = re.compile(r"\d Hz, ([^,]+)")
_STILL_IMAGE_MARKERS = ("(attached pic)", "(timed thumbnails)", "(still image)")


class Row(NamedTuple):
    """A packet or a frame. Times are in ticks of the stream's time base."""

    dts: int
    pts: int
    duration: int
    size: int
    discarded: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing: header values by name and stream index, and rows by stream index."""

    header: Mapping[tuple[str, int], str]
    rows: Mapping[int, Sequence[Row]]

    def first(self, kind: str) -> int | None:
        """Return the index of the first stream of a kind (`video` or `audio`)."""
        kinds = {
            index: value for (name, index), value in self.header.items() if name == "media_type"
        }
        return next((index for index in sorted(kinds) if kinds[index] == kind), None)


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its index in the file, its id in the container, and its codec.

    `layout` is ffmpeg's name of an audio stream's channel layout.
    """

    index: int
    id: int | None
    codec: str
    layout: str = ""


@dataclass(frozen=True, slots=True)
class Streams:
    """The first usable video and audio stream of a file; others are ignored.

    `unusable` has the codec of the first stream of each kind that is not supported.
    """

    video: Stream | None
    audio: Stream | None
    unusable: Mapping[str, str]

    def maps(self) -> list[str]:
        """Return ffmpeg's `-map` options for the streams, video first."""
        selected = [stream for stream in (self.video, self.audio) if stream is not None]
        return [part for stream in selected for part in ("-map", f"0:{stream.index}")]

    @property
    def ids(self) -> frozenset[int]:
        """The container's ids (track ids in MP4) of the streams."""
        selected = (stream.id for stream in (self.video, self.audio) if stream is not None)
        return frozenset(stream_id for stream_id in selected if stream_id is not None)


def parse_listing(text: str) -> Listing:
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


def select_streams(text: str, decoders: Collection[str]) -> Streams:
    """Select streams from ffmpeg's description of a file (log level `info`).

    `decoders` are the supported codecs. Cover art does not count as video.
    """
    first_of_kind: dict[str, Stream] = {}
    unusable: dict[str, str] = {}
    for match in _STREAM.finditer(text):
        kind, codec = match["kind"].lower(), match["codec"]
        if any(marker in match["rest"] for marker in _STILL_IMAGE_MARKERS):
            continue
        if codec not in decoders:
            tag = _TAG.search(match["rest"])
            unusable.setdefault(kind, tag[1] if codec == "none" and tag else codec)
            continue
        stream_id = int(match["id"], 16) if match["id"] else None
        layout = _LAYOUT.search(match["rest"])
        stream = Stream(int(match["index"]), stream_id, codec, layout[1] if layout else "")
        first_of_kind.setdefault(kind, stream)
    return Streams(first_of_kind.get("video"), first_of_kind.get("audio"), unusable)
