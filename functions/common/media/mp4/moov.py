"""The index of a splice (`moov`) and all else that stands before the samples."""

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from common.media.mp4 import boxes
from common.media.mp4.audio_track import AudioRow
from common.media.mp4.concat import Concatenation, PictureTrack, Sample
from common.media.mp4.movie import AAC_SAMPLES

_FTYP = boxes.make(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
_UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_UNDETERMINED = 0x55C4  # the language `und`
_PLAYED = 3  # the track is enabled, and part of the presentation
_WIDEST = 0xFF000000  # bytes up to which places fit into 32 bits
_DINF = boxes.make(
    b"dinf", boxes.full(b"dref", 0, 0, struct.pack(">I", 1), boxes.full(b"url ", 0, 1))
)


@dataclass(frozen=True, slots=True)
class _Chunks:
    """A track's samples: their sizes, and the chunks of neighbours in which they lie."""

    sizes: Sequence[int]
    places: Sequence[int]  # of the chunks, from the first byte of the samples
    counts: Sequence[int]  # samples in each chunk


def file_header(splice: Concatenation) -> bytes:
    """Return everything before the first sample: the index, and the head of `mdat`."""
    body = sum(sample.size for sample in splice.samples)
    wide = body > _WIDEST
    head = (
        struct.pack(">I4sQ", 1, b"mdat", body + 16)
        if wide
        else struct.pack(">I4s", body + 8, b"mdat")
    )
    chunks = _chunks(splice.samples)
    # The index does not change its length with the places that stand in it.
    length = len(_FTYP) + len(_moov(splice, chunks, 0, wide)) + len(head)
    return _FTYP + _moov(splice, chunks, length, wide) + head


def _chunks(samples: Iterable[Sample]) -> Sequence[_Chunks]:
    place, last = 0, -1
    sizes: list[list[int]] = [[], []]
    places: list[list[int]] = [[], []]
    counts: list[list[int]] = [[], []]
    for sample in samples:
        track, size = sample.track, sample.size
        if track != last:
            places[track].append(place)
            counts[track].append(0)
            last = track
        counts[track][-1] += 1
        sizes[track].append(size)
        place += size
    return [_Chunks(*columns) for columns in zip(sizes, places, counts, strict=True)]


def _moov(splice: Concatenation, chunks: Sequence[_Chunks], start: int, wide: bool) -> bytes:
    pictures, sound = splice.pictures, splice.sound
    length = len(pictures.shown) * pictures.step
    traks = [_picture_trak(pictures, chunks[0], start, wide)]
    if sound is not None:
        traks.append(_sound_trak(sound, chunks[1], length, pictures.scale, start, wide))
    # The movie's clock is that of the pictures, so that lengths and edits are exact.
    mvhd = boxes.full(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQIH10x", 0, 0, pictures.scale, length, 0x10000, 0x100),
        _UNITY,
        bytes(24),
        struct.pack(">I", len(traks) + 1),
    )
    return boxes.make(b"moov", mvhd, *traks)


def _picture_trak(track: PictureTrack, chunks: _Chunks, start: int, wide: bool) -> bytes:
    count, step, delay = len(track.shown), track.step, track.delay
    length = count * step
    shifts = [(shown - place + delay) * step for place, shown in enumerate(track.shown)]
    tables = [
        boxes.full(b"stsd", 0, 0, struct.pack(">I", 1), track.entry.pack()),
        _table(b"stts", "I", [(count, step)]),
    ]
    if any(shifts):
        runs = [(len(list(group)), shift) for shift, group in groupby(shifts)]
        tables.append(_table(b"ctts", "I", runs))
    if len(track.keys) < count:
        tables.append(_table(b"stss", "I", [(key + 1,) for key in track.keys]))
    entry = track.entry
    return _trak(
        1,
        b"vide",
        boxes.full(b"vmhd", 0, 1, bytes(8)),
        [*tables, *_places(chunks, start, wide)],
        scale=track.scale,
        length=length,
        shown=length,
        skipped=delay * step,
        volume=0,
        size=(entry.width, entry.height),
        aspect=entry.pixel_aspect,
    )


def _sound_trak(
    track: AudioRow, chunks: _Chunks, shown: int, movie_scale: int, start: int, wide: bool
) -> bytes:
    tables = [
        boxes.full(b"stsd", 0, 0, struct.pack(">I", 1), track.entry.packed),
        _table(b"stts", "I", [(len(track.packets), AAC_SAMPLES)]),
    ]
    return _trak(
        2,
        b"soun",
        boxes.full(b"smhd", 0, 0, bytes(4)),
        [*tables, *_places(chunks, start, wide)],
        scale=track.entry.rate,
        length=len(track.packets) * AAC_SAMPLES,
        shown=shown,
        skipped=track.priming,
        volume=0x100,
        size=(0, 0),
        aspect=Fraction(1),
    )


def _trak(
    number: int,
    kind: bytes,
    header: bytes,
    tables: Sequence[bytes],
    *,
    scale: int,
    length: int,
    shown: int,
    skipped: int,
    volume: int,
    size: tuple[int, int],
    aspect: Fraction,
) -> bytes:
    """Return a track; `length` and `skipped` are in its ticks, `shown` in those of the movie."""
    width = int(size[0] * aspect * 0x10000)
    tkhd = boxes.full(
        b"tkhd",
        1,
        _PLAYED,
        struct.pack(">QQI4xQ8xHHH2x", 0, 0, number, shown, 0, 0, volume),
        _UNITY,
        struct.pack(">II", width, size[1] * 0x10000),
    )
    edit = boxes.full(b"elst", 1, 0, struct.pack(">IQqI", 1, shown, skipped, 0x10000))
    mdhd = boxes.full(b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, scale, length, _UNDETERMINED, 0))
    hdlr = boxes.full(b"hdlr", 0, 0, struct.pack(">4x4s12xx", kind))
    minf = boxes.make(b"minf", header, _DINF, boxes.make(b"stbl", *tables))
    mdia = boxes.make(b"mdia", mdhd, hdlr, minf)
    return boxes.make(b"trak", tkhd, boxes.make(b"edts", edit), mdia)


def _places(chunks: _Chunks, start: int, wide: bool) -> list[bytes]:
    """Return the tables that say where the samples are."""
    rows, number = [], 1
    for count, group in groupby(chunks.counts):
        rows.append((number, count, 1))
        number += len(list(group))
    sizes = boxes.full(
        b"stsz", 0, 0, struct.pack(">II", 0, len(chunks.sizes)), _packed("I", chunks.sizes)
    )
    places = [(start + place,) for place in chunks.places]
    return [
        _table(b"stsc", "I", rows),
        sizes,
        _table(b"co64", "Q", places) if wide else _table(b"stco", "I", places),
    ]


def _table(name: bytes, kind: str, rows: Sequence[tuple[int, ...]]) -> bytes:
    numbers = _packed(kind, [number for row in rows for number in row])
    return boxes.full(name, 0, 0, struct.pack(">I", len(rows)), numbers)


def _packed(kind: str, numbers: Sequence[int]) -> bytes:
    packed = array(kind, numbers)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()
