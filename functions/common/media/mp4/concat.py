"""Splicing: several movies become one, whose samples are theirs, in a new order of bytes.

Pictures come at one rate, so a clip's place on the clock is a count of pictures and nothing drifts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from common.media.mp4 import sample_entry
from common.media.mp4.audio_track import AudioRow
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie

_INTERLEAVE_SECONDS = 0.5


class Sample(NamedTuple):
    """A sample and where its bytes are. `track` is 0 for pictures, 1 for sound.

    A tuple, since there are tens of thousands, and a frozen dataclass takes three times as long.
    """

    path: Path
    offset: int
    size: int
    track: int
    seconds: float


@dataclass(frozen=True, slots=True)
class PictureTrack:
    """The picture track of the result, apart from its samples."""

    entry: sample_entry.VideoSampleEntry
    scale: int
    step: int
    shown: Sequence[int]  # the order of showing, by sample
    keys: Sequence[int]

    @property
    def delay(self) -> int:
        """How many pictures must be decoded before the first one can be shown."""
        return max(place - shown for place, shown in enumerate(self.shown))


@dataclass(frozen=True, slots=True)
class Concatenation:
    """All that is to be written: two tracks, and every sample in the order of the file."""

    pictures: PictureTrack
    sound: AudioRow | None
    samples: Sequence[Sample]

    @property
    def seconds(self) -> Fraction:
        """How long the result lasts."""
        return Fraction(len(self.pictures.shown) * self.pictures.step, self.pictures.scale)


def starts(movies: Sequence[Movie]) -> list[Fraction]:
    """Return when each movie begins if they follow each other, and when the last one ends."""
    times = [Fraction(0)]
    for movie in movies:
        times.append(times[-1] + movie.pictures.seconds)
    return times


def concatenate(movies: Sequence[Movie], sound: AudioRow | None) -> Concatenation:
    """Plan the result of joining the pictures of the movies, with a row of sound beside them.

    Raises Unreadable, with the reason, if they cannot be joined.
    """
    tracks = [movie.pictures for movie in movies]
    visual, first = tracks[0].entry, tracks[0]
    for track in tracks[1:]:
        joined = together(visual, track.entry)
        if joined is None or track.rate != first.rate:
            raise NotConcatenable("does not match the other clips")
        visual = joined
    shown: list[int] = []
    keys: list[int] = []
    samples: list[Sample] = []
    rows = pairwise(sound.lines) if sound else [(0, 0)] * len(movies)
    for movie, (start, end) in zip(movies, rows, strict=True):
        before = len(shown)
        seen = _pictures(movie, before)
        heard = _packets(sound, start, end) if sound else []
        shown += [before + place for place in movie.pictures.shown]
        keys += [before + place for place in movie.pictures.keys]
        samples += _arranged(seen, heard)
    return Concatenation(PictureTrack(visual, first.scale, first.step, shown, keys), sound, samples)


def together(
    one: sample_entry.VideoSampleEntry, other: sample_entry.VideoSampleEntry
) -> sample_entry.VideoSampleEntry | None:
    """Return an entry that serves both, or None if there is none."""
    if one == other:
        return one
    if one.look() != other.look() or one.avc is None or other.avc is None:
        return None
    avc = one.avc.joined(other.avc)
    return None if avc is None else replace(one, avc=avc)


def _pictures(movie: Movie, before: int) -> list[Sample]:
    track = movie.pictures
    path, step = movie.path, float(1 / track.rate)
    places = zip(track.samples.offsets, track.samples.sizes, strict=True)
    return [
        Sample(path, offset, size, 0, place * step)
        for place, (offset, size) in enumerate(places, before)
    ]


def _packets(row: AudioRow, start: int, end: int) -> list[Sample]:
    return [
        Sample(packet.path, packet.offset, packet.size, 1, row.seconds(place))
        for place, packet in enumerate(row.packets[start:end], start)
    ]


def _arranged(seen: list[Sample], heard: list[Sample]) -> Iterable[Sample]:
    """Put pictures and sound into the order of the file, so that players need not seek.

    A clip's own order is a good one, and keeps what is copied in one run. The few packets that come
    from elsewhere, at its ends, are put at its ends.
    """
    path = seen[0].path  # a clip's pictures and its own sound carry the very same one
    own = [place for place, sample in enumerate(heard) if sample.path is path]
    if not heard:
        return seen
    if not own or own[-1] - own[0] >= len(own) or len(own) < len(heard) // 2:
        return sorted(seen + heard, key=lambda sample: sample.seconds // _INTERLEAVE_SECONDS)
    first, last = own[0], own[-1] + 1
    inner = sorted(seen + heard[first:last], key=lambda sample: sample.offset)
    return [*heard[:first], *inner, *heard[last:]]
