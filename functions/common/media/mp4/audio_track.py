"""Concatenate the AAC packets of several clips in sync with their video.

Packets have 1,024 audio samples each. A clip's audio begins at the packet boundary nearest to its
first frame, at most half a packet (10.7 ms at 48 kHz) off; the error does not accumulate. Encoder
priming before a clip's first sample and padding after its last one are dropped, so the number of
decoded samples matches the duration.

Packets on both sides of a clip boundary do not decode cleanly together; `merge.audio.joins`
re-encodes those few.
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

_MAX_PRIMING = 4 * AAC_SAMPLES
_MIN_SAMPLE_RATE = 24_000  # Hz; at lower rates half a packet is longer than 21 ms


class Packet(NamedTuple):
    """A coded packet: its file, and its offset and size in bytes."""

    path: Path
    offset: int
    size: int


Silence = Callable[[], Packet]
"""Return a silent packet in the format of the track; called only when one is needed."""


@dataclass(frozen=True, slots=True)
class AudioSpan:
    """The packets of one clip in the merged track, with silence before and after them.

    `first_index` is the index of the clip's first packet in the merged track. Its audio is audible
    between `start` and `end`, in audio samples of that track.
    """

    movie: Movie | None
    first_index: int
    start: int
    end: int
    silence: Silence

    def packets(self, indexes: range) -> list[Packet]:
        """Return the packets for a range of indexes in the merged track."""
        movie = self.movie
        if movie is None or movie.audio is None:
            return [self.silence() for _ in indexes]
        samples = movie.audio.samples
        first, last = indexes.start - self.first_index, indexes.stop - self.first_index
        stored = range(max(0, first), max(0, min(last, len(samples))))
        packets = [
            Packet(movie.path, samples.offsets[number], samples.sizes[number]) for number in stored
        ]
        before = stored.start - first
        after = len(indexes) - before - len(stored)
        if before or after:
            silent = self.silence()
            return [silent] * min(before, len(indexes)) + packets + [silent] * max(0, after)
        return packets


@dataclass(frozen=True, slots=True)
class Boundary:
    """The boundary between two clips: `index` is that of the second clip's first packet."""

    index: int
    before: AudioSpan
    after: AudioSpan


@dataclass(frozen=True, slots=True)
class AudioTrackPlan:
    """An audio track to write.

    Clip k has the packets from index `clip_starts[k]` to `clip_starts[k + 1]`.
    """

    entry: sample_entry.AudioSampleEntry
    packets: Sequence[Packet]
    clip_starts: Sequence[int]
    priming: int  # audio samples before the first one that is played
    boundaries: Sequence[Boundary]

    def time_of(self, index: int) -> float:
        """Return the start time of a packet in seconds."""
        return (index * AAC_SAMPLES - self.priming) / self.entry.sample_rate


def audio_format(track: AudioTrack) -> tuple[bytes, int, int]:
    """Return what must be equal for packets to share a track: config, sample rate, channels."""
    return track.entry.config, track.entry.sample_rate, track.entry.channels


def concatenate(
    movies: Sequence[Movie | None], times: Sequence[Fraction], silence: Silence
) -> AudioTrackPlan:
    """Place each clip's audio, or silence, from the time of its first frame on.

    `times` are the start times of the clips in the merged video and its end, in seconds. Raises
    NotConcatenable if the audio formats differ.
    """
    tracks = [movie.audio for movie in movies if movie is not None and movie.audio is not None]
    reference = tracks[0]
    rate = reference.sample_rate
    differs = any(audio_format(track) != audio_format(reference) for track in tracks)
    if differs or rate < _MIN_SAMPLE_RATE:
        raise NotConcatenable("has audio in another format than the other clips")
    # Packets are aligned to the first clip's priming, so its audio stays in sync exactly.
    audio_lead = max(0, -round(_audio_delay(movies[0]) * rate))
    priming = audio_lead if audio_lead <= _MAX_PRIMING else audio_lead % AAC_SAMPLES + AAC_SAMPLES

    def packets_until(seconds: Fraction) -> Fraction:
        return (seconds * rate + priming) / AAC_SAMPLES

    inner_starts = (round(packets_until(time)) for time in times[1:-1])
    clip_starts = [0, *inner_starts, ceil(packets_until(times[-1]))]
    spans = []
    for movie, (start, end) in zip(movies, pairwise(times), strict=True):
        first_index = round(packets_until(start + _audio_delay(movie)))
        # The audio sample at which the first frame is presented.
        first_frame = first_index * AAC_SAMPLES - round(_audio_delay(movie) * rate)
        audible_from, audible_to = Fraction(0), end - start
        if movie is not None and movie.audio is not None:
            audible_from = max(audible_from, movie.audio.start - movie.video.first_time)
            audible_to = min(audible_to, movie.audio.end - movie.video.first_time)
        start_sample = first_frame + round(audible_from * rate)
        end_sample = first_frame + round(audible_to * rate)
        spans.append(AudioSpan(movie, first_index, start_sample, end_sample, silence))
    return AudioTrackPlan(
        entry=reference.entry,
        packets=[
            packet
            for span, (start, end) in zip(spans, pairwise(clip_starts), strict=True)
            for packet in span.packets(range(start, end))
        ],
        clip_starts=clip_starts,
        priming=priming,
        boundaries=[
            Boundary(index, before, after)
            for index, (before, after) in zip(clip_starts[1:-1], pairwise(spans), strict=True)
        ],
    )


def from_encoded(
    packets: Sequence[Packet], entry: sample_entry.AudioSampleEntry, times: Sequence[Fraction]
) -> AudioTrackPlan:
    """Return the track of audio that was encoded as a whole, with one packet of priming."""
    count = len(packets)
    indexes = [
        round((time * entry.sample_rate + AAC_SAMPLES) / AAC_SAMPLES) for time in times[1:-1]
    ]
    clip_starts = [0, *(min(index, count) for index in indexes), count]
    return AudioTrackPlan(entry, packets, clip_starts, AAC_SAMPLES, boundaries=())


def _audio_delay(movie: Movie | None) -> Fraction:
    """Return the start of the first packet relative to the first frame, in seconds."""
    if movie is None or movie.audio is None:
        return Fraction(0)
    return movie.audio.first_time - movie.video.first_time
