"""The plan of a cut: what is done with each clip, and which pictures stand where. Touches nothing.

In: what is known of the clips, and what was asked for. Out: shots, one for each scene, with exact
numbers of pictures. As many clips as can be are copied as they came; the others are made like them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from fractions import Fraction
from pathlib import Path

from common.domain.errors import MediaError
from common.domain.output import MOST_FPS, Format, Output, Size, Transition
from common.media.mp4 import sample_entry
from common.media.mp4.concat import together
from common.media.mp4.movie import Movie

# Rates at which pictures are shown; a rate that was measured is one of them.
_RATES = (
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
_JITTER = Fraction(2, 100)


@dataclass(frozen=True, slots=True)
class ClipProbe:
    """What is known of a scene's clip, or of the picture that is held in its place.

    `size` is in square pixels, upright; `rate` is pictures a second. `movie` is the clip by its own
    index, if it has one that can be joined; else `why` says what is in the way. `sound` is the kind
    of its AAC packets; None if it has no sound, or other sound (`has_sound`). `start` is when its
    first picture is shown, in seconds of the file as ffmpeg reads it, where that is known.
    """

    scene: int
    path: Path
    size: Size
    rate: Fraction
    seconds: Fraction
    movie: Movie | None = None
    why: str = ""
    square: bool = True
    has_sound: bool = False
    sound: tuple[object, ...] | None = None
    is_still: bool = False
    start: Fraction | None = None


class SoundPlan(Enum):
    """What is done with the sound."""

    NONE = "none"
    KEPT = "kept"  # packets as they came
    ENCODED = "encoded"  # all of it, in one piece


@dataclass(frozen=True, slots=True)
class Segment:
    """One scene in the cut. Counts are of pictures; `start` from the beginning of the cut.

    The first `shared` pictures overlap with the scene before.
    """

    facts: ClipProbe
    copied: bool
    reason: str
    start: int
    frames: int
    shared: int = 0


@dataclass(frozen=True, slots=True)
class MergePlan:
    """A cut to be made. `model` is the entry of the clips that are copied, if any are."""

    size: Size
    rate: Fraction
    scale: int
    shots: tuple[Segment, ...]
    sound: SoundPlan
    model: sample_entry.VideoSampleEntry | None

    @property
    def frames(self) -> int:
        """How many pictures the cut has."""
        return self.shots[-1].start + self.shots[-1].frames

    @property
    def seconds(self) -> Fraction:
        """How long the cut lasts."""
        return self.frames / self.rate

    @property
    def step(self) -> int:
        """Ticks from one picture to the next."""
        return int(self.scale / self.rate)

    def own_frames(self, place: int) -> int:
        """Return how many pictures come from the start of a shot to that of the next one."""
        after = self.shots[place + 1].start if place + 1 < len(self.shots) else self.frames
        return after - self.shots[place].start


def plan_merge(
    clips: Sequence[ClipProbe],
    output: Output,
    *,
    rendition_of: MergePlan | None = None,
    copies: bool = True,
) -> MergePlan:
    """Plan the cut of the clips, which are in order; raises MediaError if there are none.

    For a rendition `output.shape` is that of the rendition, and the timing that of the first cut.
    Without `copies` every clip is encoded.
    """
    if not clips:
        raise MediaError("There are no clips to join.", code="merge.nothing")
    leader = _dominant_format(clips)
    if rendition_of is not None:
        size, rate = output.shape.of(rendition_of.size), rendition_of.rate
        whole = "it is another shape of the video"
    else:
        size, rate = output.shape.of(leader.size), output.fps or _slower(leader.rate)
        whole = _whole(output) if copies else "the clips do not go together as they came"
    kept = {} if whole else _stream_copyable(clips, size, rate)
    clock = next(iter(kept.values())).pictures if kept else None
    shots = [
        Segment(facts, copied=True, reason="", start=0, frames=0)
        if facts.scene in kept
        else Segment(
            facts, copied=False, reason=whole or _reason(facts, size, rate), start=0, frames=0
        )
        for facts in clips
    ]
    return MergePlan(
        size=size,
        rate=rate,
        scale=clock.scale if clock else _scale(rate),
        shots=_placed(shots, rate, _overlap(output, rate)),
        sound=_sound(clips, output),
        model=_together(kept.values()),
    )


def steady_rate(pictures: int, seconds: Fraction) -> Fraction:
    """Return the rate of pictures that are shown equally long: the usual one that is meant."""
    measured = pictures / seconds
    nearest = _nearest(measured)
    # Containers that count in milliseconds are off by less than this.
    return nearest if abs(nearest - measured) < nearest / 500 else measured.limit_denominator(1001)


def varying_rate(mean: Fraction, median: Fraction) -> Fraction:
    """Return the usual rate that is meant where pictures are shown for varying times.

    `mean` and `median` are of the times from one picture to the next, in seconds. The rate is the
    nearest usual one within 2 % of the mean, or else of the median (some pictures were dropped), or
    else the next usual one above the mean, so that no picture is lost.
    """
    rates = [1 / step for step in (mean, median) if step]
    for rate in rates:
        # Phones mean whole rates; the others come from devices that keep them exactly.
        near = [usual for usual in _RATES if abs(usual - rate) <= _JITTER * rate]
        exact = [usual for usual in near if abs(usual - rate) <= rate / 5000]
        if near:
            whole = [usual for usual in near if usual.denominator == 1]
            return min(exact or whole or near, key=lambda usual: abs(usual - rate))
    above = (usual for usual in _RATES if rates and usual >= rates[0])
    return next(above, _RATES[-1] if rates else Fraction(1))


def _nearest(measured: Fraction) -> Fraction:
    return min(_RATES, key=lambda rate: abs(rate - measured))


def _dominant_format(clips: Sequence[ClipProbe]) -> ClipProbe:
    """Return the first clip of the kind (size and rate) that fills most of the time."""
    moving = [facts for facts in clips if not facts.is_still] or list(clips)
    seconds: dict[tuple[Size, Fraction], Fraction] = {}
    for facts in moving:
        kind = facts.size, facts.rate
        seconds[kind] = seconds.get(kind, Fraction()) + facts.seconds
    longest = max(seconds, key=lambda kind: seconds[kind])
    return next(facts for facts in moving if (facts.size, facts.rate) == longest)


def _slower(rate: Fraction) -> Fraction:
    """Return a rate that may be made: the same, or half of it, and so on."""
    while rate > MOST_FPS:
        rate /= 2
    return rate


def _scale(rate: Fraction) -> int:
    """Return ticks a second, such that a picture lasts a whole number of them."""
    return rate.numerator * (1 if rate.numerator >= 10_000 else 512)


def _whole(output: Output) -> str:
    """Return why nothing can be copied, if that follows from what was asked."""
    if output.format is not Format.MP4:
        return "the video is not an MP4"
    if output.transition is not Transition.CUT:
        return "the scenes overlap"
    return "captions are burned in" if output.captions_burned else ""


def _reason(facts: ClipProbe, size: Size, rate: Fraction) -> str:
    """Return why a clip differs from the cut that was planned."""
    if facts.is_still:
        return "the picture is held"
    if facts.size != size:
        return f"its size is {_times(facts.size)}, that of the video {_times(size)}"
    if facts.rate != rate:
        return f"it has {float(facts.rate):g} pictures a second, the video {float(rate):g}"
    return facts.why or "its encoder set-up is not that of the other clips"


def _stream_copyable(clips: Sequence[ClipProbe], size: Size, rate: Fraction) -> dict[int, Movie]:
    """Return the clips that can be copied, by scene: the kind that fills most of the time."""
    kinds: dict[tuple[object, ...], dict[int, Movie]] = {}
    for facts in clips:
        movie = facts.movie
        if movie and movie.pictures.entry.avc and (facts.size, facts.rate) == (size, rate):
            kinds.setdefault(movie.pictures.entry.look(), {})[facts.scene] = movie
    if not kinds:
        return {}
    kept = max(
        kinds.values(), key=lambda kind: sum(movie.pictures.seconds for movie in kind.values())
    )
    kept = _agreeing(kept)
    if len(kept) < len(clips):
        # The other clips are made like these, which only square pixels of 8 bits allow.
        model = _together(kept.values())
        squares = all(facts.square for facts in clips if facts.scene in kept)
        if not squares or model is None or model.avc is None or not model.avc.can_be_matched:
            return {}
    return kept


def _agreeing(movies: dict[int, Movie]) -> dict[int, Movie]:
    """Leave out clips whose parameter sets have a number that means another set already."""
    joined, kept = None, {}
    for scene, movie in movies.items():
        own = movie.pictures.entry
        both = own if joined is None else together(joined, own)
        if both is not None:
            joined, kept[scene] = both, movie
    return kept


def _together(movies: Iterable[Movie]) -> sample_entry.VideoSampleEntry | None:
    joined: sample_entry.VideoSampleEntry | None = None
    for movie in movies:
        joined = together(joined or movie.pictures.entry, movie.pictures.entry)
    return joined


def _overlap(output: Output, rate: Fraction) -> int:
    """Return how many pictures two scenes share."""
    if output.transition is Transition.CUT:
        return 0
    return max(1, round(Fraction(output.transition_seconds) * rate))


def _placed(shots: Sequence[Segment], rate: Fraction, overlap: int) -> tuple[Segment, ...]:
    """Count the pictures of each shot, and give it its place.

    A clip that is copied has the pictures that it has. The others end at the picture nearest to
    where they would end, so that rounding never adds up. A scene shares at most half of it with
    each neighbour.
    """
    counts, ideal, made = [], Fraction(0), 0
    for shot in shots:
        movie = shot.facts.movie
        ideal += shot.facts.seconds
        count = max(1, round(ideal * rate) - made)
        if shot.copied and movie is not None:
            count = len(movie.pictures.samples)
            ideal = (made + count) / rate
        counts.append(count)
        made += count
    placed, end = list[Segment](), 0
    for place, shot in enumerate(shots):
        shared = min(overlap, counts[place] // 2, counts[place - 1] // 2) if place else 0
        placed.append(replace(shot, start=end - shared, frames=counts[place], shared=shared))
        end += counts[place] - shared
    return tuple(placed)


def _sound(clips: Sequence[ClipProbe], output: Output) -> SoundPlan:
    """Keep sound as it came if all of it is of one kind and the scenes do not overlap."""
    if not any(facts.has_sound for facts in clips):
        return SoundPlan.NONE
    kinds = {facts.sound for facts in clips if facts.has_sound}
    fits = output.format is Format.MP4 and output.transition is Transition.CUT
    if fits and len(kinds) == 1 and None not in kinds:
        return SoundPlan.KEPT
    return SoundPlan.ENCODED


def _times(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
