"""What an MP4 file holds, read from its index: where each sample lies and when it is shown."""

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

_MOST_INDEX_BYTES = 16 * 1024 * 1024
_MOST_SAMPLES = 250_000
_UPRIGHT = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_PICTURES, _SOUND = b"vide", b"soun"


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of a track in the order of decoding: their bytes and their places in the file."""

    sizes: Sequence[int]
    offsets: Sequence[int]

    def __len__(self) -> int:
        return len(self.sizes)


@dataclass(frozen=True, slots=True)
class VideoTrack:
    """A picture track with one picture every `step` ticks, `scale` ticks a second.

    `shown` is when each sample is shown, counted in pictures from the first one shown; `first` is
    where that one stands on the clock that it shares with the sound, in seconds.
    """

    entry: sample_entry.VideoSampleEntry
    samples: Samples
    scale: int
    step: int
    shown: Sequence[int]
    keys: Sequence[int]  # the samples that can be decoded without others, from 0
    first: Fraction

    @property
    def rate(self) -> Fraction:
        """Pictures a second."""
        return Fraction(self.scale, self.step)

    @property
    def seconds(self) -> Fraction:
        """How long the pictures last."""
        return len(self.samples) / self.rate


@dataclass(frozen=True, slots=True)
class AudioTrack:
    """A track of AAC packets of 1,024 sound samples.

    `first` is where the first one of the first packet stands on the clock that it shares with the
    pictures, in seconds; `start` and `end` enclose what is heard of it.
    """

    entry: sample_entry.AudioSampleEntry
    samples: Samples
    first: Fraction
    start: Fraction
    end: Fraction

    @property
    def rate(self) -> int:
        """Sound samples a second."""
        return self.entry.rate


@dataclass(frozen=True, slots=True)
class Movie:
    """One MP4 file: its pictures and, if it has any, its sound."""

    path: Path
    pictures: VideoTrack
    sound: AudioTrack | None


AAC_SAMPLES = 1024


class SeveralTracks(NotConcatenable):
    """The file has several tracks of pictures or of sound: it must be said which are meant."""


def read(path: Path, tracks: Container[int] | None = None) -> Movie:
    """Read the file's index.

    `tracks` are the ids of the tracks that are meant; the others are left out, as they are if they
    are neither pictures nor sound.

    Raises Unreadable when the file is not one that can be joined by its tables (another container,
    fragments, a varying frame rate, sound other than AAC …), and MediaError when it is broken, or
    made to mislead: cut short, with two indexes, with tables longer than themselves, with media
    that lie elsewhere.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(8)[4:] != b"ftyp":
            raise NotConcatenable("is not an MP4 file")
        try:
            outer = list(boxes.top_level(file, size))
        except NotConcatenable as cut:
            raise MediaError(f"It is cut short: it {cut}.") from cut
        index = [box for box in outer if box.name == b"moov"]
        if len(index) != 1 or index[0].end - index[0].start > _MOST_INDEX_BYTES:
            raise MediaError(f"It has {len(index)} indexes, or one that is too large.")
        file.seek(index[0].start)
        moov = file.read(index[0].end - index[0].start)
    inside = list(boxes.children(moov))
    if any(box.name == b"mvex" for box in inside):
        raise NotConcatenable("is in fragments")
    head = boxes.one(moov, b"mvhd")
    movie_scale = _clock(moov, head)[0]
    found: dict[bytes, list[Box]] = {_PICTURES: [], _SOUND: []}
    for box in inside:
        if box.name == b"trak" and (tracks is None or _id(moov, box) in tracks):
            found.setdefault(_handler(moov, box), []).append(box)
    if not found[_PICTURES]:
        raise NotConcatenable("has no track of pictures")
    if len(found[_PICTURES]) > 1 or len(found[_SOUND]) > 1:
        raise SeveralTracks("has more than one track of pictures or of sound")
    pictures = _Track(moov, found[_PICTURES][0], movie_scale, size).pictures()
    sound = _Track(moov, found[_SOUND][0], movie_scale, size).sound() if found[_SOUND] else None
    return Movie(path, pictures, sound)


class _Track:
    """One `trak` of an index."""

    def __init__(self, moov: bytes, box: Box, movie_scale: int, file_bytes: int) -> None:
        self._moov = moov
        self._box = box
        self._movie_scale = movie_scale
        self._file_bytes = file_bytes
        self._table = boxes.one(moov, b"mdia/minf/stbl", box)
        self._scale, self._length = _clock(moov, boxes.one(moov, b"mdia/mdhd", box))
        self._refuse_foreign_data()

    def pictures(self) -> VideoTrack:
        head = self._body(boxes.one(self._moov, b"tkhd", self._box))
        if head[-44:-8] != _UPRIGHT:
            raise NotConcatenable("is turned or scaled by its display matrix")
        samples = self._samples()
        step = self._step(len(samples))
        shown, least = self._shown(len(samples), step)
        start = self._start(least, len(samples) * step)
        keys = self._keys(len(samples))
        visual = sample_entry.visual(self._body(boxes.one(self._moov, b"stsd", self._table)))
        first = Fraction(start, self._scale)
        return VideoTrack(visual, samples, self._scale, step, shown, keys, first)

    def sound(self) -> AudioTrack:
        sound = sample_entry.sound(self._body(boxes.one(self._moov, b"stsd", self._table)))
        samples = self._samples()
        deltas = {delta for _, delta in self._runs(b"stts", ">II")[:-1]}
        if deltas - {AAC_SAMPLES} or self._scale != sound.rate:
            raise NotConcatenable("has sound other than AAC with 1,024 samples a packet")
        first = Fraction(self._start(0, None), self._scale)
        start, end = (
            max(first, Fraction(0)),
            first + Fraction(len(samples) * AAC_SAMPLES, self._scale),
        )
        if edits := self._edits():
            # The last edit is the one that is not empty.
            start = Fraction(sum(edit[0] for edit in edits[:-1]), self._movie_scale)
            end = min(end, start + Fraction(edits[-1][0], self._movie_scale))
        return AudioTrack(sound, samples, first, start, end)

    def _refuse_foreign_data(self) -> None:
        """The media must lie in this file: every data reference says "here" (flag 1)."""
        dref = self._body(boxes.one(self._moov, b"mdia/minf/dinf/dref", self._box))
        for box in boxes.children(dref, 8):
            if dref[box.start : box.start + 4] != b"\0\0\0\1":
                raise MediaError("It refers to media in another place.")

    def _samples(self) -> Samples:
        sizes = self._sizes()
        wide = self._maybe(b"co64")
        raw = wide or self._maybe(b"stco") or b""
        chunks = _numbers("Q" if wide else "I", raw[8:], int.from_bytes(raw[4:8], "big"))
        offsets = array("Q")
        place = 0
        for chunk, count in zip(chunks, self._counts(len(chunks), len(sizes)), strict=True):
            ends = accumulate(sizes[place : place + count], initial=chunk)
            starts = list(ends)
            if starts[-1] > self._file_bytes:
                raise MediaError(
                    f"It is cut short: sample {place + count} of {len(sizes)} "
                    "lies beyond the end of the file."
                )
            offsets.extend(starts[:-1])
            place += count
        if place != len(sizes):
            raise NotConcatenable("has tables that contradict each other")
        if not all(map(lt, offsets, offsets[1:])):
            raise NotConcatenable("keeps its samples out of order")
        return Samples(sizes, offsets)

    def _sizes(self) -> Sequence[int]:
        raw = self._body(boxes.one(self._moov, b"stsz", self._table))
        each, count = struct.unpack_from(">II", raw, 4)
        _check_rows(count, 0 if each else 4, len(raw) - 12)
        return array("I", [each]) * count if each else _numbers("I", raw[12:], count)

    def _counts(self, chunks: int, samples: int) -> Iterator[int]:
        """Yield how many samples each chunk has."""
        rows = self._runs(b"stsc", ">III")
        ends = [row[0] for row in rows[1:]] + [chunks + 1]
        if not rows or rows[0][0] != 1 or any(a >= b for a, b in pairwise([r[0] for r in rows])):
            raise NotConcatenable("has tables that contradict each other")
        for (first, count, described), end in zip(rows, ends, strict=True):
            if described != 1 or not 0 < count <= samples or end > chunks + 1:
                raise NotConcatenable("has tables that contradict each other")
            for _ in range(first, end):
                yield count

    def _step(self, samples: int) -> int:
        """Return the ticks from one picture to the next, which must be the same for all."""
        rows = self._runs(b"stts", ">II")
        counted = sum(count for count, _ in rows)
        if counted > _MOST_SAMPLES:
            raise MediaError(f"It has time stamps for {counted} samples, of {samples} that it has.")
        if counted != samples:
            raise NotConcatenable("has tables that contradict each other")
        step = int(rows[0][1])
        # What follows the last picture is often written as nothing, or as a tick.
        last_may_differ = len(rows) == 2 and rows[1][0] == 1 and rows[1][1] <= step
        if step < 1 or (len(rows) > 1 and not last_may_differ):
            raise NotConcatenable("has a varying frame rate")
        return step

    def _shown(self, samples: int, step: int) -> tuple[Sequence[int], int]:
        """Return the place of each sample in the order of showing, and when the first is shown."""
        raw = self._maybe(b"ctts")
        if raw is None:
            return range(samples), 0
        shifts: list[int] = []
        for count, shift in _rows(raw, ">Ii"):
            if len(shifts) + count > samples:
                raise NotConcatenable("has tables that contradict each other")
            shifts.extend([shift] * count)
        if len(shifts) != samples:
            raise NotConcatenable("has tables that contradict each other")
        times = [place * step + shift for place, shift in enumerate(shifts)]
        least = min(times)
        shown = [(time - least) // step for time in times]
        if sorted(times) != list(range(least, least + samples * step, step)):
            raise NotConcatenable("has a varying frame rate")
        return shown, least

    def _start(self, least: int, length: int | None) -> int:
        """Return when the first sample is presented, by the track's edit list, in its own ticks.

        With a `length` (of pictures, in ticks) the list may neither cut the beginning nor the end.
        """
        edits = self._edits()
        empty = 0
        if edits and edits[0][1] == -1:
            empty = edits.pop(0)[0] * self._scale // self._movie_scale
        if len(edits) > 1 or any(rate != 0x10000 for _, _, rate in edits):
            raise NotConcatenable("has an edit list of several parts")
        if not edits:
            return empty + least
        duration, media_time, _ = edits[0]
        if length is not None:
            whole = duration * self._scale // self._movie_scale
            rounding = self._scale // self._movie_scale + 1
            if media_time > least or 0 < whole + rounding < length - max(0, media_time - least):
                raise NotConcatenable("has an edit list that cuts pictures off")
        return empty + least - media_time

    def _edits(self) -> list[tuple[int, int, int]]:
        found = boxes.children(self._moov, self._box.start, self._box.end)
        if not any(box.name == b"edts" for box in found):
            return []
        raw = self._body(boxes.one(self._moov, b"edts/elst", self._box))
        return [(a, b, c) for a, b, c in _rows(raw, ">QqI" if raw[0] else ">IiI")]

    def _keys(self, samples: int) -> Sequence[int]:
        raw = self._maybe(b"stss")
        if raw is None:
            return range(samples)
        keys = [number - 1 for number in _numbers("I", raw[8:], int.from_bytes(raw[4:8], "big"))]
        if not keys or keys[0] != 0 or keys[-1] >= samples:
            raise NotConcatenable("does not begin with a key picture")
        return keys

    def _maybe(self, name: bytes) -> bytes | None:
        for box in boxes.children(self._moov, self._table.start, self._table.end):
            if box.name == name:
                return self._body(box)
        return None

    def _runs(self, name: bytes, form: str) -> list[Any]:
        return _rows(self._maybe(name) or b"", form)

    def _body(self, box: Box) -> bytes:
        return self._moov[box.start : box.end]


def _rows(raw: bytes, form: str) -> list[Any]:
    """Return the rows of a table: a version and flags, a count, then that many rows."""
    count, size = int.from_bytes(raw[4:8], "big"), struct.calcsize(form)
    _check_rows(count, size, len(raw) - 8)
    return list(struct.iter_unpack(form, raw[8 : 8 + count * size]))


def _check_rows(count: int, size: int, there: int) -> None:
    """Refuse a table that says to be longer than it is, or than is allowed."""
    if count > _MOST_SAMPLES or count * size > there:
        raise MediaError(f"It has a table of {count} rows that is not all there, or too long.")
    if not count:
        raise NotConcatenable("has an empty table")


def _numbers(kind: str, raw: bytes, count: int) -> Sequence[int]:
    numbers = array(kind)
    _check_rows(count, numbers.itemsize, len(raw))
    numbers.frombytes(raw[: count * numbers.itemsize])
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _clock(moov: bytes, box: Box) -> tuple[int, int]:
    """Return ticks a second and the length in ticks, of `mvhd` or `mdhd`."""
    body = moov[box.start : box.end]
    try:
        scale, length = struct.unpack_from(">IQ" if body[0] else ">II", body, 20 if body[0] else 12)
    except (struct.error, IndexError):
        raise NotConcatenable("has a head that is too short") from None
    if not 0 < scale <= 10_000_000:
        raise NotConcatenable(f"counts {scale} ticks a second")
    return scale, length


def _id(moov: bytes, box: Box) -> int:
    """Return a track's id."""
    head = boxes.one(moov, b"tkhd", box)
    place = head.start + (20 if moov[head.start : head.start + 1] == b"\1" else 12)
    return int.from_bytes(moov[place : place + 4], "big")


def _handler(moov: bytes, box: Box) -> bytes:
    handler = boxes.one(moov, b"mdia/hdlr", box)
    return moov[handler.start + 8 : handler.start + 12]
