"""Parse the index of an MP4 file: where each sample is stored and when it is presented."""

import struct
import sys
from array import array
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, pairwise
from operator import lt
from pathlib import Path
from typing import Any

from common.domain.errors import MediaError
from common.media.mp4 import boxes, sample_entry
from common.media.mp4.boxes import Box, NotConcatenable

_MAX_MOOV_BYTES = 16 * 1024 * 1024
_MAX_SAMPLES = 250_000
_IDENTITY_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_VIDEO, _AUDIO = b"vide", b"soun"


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a track in decoding order: their sizes in bytes and offsets in the file."""

    sizes: Sequence[int]
    offsets: Sequence[int]

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A video track of constant frame rate.

    A frame lasts `frame_duration` ticks, of which `timescale` make a second. `presentation_order`
    has the position of each sample, in decoding order, among the frames as they are presented.
    `first_time` is when the first frame is presented, in seconds of the movie's timeline.
    """

    entry: sample_entry.VideoSampleEntry
    samples: Samples
    timescale: int
    frame_duration: int
    presentation_order: Sequence[int]
    sync_samples: Sequence[int]  # indexes of keyframes, from 0
    first_time: Fraction

    @property
    def rate(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.timescale, self.frame_duration)

    @property
    def seconds(self) -> Fraction:
        """Duration."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """A track of AAC packets, each of 1,024 audio samples.

    Times are in seconds of the movie's timeline: `first_time` is when the first packet begins,
    `start` and `end` bound what is played. Priming before `start` is decoded but not played.
    """

    entry: sample_entry.AudioSampleEntry
    samples: Samples
    first_time: Fraction
    start: Fraction
    end: Fraction

    @property
    def sample_rate(self) -> int:
        """Audio samples per second."""
        return self.entry.sample_rate


@dataclass(frozen=True, slots=True)
class Movie:
    """The index of an MP4 file: its video track and, if there is one, its audio track."""

    path: Path
    video: VideoTrack
    audio: AudioTrack | None


AAC_SAMPLES = 1024


class MultipleTracks(NotConcatenable):
    """The file has several video or audio tracks, and no selection was given."""


def read(path: Path, tracks: Container[int] | None = None) -> Movie:
    """Parse a file's index.

    `tracks` are the ids of the tracks to use. Tracks that are neither video nor audio are ignored.

    Raises NotConcatenable for a file that cannot be concatenated by its index: another container,
    fragments, a varying frame rate, audio other than AAC and so on. Raises MediaError for a file
    that is damaged or malicious: truncated, with two indexes, with tables longer than their box, or
    with media in other files.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            raise NotConcatenable("is not an MP4 file")
        try:
            top_level_boxes = list(boxes.top_level(file, size))
        except NotConcatenable as error:
            raise MediaError(f"It is cut short: it {error}.") from error
        moov_boxes = [box for box in top_level_boxes if box.name == b"moov"]
        if len(moov_boxes) != 1 or moov_boxes[0].end - moov_boxes[0].start > _MAX_MOOV_BYTES:
            raise MediaError(f"It has {len(moov_boxes)} indexes, or one that is too large.")
        file.seek(moov_boxes[0].start)
        moov = file.read(moov_boxes[0].end - moov_boxes[0].start)
    moov_children = list(boxes.children(moov))
    if any(box.name == b"mvex" for box in moov_children):
        raise NotConcatenable("is in fragments")
    header = boxes.find(moov, b"mvhd")
    movie_timescale = _read_timescale(moov, header)[0]
    trak_boxes: dict[bytes, list[Box]] = {_VIDEO: [], _AUDIO: []}
    for box in moov_children:
        if box.name == b"trak" and (tracks is None or _track_id(moov, box) in tracks):
            trak_boxes.setdefault(_handler_type(moov, box), []).append(box)
    if not trak_boxes[_VIDEO]:
        raise NotConcatenable("has no video track")
    if len(trak_boxes[_VIDEO]) > 1 or len(trak_boxes[_AUDIO]) > 1:
        raise MultipleTracks("has more than one video or audio track")
    video = _TrackParser(moov, trak_boxes[_VIDEO][0], movie_timescale, size).video()
    audio = None
    if trak_boxes[_AUDIO]:
        audio = _TrackParser(moov, trak_boxes[_AUDIO][0], movie_timescale, size).audio()
    return Movie(path, video, audio)


class _TrackParser:
    """A parser of one `trak` box."""

    def __init__(self, moov: bytes, box: Box, movie_timescale: int, file_bytes: int) -> None:
        self._moov = moov
        self._box = box
        self._movie_timescale = movie_timescale
        self._file_bytes = file_bytes
        self._table = boxes.find(moov, b"mdia/minf/stbl", box)
        self._timescale, self._length = _read_timescale(moov, boxes.find(moov, b"mdia/mdhd", box))
        self._require_local_data()

    def video(self) -> VideoTrack:
        header = self._body(boxes.find(self._moov, b"tkhd", self._box))
        if header[-44:-8] != _IDENTITY_MATRIX:
            raise NotConcatenable("is rotated or scaled by its display matrix")
        samples = self._samples()
        frame_duration = self._frame_duration(len(samples))
        presentation_order, earliest = self._presentation_order(len(samples), frame_duration)
        start = self._start_time(earliest, len(samples) * frame_duration)
        sync_samples = self._sync_samples(len(samples))
        stsd = self._body(boxes.find(self._moov, b"stsd", self._table))
        first_time = Fraction(start, self._timescale)
        return VideoTrack(
            entry=sample_entry.read_video_entry(stsd),
            samples=samples,
            timescale=self._timescale,
            frame_duration=frame_duration,
            presentation_order=presentation_order,
            sync_samples=sync_samples,
            first_time=first_time,
        )

    def audio(self) -> AudioTrack:
        stsd = self._body(boxes.find(self._moov, b"stsd", self._table))
        entry = sample_entry.read_audio_entry(stsd)
        samples = self._samples()
        deltas = {delta for _, delta in self._rows_of(b"stts", ">II")[:-1]}
        if deltas - {AAC_SAMPLES} or self._timescale != entry.sample_rate:
            raise NotConcatenable("has audio other than AAC with 1,024 samples per packet")
        first_time = Fraction(self._start_time(0, None), self._timescale)
        start, end = (
            max(first_time, Fraction(0)),
            first_time + Fraction(len(samples) * AAC_SAMPLES, self._timescale),
        )
        if edits := self._edit_list():
            # Only the last edit is not empty.
            start = Fraction(sum(edit[0] for edit in edits[:-1]), self._movie_timescale)
            end = min(end, start + Fraction(edits[-1][0], self._movie_timescale))
        return AudioTrack(entry, samples, first_time, start, end)

    def _require_local_data(self) -> None:
        """Raise MediaError unless every data reference is to this file (flag 1)."""
        dref = self._body(boxes.find(self._moov, b"mdia/minf/dinf/dref", self._box))
        for box in boxes.children(dref, 8):
            if dref[box.start : box.start + 4] != b"\0\0\0\1":
                raise MediaError("It refers to media in another file.")

    def _samples(self) -> Samples:
        sizes = self._sizes()
        co64 = self._optional_body(b"co64")
        table = co64 or self._optional_body(b"stco") or b""
        chunks = _unpack_numbers("Q" if co64 else "I", table[8:], int.from_bytes(table[4:8], "big"))
        offsets = array("Q")
        first = 0
        for chunk, count in zip(chunks, self._counts(len(chunks), len(sizes)), strict=True):
            bounds = list(accumulate(sizes[first : first + count], initial=chunk))
            if bounds[-1] > self._file_bytes:
                raise MediaError(
                    f"It is cut short: sample {first + count} of {len(sizes)} "
                    "lies beyond the end of the file."
                )
            offsets.extend(bounds[:-1])
            first += count
        if first != len(sizes):
            raise NotConcatenable("has tables that contradict each other")
        if not all(map(lt, offsets, offsets[1:])):
            raise NotConcatenable("stores its samples out of order")
        return Samples(sizes, offsets)

    def _sizes(self) -> Sequence[int]:
        table = self._body(boxes.find(self._moov, b"stsz", self._table))
        uniform_size, count = struct.unpack_from(">II", table, 4)
        _check_rows(count, 0 if uniform_size else 4, len(table) - 12)
        return (
            array("I", [uniform_size]) * count
            if uniform_size
            else _unpack_numbers("I", table[12:], count)
        )

    def _counts(self, chunks: int, samples: int) -> Iterator[int]:
        """Yield the number of samples in each chunk."""
        rows = self._rows_of(b"stsc", ">III")
        ends = [row[0] for row in rows[1:]] + [chunks + 1]
        if (
            not rows
            or rows[0][0] != 1
            or any(left >= right for left, right in pairwise([row[0] for row in rows]))
        ):
            raise NotConcatenable("has tables that contradict each other")
        for (first_chunk, count, description), end in zip(rows, ends, strict=True):
            if description != 1 or not 0 < count <= samples or end > chunks + 1:
                raise NotConcatenable("has tables that contradict each other")
            for _ in range(first_chunk, end):
                yield count

    def _frame_duration(self, samples: int) -> int:
        """Return the ticks of a frame; raises NotConcatenable for a varying frame rate."""
        rows = self._rows_of(b"stts", ">II")
        counted = sum(count for count, _ in rows)
        if counted > _MAX_SAMPLES:
            raise MediaError(
                f"It has timestamps for {counted} samples, but only {samples} samples."
            )
        if counted != samples:
            raise NotConcatenable("has tables that contradict each other")
        frame_duration = int(rows[0][1])
        # Many programs write the last frame's duration as zero or one tick.
        last_may_differ = len(rows) == 2 and rows[1][0] == 1 and rows[1][1] <= frame_duration
        if frame_duration < 1 or (len(rows) > 1 and not last_may_differ):
            raise NotConcatenable("has a varying frame rate")
        return frame_duration

    def _presentation_order(self, samples: int, frame_duration: int) -> tuple[Sequence[int], int]:
        """Return each sample's position in presentation order, and the earliest time in ticks."""
        table = self._optional_body(b"ctts")
        if table is None:
            return range(samples), 0
        composition_offsets: list[int] = []
        for count, offset in _rows(table, ">Ii"):
            if len(composition_offsets) + count > samples:
                raise NotConcatenable("has tables that contradict each other")
            composition_offsets.extend([offset] * count)
        if len(composition_offsets) != samples:
            raise NotConcatenable("has tables that contradict each other")
        times = [
            index * frame_duration + offset for index, offset in enumerate(composition_offsets)
        ]
        earliest = min(times)
        presentation_order = [(time - earliest) // frame_duration for time in times]
        end = earliest + samples * frame_duration
        if sorted(times) != list(range(earliest, end, frame_duration)):
            raise NotConcatenable("has a varying frame rate")
        return presentation_order, earliest

    def _start_time(self, earliest: int, length: int | None) -> int:
        """Apply the edit list: return when the first sample is presented, in ticks of the track.

        Given the `length` of a video track in ticks, raises NotConcatenable for an edit list that
        trims frames at the beginning or the end.
        """
        edits = self._edit_list()
        empty = 0
        if edits and edits[0][1] == -1:
            empty = edits.pop(0)[0] * self._timescale // self._movie_timescale
        if len(edits) > 1 or any(rate != 0x10000 for _, _, rate in edits):
            raise NotConcatenable("has an edit list with several edits")
        if not edits:
            return empty + earliest
        duration, media_time, _ = edits[0]
        if length is not None:
            edit_length = duration * self._timescale // self._movie_timescale
            rounding = self._timescale // self._movie_timescale + 1
            presented = length - max(0, media_time - earliest)
            if media_time > earliest or 0 < edit_length + rounding < presented:
                raise NotConcatenable("has an edit list that trims frames")
        return empty + earliest - media_time

    def _edit_list(self) -> list[tuple[int, int, int]]:
        children = boxes.children(self._moov, self._box.start, self._box.end)
        if not any(box.name == b"edts" for box in children):
            return []
        table = self._body(boxes.find(self._moov, b"edts/elst", self._box))
        rows = _rows(table, ">QqI" if table[0] else ">IiI")
        return [(duration, media_time, rate) for duration, media_time, rate in rows]

    def _sync_samples(self, samples: int) -> Sequence[int]:
        table = self._optional_body(b"stss")
        if table is None:
            return range(samples)
        numbers = _unpack_numbers("I", table[8:], int.from_bytes(table[4:8], "big"))
        sync_samples = [number - 1 for number in numbers]
        if not sync_samples or sync_samples[0] != 0 or sync_samples[-1] >= samples:
            raise NotConcatenable("does not begin with a keyframe")
        return sync_samples

    def _optional_body(self, name: bytes) -> bytes | None:
        for box in boxes.children(self._moov, self._table.start, self._table.end):
            if box.name == name:
                return self._body(box)
        return None

    def _rows_of(self, name: bytes, form: str) -> list[Any]:
        return _rows(self._optional_body(name) or b"", form)

    def _body(self, box: Box) -> bytes:
        return self._moov[box.start : box.end]


def _rows(table: bytes, form: str) -> list[Any]:
    """Return the rows of a table box: version and flags, a count, then that many rows."""
    count, size = int.from_bytes(table[4:8], "big"), struct.calcsize(form)
    _check_rows(count, size, len(table) - 8)
    return list(struct.iter_unpack(form, table[8 : 8 + count * size]))


def _check_rows(count: int, size: int, available: int) -> None:
    """Raise MediaError for a table longer than its box or than the limit.

    Raises NotConcatenable for an empty one.
    """
    if count > _MAX_SAMPLES or count * size > available:
        raise MediaError(f"It has a table of {count} rows that is incomplete or too long.")
    if not count:
        raise NotConcatenable("has an empty table")


def _unpack_numbers(kind: str, table: bytes, count: int) -> Sequence[int]:
    numbers = array(kind)
    _check_rows(count, numbers.itemsize, len(table))
    numbers.frombytes(table[: count * numbers.itemsize])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _read_timescale(moov: bytes, box: Box) -> tuple[int, int]:
    """Return the ticks per second and the duration in ticks of `mvhd` or `mdhd`."""
    body = moov[box.start : box.end]
    try:
        form, offset = (">IQ", 20) if body[0] else (">II", 12)
        timescale, length = struct.unpack_from(form, body, offset)
    except (struct.error, IndexError):
        raise NotConcatenable("has a header box that is too short") from None
    if not 0 < timescale <= 10_000_000:
        raise NotConcatenable(f"has a timescale of {timescale} ticks per second")
    return timescale, length


def _track_id(moov: bytes, box: Box) -> int:
    header = boxes.find(moov, b"tkhd", box)
    position = header.start + (20 if moov[header.start : header.start + 1] == b"\1" else 12)
    return int.from_bytes(moov[position : position + 4], "big")


def _handler_type(moov: bytes, box: Box) -> bytes:
    handler = boxes.find(moov, b"mdia/hdlr", box)
    return moov[handler.start + 8 : handler.start + 12]
