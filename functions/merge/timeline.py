"""Plan a merge: which clips are stream-copied or encoded, and the frames of each. Performs no I/O.

The plan has one segment per scene with an exact number of frames. As many clips as possible are
stream-copied; the others are encoded to match them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from pathlib import Path

from common.domain.errors import MediaError
from common.domain.output import MOST_FPS, Format, Output, Size, Transition
from common.media.mp4 import sample_entry
from common.media.mp4.concat import shared_entry
from common.media.mp4.movie import Movie

# Common frame rates, to which a measured rate is rounded.
_COMMON_RATES = (
    *(Fraction(n) for n in (1, 2, 5, 6, 8, 10, 12, 15)),
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
    Fraction(48),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
    Fraction(100),
    Fraction(120),
)
_RATE_TOLERANCE = Fraction(2, 100)


@dataclass(frozen=True, slots=True)
class ClipProbe:
    """The result of probing a scene's clip, or the still image that replaces it.

    `size` is the upright size in square pixels, `rate` the frames per second. `movie` is the parsed
    index of a clip that can be stream-copied; otherwise `why` is the reason. `sound` is the format
    of the clip's AAC packets; None without audio or with another codec (`has_sound`). `start` is
    the presentation time of the first frame in seconds, as ffmpeg reads the file, if known.
    """

    scene: int
    path: Path
    size: Size
    rate: Fraction
    seconds: Fraction
    movie: Movie | None = None
    why: str = ""
    has_square_pixels: bool = True
    has_sound: bool = False
    sound: tuple[object, ...] | None = None
    is_still: bool = False
    start: Fraction | None = None


class AudioTreatment(Enum):
    """The treatment of the audio."""

    NONE = "none"
    KEPT = "kept"  # stream copy
    ENCODED = "encoded"  # decoded, mixed and encoded as a whole


@dataclass(frozen=True, slots=True)
class Segment:
    """The part of the merged video that shows one scene; counts and positions are in frames.

    The first `shared` frames overlap with the previous scene.
    """

    probe: ClipProbe
    copied: bool
    reason: str
    start: int
    frames: int
    overlap_frames: int = 0


@dataclass(frozen=True, slots=True)
class MergePlan:
    """The plan of a merged video.

    A frame lasts `step` ticks, of which `scale` make a second. `model` is the sample entry of the
    stream-copied clips, which encoded clips must match; None if no clip is copied.
    """

    size: Size
    rate: Fraction
    timescale: int
    segments: tuple[Segment, ...]
    sound: AudioTreatment
    model: sample_entry.VideoSampleEntry | None

    @property
    def frames(self) -> int:
        """The number of frames."""
        return self.segments[-1].start + self.segments[-1].frames

    @property
    def seconds(self) -> Fraction:
        """Duration."""
        return self.frames / self.rate

    @property
    def frame_duration(self) -> int:
        """Duration of a frame in ticks."""
        return int(self.timescale / self.rate)

    def own_frames(self, index: int) -> int:
        """Return the number of frames from the start of a segment to the start of the next one."""
        end = self.segments[index + 1].start if index + 1 < len(self.segments) else self.frames
        return end - self.segments[index].start


def plan_merge(
    clips: Sequence[ClipProbe],
    output: Output,
    *,
    rendition_of: MergePlan | None = None,
    copies: bool = True,
) -> MergePlan:
    """Plan the merge of the clips in the given order; raises MediaError if there are none.

    For a rendition, `output.shape` is that of the rendition and the frame rate that of
    `rendition_of`. With `copies` false, every clip is encoded.
    """
    if not clips:
        raise MediaError("There are no clips to merge.", code="merge.nothing")
    dominant = _dominant_format(clips)
    if rendition_of is not None:
        size, rate = output.shape.of(rendition_of.size), rendition_of.rate
        encode_all_reason = "it is another shape of the video"
    else:
        size, rate = output.shape.of(dominant.size), output.fps or _capped_rate(dominant.rate)
        encode_all_reason = _reason_to_encode_all(output)
        if not copies:
            encode_all_reason = "the clips do not fit together unchanged"
    copyable = {} if encode_all_reason else _stream_copyable(clips, size, rate)
    reference_track = next(iter(copyable.values())).video if copyable else None
    segments = [
        Segment(
            probe=clip,
            copied=clip.scene in copyable,
            reason=""
            if clip.scene in copyable
            else encode_all_reason or _reason_to_encode(clip, size, rate),
            start=0,
            frames=0,
        )
        for clip in clips
    ]
    return MergePlan(
        size=size,
        rate=rate,
        timescale=reference_track.timescale if reference_track else _timescale(rate),
        segments=_place_segments(segments, rate, _overlap_frames(output, rate)),
        sound=_plan_audio(clips, output),
        model=_merged_entry(copyable.values()),
    )


def steady_rate(frames: int, seconds: Fraction) -> Fraction:
    """Return the frame rate of a clip of constant rate, rounded to a common one."""
    measured = frames / seconds
    nearest = _nearest_rate(measured)
    # Rounding of millisecond timestamps causes smaller differences than this.
    return nearest if abs(nearest - measured) < nearest / 500 else measured.limit_denominator(1001)


def varying_rate(mean: Fraction, median: Fraction) -> Fraction:
    """Return the common frame rate for a clip of varying rate.

    `mean` and `median` are of the intervals between frames, in seconds. The result is the nearest
    common rate within 2 % of the mean; or else of the median, if frames were dropped; or else the
    next common rate above the mean, so that no frame is lost.
    """
    rates = [1 / interval for interval in (mean, median) if interval]
    for rate in rates:
        # Phones aim at whole rates. Devices with fractional rates (NTSC) keep them exactly.
        near = [common for common in _COMMON_RATES if abs(common - rate) <= _RATE_TOLERANCE * rate]
        exact = [common for common in near if abs(common - rate) <= rate / 5000]
        if near:
            whole = [common for common in near if common.denominator == 1]
            return min(exact or whole or near, key=lambda common: abs(common - rate))
    above = (common for common in _COMMON_RATES if rates and common >= rates[0])
    return next(above, _COMMON_RATES[-1] if rates else Fraction(1))


def _nearest_rate(measured: Fraction) -> Fraction:
    return min(_COMMON_RATES, key=lambda rate: abs(rate - measured))


def _dominant_format(clips: Sequence[ClipProbe]) -> ClipProbe:
    """Return the first clip of the format (size and rate) with the longest total duration."""
    moving = [clip for clip in clips if not clip.is_still] or list(clips)
    seconds: dict[tuple[Size, Fraction], Fraction] = {}
    for clip in moving:
        clip_format = clip.size, clip.rate
        seconds[clip_format] = seconds.get(clip_format, Fraction()) + clip.seconds
    longest = max(seconds, key=lambda clip_format: seconds[clip_format])
    return next(clip for clip in moving if (clip.size, clip.rate) == longest)


def _capped_rate(rate: Fraction) -> Fraction:
    """Halve the rate until it is at most MOST_FPS."""
    while rate > MOST_FPS:
        rate /= 2
    return rate


def _timescale(rate: Fraction) -> int:
    """Return a timescale in which a frame lasts a whole number of ticks."""
    return rate.numerator * (1 if rate.numerator >= 10_000 else 512)


def _reason_to_encode_all(output: Output) -> str:
    """Return why the output options rule out stream copy; empty if they allow it."""
    if output.format is not Format.MP4:
        return "the video is not an MP4"
    if output.transition is not Transition.CUT:
        return "the scenes overlap"
    return "captions are burned in" if output.captions_burned else ""


def _reason_to_encode(clip: ClipProbe, size: Size, rate: Fraction) -> str:
    """Return why a clip cannot be stream-copied."""
    if clip.is_still:
        return "a still image replaces the clip"
    if clip.size != size:
        return f"its size is {_format_size(clip.size)}, that of the video {_format_size(size)}"
    if clip.rate != rate:
        return f"it has {float(clip.rate):g} frames per second, the video {float(rate):g}"
    return clip.why or "its encoder settings differ from those of the other clips"


def _stream_copyable(clips: Sequence[ClipProbe], size: Size, rate: Fraction) -> dict[int, Movie]:
    """Return the clips to stream-copy, by scene: those of the format with the longest duration."""
    formats: dict[tuple[object, ...], dict[int, Movie]] = {}
    for clip in clips:
        movie = clip.movie
        if movie and movie.video.entry.avc and (clip.size, clip.rate) == (size, rate):
            formats.setdefault(movie.video.entry.format_key(), {})[clip.scene] = movie
    if not formats:
        return {}
    longest = max(
        formats.values(),
        key=lambda movies: sum(movie.video.seconds for movie in movies.values()),
    )
    copyable = _with_compatible_parameter_sets(longest)
    if len(copyable) < len(clips):
        # The other clips are encoded to match, which requires square pixels and 8 bits.
        model = _merged_entry(copyable.values())
        all_square = all(clip.has_square_pixels for clip in clips if clip.scene in copyable)
        if not all_square or model is None or model.avc is None or not model.avc.can_be_encoded:
            return {}
    return copyable


def _with_compatible_parameter_sets(movies: dict[int, Movie]) -> dict[int, Movie]:
    """Leave out clips with parameter sets whose id another clip uses for a different set."""
    merged, copyable = None, {}
    for scene, movie in movies.items():
        entry = movie.video.entry
        candidate = entry if merged is None else shared_entry(merged, entry)
        if candidate is not None:
            merged, copyable[scene] = candidate, movie
    return copyable


def _merged_entry(movies: Iterable[Movie]) -> sample_entry.VideoSampleEntry | None:
    merged: sample_entry.VideoSampleEntry | None = None
    for movie in movies:
        merged = shared_entry(merged or movie.video.entry, movie.video.entry)
    return merged


def _overlap_frames(output: Output, rate: Fraction) -> int:
    """Return the number of frames in which two scenes overlap."""
    if output.transition is Transition.CUT:
        return 0
    return max(1, round(Fraction(output.transition_seconds) * rate))


def _place_segments(
    unplaced: Sequence[Segment], rate: Fraction, overlap: int
) -> tuple[Segment, ...]:
    """Set the start and the number of frames of each segment.

    A stream-copied clip keeps its frames. The others end at the frame nearest to their exact end,
    so that rounding errors do not accumulate. A scene overlaps with each neighbour by at most half
    of its length.
    """
    frame_counts, ideal_end, total = [], Fraction(0), 0
    for segment in unplaced:
        movie = segment.probe.movie
        ideal_end += segment.probe.seconds
        count = max(1, round(ideal_end * rate) - total)
        if segment.copied and movie is not None:
            count = len(movie.video.samples)
            ideal_end = (total + count) / rate
        frame_counts.append(count)
        total += count
    segments, end = list[Segment](), 0
    for index, segment in enumerate(unplaced):
        count = frame_counts[index]
        shared = min(overlap, count // 2, frame_counts[index - 1] // 2) if index else 0
        segments.append(replace(segment, start=end - shared, frames=count, overlap_frames=shared))
        end += count - shared
    return tuple(segments)


def _plan_audio(clips: Sequence[ClipProbe], output: Output) -> AudioTreatment:
    """Choose stream copy if all audio has one format and the scenes do not overlap."""
    if not any(clip.has_sound for clip in clips):
        return AudioTreatment.NONE
    formats = {clip.sound for clip in clips if clip.has_sound}
    is_concatenation = output.format is Format.MP4 and output.transition is Transition.CUT
    if is_concatenation and len(formats) == 1 and None not in formats:
        return AudioTreatment.KEPT
    return AudioTreatment.ENCODED


def _format_size(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
