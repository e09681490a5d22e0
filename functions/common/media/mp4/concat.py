"""Plan the concatenation of several MP4 files: one index over the samples of all of them.

All clips have the same frame rate, so a clip's start is a count of frames and nothing drifts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from common.media.mp4 import sample_entry
from common.media.mp4.audio_track import AudioTrackPlan
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie

_CHUNK_SECONDS = 0.5


class Sample(NamedTuple):
    """A sample to copy: file, offset and size in bytes. `track` is 0 for video, 1 for audio.

    A tuple, because there are tens of thousands and creating a frozen dataclass takes three times
    as long.
    """

    path: Path
    offset: int
    size: int
    track: int
    seconds: float


@dataclass(frozen=True, slots=True)
class VideoTrackPlan:
    """The video track to write, without its samples."""

    entry: sample_entry.VideoSampleEntry
    timescale: int
    frame_duration: int
    presentation_order: Sequence[int]
    sync_samples: Sequence[int]

    @property
    def reorder_delay(self) -> int:
        """Frames that must be decoded before the first one can be presented (B-frames)."""
        return max(index - position for index, position in enumerate(self.presentation_order))


@dataclass(frozen=True, slots=True)
class Concatenation:
    """The file to write: its tracks, and all samples in file order."""

    video: VideoTrackPlan
    audio: AudioTrackPlan | None
    samples: Sequence[Sample]

    @property
    def seconds(self) -> Fraction:
        """Duration."""
        ticks = len(self.video.presentation_order) * self.video.frame_duration
        return Fraction(ticks, self.video.timescale)


def start_times(movies: Sequence[Movie]) -> list[Fraction]:
    """Return the start time of each movie in the concatenation, and its end, in seconds."""
    times = [Fraction(0)]
    for movie in movies:
        times.append(times[-1] + movie.video.seconds)
    return times


def concatenate(movies: Sequence[Movie], audio: AudioTrackPlan | None) -> Concatenation:
    """Plan the concatenation of the movies' video tracks, with `audio` beside them.

    Raises NotConcatenable, with the reason, if the video tracks do not match.
    """
    tracks = [movie.video for movie in movies]
    entry, first = tracks[0].entry, tracks[0]
    for track in tracks[1:]:
        shared = shared_entry(entry, track.entry)
        if shared is None or track.rate != first.rate:
            raise NotConcatenable("does not match the other clips")
        entry = shared
    presentation_order: list[int] = []
    sync_samples: list[int] = []
    samples: list[Sample] = []
    packet_ranges = pairwise(audio.clip_starts) if audio else [(0, 0)] * len(movies)
    for movie, (start, end) in zip(movies, packet_ranges, strict=True):
        first_frame = len(presentation_order)
        video_samples = _video_samples(movie, first_frame)
        audio_samples = _audio_samples(audio, start, end) if audio else []
        presentation_order += [first_frame + index for index in movie.video.presentation_order]
        sync_samples += [first_frame + index for index in movie.video.sync_samples]
        samples += _interleaved(video_samples, audio_samples)
    video = VideoTrackPlan(
        entry, first.timescale, first.frame_duration, presentation_order, sync_samples
    )
    return Concatenation(video, audio, samples)


def shared_entry(
    one: sample_entry.VideoSampleEntry, other: sample_entry.VideoSampleEntry
) -> sample_entry.VideoSampleEntry | None:
    """Return a sample entry for both tracks, or None if they do not match."""
    if one == other:
        return one
    if one.format_key() != other.format_key() or one.avc is None or other.avc is None:
        return None
    avc = one.avc.merged_with(other.avc)
    return None if avc is None else replace(one, avc=avc)


def _video_samples(movie: Movie, first_frame: int) -> list[Sample]:
    track = movie.video
    path, frame_duration = movie.path, float(1 / track.rate)
    locations = zip(track.samples.offsets, track.samples.sizes, strict=True)
    return [
        Sample(path, offset, size, 0, index * frame_duration)
        for index, (offset, size) in enumerate(locations, first_frame)
    ]


def _audio_samples(plan: AudioTrackPlan, start: int, end: int) -> list[Sample]:
    return [
        Sample(packet.path, packet.offset, packet.size, 1, plan.time_of(index))
        for index, packet in enumerate(plan.packets[start:end], start)
    ]


def _interleaved(video_samples: list[Sample], audio_samples: list[Sample]) -> Iterable[Sample]:
    """Interleave video and audio samples, so that players need not seek.

    The order of the clip's file is kept if its audio is copied, so that long runs of bytes are
    copied at once. The few re-encoded packets at its ends are placed before and after it.
    """
    path = video_samples[0].path  # the same object in all samples of the clip
    own_indexes = [index for index, sample in enumerate(audio_samples) if sample.path is path]
    if not audio_samples:
        return video_samples
    all_samples = video_samples + audio_samples
    if not own_indexes or len(own_indexes) < len(audio_samples) // 2:
        return sorted(all_samples, key=lambda sample: sample.seconds // _CHUNK_SECONDS)
    first, last = own_indexes[0], own_indexes[-1] + 1
    if last - first > len(own_indexes):  # re-encoded packets in between
        return sorted(all_samples, key=lambda sample: sample.seconds // _CHUNK_SECONDS)
    in_clip = video_samples + audio_samples[first:last]
    in_file_order = sorted(in_clip, key=lambda sample: sample.offset)
    return [*audio_samples[:first], *in_file_order, *audio_samples[last:]]
