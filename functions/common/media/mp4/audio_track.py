"""Laying sound: the AAC packets of several clips in one row, in step with their pictures.

The row is a grid of packets of 1,024 sound samples. A clip's sound begins at the line of the grid
nearest to its picture, at most half a packet (10.7 ms at 48 kHz) beside it; the error is the clip's
own and never adds up. What an encoder put before a clip's first sample (priming) and after its last
one (padding) is left out, so that there are as many decoded samples as the clock says.

Where two clips meet, their packets do not fit each other; `merge.audio.joins` mends those few.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import NamedTuple

from common.media.mp4 import sample_entry
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import AAC_SAMPLES, AudioTrack, Movie

_MOST_PRIMING = 4 * AAC_SAMPLES
_COARSEST = 24_000  # Hz; half a packet of less would be more than 25 ms


class Packet(NamedTuple):
    """Where the bytes of a packet are."""

    path: Path
    offset: int
    size: int


Silence = Callable[[], Packet]
"""Makes a packet of silence, of the kind that is laid, when it is needed."""


@dataclass(frozen=True, slots=True)
class AudioSpan:
    """A clip's packets on the grid: the first one stands at place `begin`, and silence around.

    Between `start` and `end`, in sound samples of the grid, the clip has pictures and is heard.
    """

    sound: Movie | None
    begin: int
    start: int
    end: int
    silence: Silence

    def at(self, places: range) -> list[Packet]:
        """Return the packets for neighbouring places of the grid."""
        movie = self.sound
        if movie is None or movie.sound is None:
            return [self.silence() for _ in places]
        samples = movie.sound.samples
        first, last = places.start - self.begin, places.stop - self.begin
        own = range(max(0, first), max(0, min(last, len(samples))))
        packets = [
            Packet(movie.path, samples.offsets[number], samples.sizes[number]) for number in own
        ]
        before, after = own.start - first, len(places) - (own.start - first) - len(own)
        if before or after:
            silent = self.silence()
            return [silent] * min(before, len(places)) + packets + [silent] * max(0, after)
        return packets


@dataclass(frozen=True, slots=True)
class Joint:
    """Where one clip's sound ends and another one's begins: the first place of the second."""

    place: int
    before: AudioSpan
    after: AudioSpan


@dataclass(frozen=True, slots=True)
class AudioRow:
    """A sound track to be: its packets, those of clip k from line k to line k + 1."""

    entry: sample_entry.AudioSampleEntry
    packets: Sequence[Packet]
    lines: Sequence[int]
    priming: int  # sound samples before the first one that is heard
    joints: Sequence[Joint]

    def seconds(self, place: int) -> float:
        """Return when a packet begins."""
        return (place * AAC_SAMPLES - self.priming) / self.entry.rate


def kind(sound: AudioTrack) -> tuple[bytes, int, int]:
    """Return what must be the same for packets to stand in one row."""
    return sound.entry.config, sound.entry.rate, sound.entry.channels


def interleave(
    movies: Sequence[Movie | None], times: Sequence[Fraction], silence: Silence
) -> AudioRow:
    """Lay the sound of each clip, or silence, from the moment of its first picture on.

    `times` are the starts of the clips in the cut, in seconds, and its end. Raises Unreadable for
    sound of different kinds.
    """
    heard = [movie.sound for movie in movies if movie is not None and movie.sound is not None]
    model = heard[0]
    if any(kind(sound) != kind(model) for sound in heard) or model.rate < _COARSEST:
        raise NotConcatenable("has sound of another kind than the other clips")
    # The first clip's own priming makes the grid, so that its sound is exactly where it was.
    early = max(0, -round(_shift(movies[0]) * model.rate))
    priming = early if early <= _MOST_PRIMING else early % AAC_SAMPLES + AAC_SAMPLES

    def line(seconds: Fraction) -> Fraction:
        return (seconds * model.rate + priming) / AAC_SAMPLES

    lines = [0, *(round(line(time)) for time in times[1:-1]), ceil(line(times[-1]))]
    strips = []
    for movie, (start, end) in zip(movies, pairwise(times), strict=True):
        begin = round(line(start + _shift(movie)))
        zero = begin * AAC_SAMPLES - round(_shift(movie) * model.rate)  # the first picture
        heard_from, heard_to = Fraction(0), end - start
        if movie is not None and movie.sound is not None:
            heard_from = max(heard_from, movie.sound.start - movie.pictures.first)
            heard_to = min(heard_to, movie.sound.end - movie.pictures.first)
        from_here, to_here = (zero + round(at * model.rate) for at in (heard_from, heard_to))
        strips.append(AudioSpan(movie, begin, from_here, to_here, silence))
    return AudioRow(
        entry=model.entry,
        packets=[
            packet
            for strip, (start, end) in zip(strips, pairwise(lines), strict=True)
            for packet in strip.at(range(start, end))
        ],
        lines=lines,
        priming=priming,
        joints=[
            Joint(place, before, after)
            for place, (before, after) in zip(lines[1:-1], pairwise(strips), strict=True)
        ],
    )


def whole(
    packets: Sequence[Packet], sound: sample_entry.AudioSampleEntry, times: Sequence[Fraction]
) -> AudioRow:
    """Return the row of sound that was encoded for the whole cut, with one packet of priming."""
    count = len(packets)
    places = [round((time * sound.rate + AAC_SAMPLES) / AAC_SAMPLES) for time in times[1:-1]]
    lines = [0, *(min(place, count) for place in places), count]
    return AudioRow(sound, packets, lines, AAC_SAMPLES, joints=())


def _shift(movie: Movie | None) -> Fraction:
    """Return how long after the first picture the first packet begins, in seconds."""
    if movie is None or movie.sound is None:
        return Fraction(0)
    return movie.sound.first - movie.pictures.first
