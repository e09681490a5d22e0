"""Encoding one shot: the pictures of a scene that are not copied, and the overlap before them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from common.domain.errors import MediaError
from common.domain.output import Format, Output
from common.media import ffmpeg, ffmpeg_process
from common.media.mp4 import concat, movie
from common.media.mp4.boxes import NotConcatenable
from common.media.mp4.movie import Movie
from common.media.mp4.sample_entry import Avc
from merge import filters, still_image
from merge.filters import Frame
from merge.timeline import ClipProbe, MergePlan

PREFIX = "shot_"
"""How the names of files with encoded shots begin."""

_SECONDS = 800
_THIN_PIXELS = 2560 * 1440  # above this, x264 looks less far ahead, to save memory
_KEY_SECONDS = 2  # a player can go to any place within this
_PROFILES = {66: "baseline", 77: "main", 100: "high"}
_H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20")
# Five times faster than `good`, for a fifth more bytes at the same likeness (SSIM 0.98).
# At crf 24 it is as like the clips as H.264 at 20, for a fifth more time than at 31.
_VP9 = (
    *("-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "24", "-deadline", "realtime", "-cpu-used", "6"),
    *("-row-mt", "1", "-tile-columns", "1"),
)


class SceneFailed(MediaError):
    """The clip of a scene could not be encoded; `reason` says why, without naming the scene."""

    scene: int

    def __init__(self, scene: int, reason: str, code: str) -> None:
        super().__init__(
            f"The clip of scene {scene} cannot be brought into the video: {reason}", code=code
        )
        self.scene = scene
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EncodeContext:
    """What all shots of a cut are encoded with."""

    plan: MergePlan
    output: Output
    frame: Frame
    looks: Mapping[int, ffmpeg.Look]  # by scene
    captions: Path | None
    fonts: Path | None
    scratch: Path
    threads: int


def encode(bench: EncodeContext, place: int) -> Movie:
    """Encode the pictures from the start of a shot to that of the next one.

    Raises MediaError, naming the scene, if it does not come to what was planned.
    """
    plan, shot = bench.plan, bench.plan.shots[place]
    wanted = plan.own_frames(place)
    width, height = plan.size
    target = bench.scratch / f"{PREFIX}{width}x{height}_{place:03d}.mp4"
    try:
        ffmpeg.run(
            [
                *("-filter_threads", "1", "-filter_complex_threads", str(_filter_threads(plan))),
                *_inputs(bench, place),
                *("-filter_complex", _graph(bench, place), "-map", "[out]"),
                *(*_encoder(bench), "-threads", str(bench.threads), "-frames:v", str(wanted)),
                *("-video_track_timescale", str(plan.scale), "-map_metadata", "-1"),
                *("-fps_mode", "passthrough", "-f", "mp4", "-y", str(target)),
            ],
            timeout=_SECONDS,
            memory=_memory(bench, place),
        )
        made = _as_model(movie.read(target), plan)
    except (MediaError, NotConcatenable) as error:
        code = error.error_code if isinstance(error, MediaError) else "merge.encoding"
        if code == MediaError.code:
            code = "merge.encoding"
        reason = error.detail if isinstance(error, MediaError) else f"what came out {error}."
        raise SceneFailed(shot.facts.scene, reason, code) from error
    _check(made, plan, shot.facts, wanted)
    return made


def _as_model(made: Movie, plan: MergePlan) -> Movie:
    """Return it with the colour boxes of the clips that are copied.

    It was encoded in their colours. Not every program writes these into the entry, nor in one form.
    """
    if plan.model is None:
        return made
    entry = replace(made.pictures.entry, extras=plan.model.extras)
    return replace(made, pictures=replace(made.pictures, entry=entry))


def _check(made: Movie, plan: MergePlan, facts: ClipProbe, wanted: int) -> None:
    pictures = made.pictures
    size = (pictures.entry.width, pictures.entry.height)
    if len(pictures.samples) != wanted or pictures.rate != plan.rate or size != plan.size:
        raise SceneFailed(
            facts.scene,
            f"it came out with {len(pictures.samples)} pictures of {size[0]}x{size[1]} instead of "
            f"{wanted} of {plan.size[0]}x{plan.size[1]}, or with another rate.",
            "merge.encoding",
        )
    if plan.model is not None and concat.together(plan.model, pictures.entry) is None:
        raise MediaError(
            f"Scene {facts.scene} came out with another encoder set-up than the clips beside it.",
            code="merge.encoding",
        )


def _inputs(bench: EncodeContext, place: int) -> list[str]:
    shots, shot = bench.plan.shots, bench.plan.shots[place]
    opened = [shots[place - 1].facts, shot.facts] if shot.shared else [shot.facts]
    return [part for facts in opened for part in _source(facts)]


def _source(facts: ClipProbe) -> list[str]:
    return still_image.source(facts.path) if facts.is_still else ffmpeg.source(facts.path)


def _stream(facts: ClipProbe) -> int:
    """Return the index of the video stream in the file."""
    return 0 if facts.is_still else ffmpeg.video_index(facts.path)


def _graph(bench: EncodeContext, place: int) -> str:
    plan, shot = bench.plan, bench.plan.shots[place]
    wanted = plan.own_frames(place)
    number = 1 if shot.shared else 0
    own = bench.looks[shot.facts.scene]
    opened = f"{number}:{_stream(shot.facts)}"
    parts = [filters.brought_in(opened, own, bench.frame, range(wanted), "own")]
    stream = "[own]"
    if shot.shared:
        before = plan.shots[place - 1]
        tail = range(before.frames - shot.shared, before.frames)
        look = bench.looks[before.facts.scene]
        opened = f"0:{_stream(before.facts)}"
        parts.append(filters.brought_in(opened, look, bench.frame, tail, "before"))
        transition = bench.output.transition
        blend = filters.blended("before", "own", transition, shot.shared, plan.rate)
        parts.append(f"{blend}[blended]")
        stream = "[blended]"
    if bench.captions is not None:
        start = Fraction(shot.start) / plan.rate
        parts.append(
            f"{stream}{filters.captioned(bench.captions, bench.fonts, start)},format=yuv420p[out]"
        )
    else:
        parts.append(f"{stream}format=yuv420p[out]")
    return ";".join(parts)


def _encoder(bench: EncodeContext) -> list[str]:
    plan, keys = bench.plan, str(round(_KEY_SECONDS * bench.plan.rate))
    if bench.output.format is Format.WEBM:
        return [*_VP9, "-g", keys]
    avc: Avc | None = plan.model.avc if plan.model else None
    profile = _PROFILES[avc.profile] if avc else "high"
    # Its own number lets its parameter sets stand beside those of clips that are copied.
    number = avc.free_number if avc else 0
    thin = ":rc-lookahead=10:sync-lookahead=0" if _is_large(plan) else ""
    return [*_H264, "-profile:v", profile, "-x264-params", f"sps-id={number}{thin}", "-g", keys]


def _is_large(plan: MergePlan) -> bool:
    return plan.size[0] * plan.size[1] > _THIN_PIXELS


def _filter_threads(plan: MergePlan) -> int:
    return 1 if _is_large(plan) else ffmpeg_process.cores()


def _memory(bench: EncodeContext, place: int) -> int:
    """Return how many MiB a shot takes, by its size and that of its clips.

    Measured (docs/decisions/0014), with a tenth added. The budget lets as many shots run as fit.
    """
    plan, shot = bench.plan, bench.plan.shots[place]
    millions = plan.size[0] * plan.size[1] / 1_000_000
    facts = [plan.shots[place - 1].facts, shot.facts] if shot.shared else [shot.facts]
    needed = 300 + (110 if bench.output.format is Format.WEBM else 90) * millions
    if shot.shared:
        needed += 180 + 55 * millions
    for one in facts:
        look = bench.looks[one.scene]
        each = 110 if filters.is_converted(look) else 25
        needed += each * look.width * look.height / 1_000_000
    return round(needed)
