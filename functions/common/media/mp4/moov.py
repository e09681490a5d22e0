"""Write the header of an MP4 file: `ftyp`, the index (`moov`), and the header of `mdat`."""

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby

from common.media.mp4 import boxes
from common.media.mp4.audio_track import AudioTrackPlan
from common.media.mp4.concat import Concatenation, Sample, VideoTrackPlan
from common.media.mp4.movie import AAC_SAMPLES

_FTYP = boxes.pack(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isomiso2mp41")
_IDENTITY_MATRIX = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LANGUAGE_UND = 0x55C4  # `und`, undetermined
_ENABLED_IN_MOVIE = 3  # the track is enabled, and part of the presentation
_MAX_32_BIT_BYTES = 0xFF000000  # up to this size, chunk offsets fit into 32 bits
_DINF = boxes.pack(
    b"dinf", boxes.pack_full(b"dref", 0, 0, struct.pack(">I", 1), boxes.pack_full(b"url ", 0, 1))
)


@dataclass(frozen=True, slots=True)
class _Chunks:
    """A track's samples: their sizes, and the chunks of consecutive samples in the file."""

    sizes: Sequence[int]
    offsets: Sequence[int]  # of the chunks, relative to the first sample
    counts: Sequence[int]  # samples in each chunk


def file_header(concatenation: Concatenation) -> bytes:
    """Return the bytes of the file before its first sample."""
    media_bytes = sum(sample.size for sample in concatenation.samples)
    use_64_bit = media_bytes > _MAX_32_BIT_BYTES
    mdat_header = (
        struct.pack(">I4sQ", 1, b"mdat", media_bytes + 16)
        if use_64_bit
        else struct.pack(">I4s", media_bytes + 8, b"mdat")
    )
    chunks = _chunks(concatenation.samples)
    # The size of the index does not depend on the offsets in it.
    length = len(_FTYP) + len(_moov(concatenation, chunks, 0, use_64_bit)) + len(mdat_header)
    return _FTYP + _moov(concatenation, chunks, length, use_64_bit) + mdat_header


def _chunks(samples: Iterable[Sample]) -> Sequence[_Chunks]:
    offset, previous_track = 0, -1
    sizes: list[list[int]] = [[], []]
    offsets: list[list[int]] = [[], []]
    counts: list[list[int]] = [[], []]
    for sample in samples:
        track, size = sample.track, sample.size
        if track != previous_track:
            offsets[track].append(offset)
            counts[track].append(0)
            previous_track = track
        counts[track][-1] += 1
        sizes[track].append(size)
        offset += size
    return [_Chunks(*columns) for columns in zip(sizes, offsets, counts, strict=True)]


def _moov(
    concatenation: Concatenation, chunks: Sequence[_Chunks], start: int, use_64_bit: bool
) -> bytes:
    video, audio = concatenation.video, concatenation.audio
    length = len(video.presentation_order) * video.frame_duration
    traks = [_video_trak(video, chunks[0], start, use_64_bit)]
    if audio is not None:
        traks.append(_audio_trak(audio, chunks[1], length, start, use_64_bit))
    # The movie has the timescale of the video, so durations and edits are exact.
    mvhd = boxes.pack_full(
        b"mvhd",
        1,
        0,
        struct.pack(">QQIQIH10x", 0, 0, video.timescale, length, 0x10000, 0x100),
        _IDENTITY_MATRIX,
        bytes(24),
        struct.pack(">I", len(traks) + 1),
    )
    return boxes.pack(b"moov", mvhd, *traks)


def _video_trak(track: VideoTrackPlan, chunks: _Chunks, start: int, use_64_bit: bool) -> bytes:
    count, frame_duration = len(track.presentation_order), track.frame_duration
    reorder_delay = track.reorder_delay
    length = count * frame_duration
    composition_offsets = [
        (position - index + reorder_delay) * frame_duration
        for index, position in enumerate(track.presentation_order)
    ]
    tables = [
        boxes.pack_full(b"stsd", 0, 0, struct.pack(">I", 1), track.entry.pack()),
        _table(b"stts", "I", [(count, frame_duration)]),
    ]
    if any(composition_offsets):
        runs = [(len(list(group)), offset) for offset, group in groupby(composition_offsets)]
        tables.append(_table(b"ctts", "I", runs))
    if len(track.sync_samples) < count:
        tables.append(_table(b"stss", "I", [(index + 1,) for index in track.sync_samples]))
    entry = track.entry
    return _trak(
        1,
        b"vide",
        boxes.pack_full(b"vmhd", 0, 1, bytes(8)),
        [*tables, *_location_tables(chunks, start, use_64_bit)],
        timescale=track.timescale,
        length=length,
        movie_length=length,
        media_time=reorder_delay * frame_duration,
        volume=0,
        size=(entry.width, entry.height),
        aspect=entry.pixel_aspect,
    )


def _audio_trak(
    track: AudioTrackPlan,
    chunks: _Chunks,
    movie_length: int,
    start: int,
    use_64_bit: bool,
) -> bytes:
    tables = [
        boxes.pack_full(b"stsd", 0, 0, struct.pack(">I", 1), track.entry.box),
        _table(b"stts", "I", [(len(track.packets), AAC_SAMPLES)]),
    ]
    return _trak(
        2,
        b"soun",
        boxes.pack_full(b"smhd", 0, 0, bytes(4)),
        [*tables, *_location_tables(chunks, start, use_64_bit)],
        timescale=track.entry.sample_rate,
        length=len(track.packets) * AAC_SAMPLES,
        movie_length=movie_length,
        media_time=track.priming,
        volume=0x100,
        size=(0, 0),
        aspect=Fraction(1),
    )


def _trak(
    track_id: int,
    kind: bytes,
    header: bytes,
    tables: Sequence[bytes],
    *,
    timescale: int,
    length: int,
    movie_length: int,
    media_time: int,
    volume: int,
    size: tuple[int, int],
    aspect: Fraction,
) -> bytes:
    """Return a `trak` box.

    `length` and `media_time` are in ticks of the track, `movie_length` in ticks of the movie.
    """
    width = int(size[0] * aspect * 0x10000)
    tkhd = boxes.pack_full(
        b"tkhd",
        1,
        _ENABLED_IN_MOVIE,
        struct.pack(">QQI4xQ8xHHH2x", 0, 0, track_id, movie_length, 0, 0, volume),
        _IDENTITY_MATRIX,
        struct.pack(">II", width, size[1] * 0x10000),
    )
    edit = boxes.pack_full(
        b"elst", 1, 0, struct.pack(">IQqI", 1, movie_length, media_time, 0x10000)
    )
    mdhd = boxes.pack_full(
        b"mdhd", 1, 0, struct.pack(">QQIQHH", 0, 0, timescale, length, _LANGUAGE_UND, 0)
    )
    hdlr = boxes.pack_full(b"hdlr", 0, 0, struct.pack(">4x4s12xx", kind))
    minf = boxes.pack(b"minf", header, _DINF, boxes.pack(b"stbl", *tables))
    mdia = boxes.pack(b"mdia", mdhd, hdlr, minf)
    return boxes.pack(b"trak", tkhd, boxes.pack(b"edts", edit), mdia)


def _location_tables(chunks: _Chunks, start: int, use_64_bit: bool) -> list[bytes]:
    """Return the tables that locate the samples: `stsc`, `stsz`, and `stco` or `co64`."""
    rows, chunk_number = [], 1
    for count, group in groupby(chunks.counts):
        rows.append((chunk_number, count, 1))
        chunk_number += len(list(group))
    sizes = boxes.pack_full(
        b"stsz", 0, 0, struct.pack(">II", 0, len(chunks.sizes)), _pack_numbers("I", chunks.sizes)
    )
    offsets = [(start + offset,) for offset in chunks.offsets]
    return [
        _table(b"stsc", "I", rows),
        sizes,
        _table(b"co64", "Q", offsets) if use_64_bit else _table(b"stco", "I", offsets),
    ]


def _table(name: bytes, kind: str, rows: Sequence[tuple[int, ...]]) -> bytes:
    numbers = _pack_numbers(kind, [number for row in rows for number in row])
    return boxes.pack_full(name, 0, 0, struct.pack(">I", len(rows)), numbers)


def _pack_numbers(kind: str, numbers: Sequence[int]) -> bytes:
    packed = array(kind, numbers)
    if sys.byteorder == "little":
        packed.byteswap()
    return packed.tobytes()
