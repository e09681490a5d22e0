"""Encode one segment that is not stream-copied, with the transition into it."""

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
from common.media.mp4.sample_entry import AvcConfig
from merge import filters, still_image
from merge.filters import TargetFrame
from merge.timeline import ClipProbe, MergePlan

PREFIX = "shot_"
"""Prefix of the names of files with encoded segments."""

_TIMEOUT_SECONDS = 800
_REDUCED_LOOKAHEAD_PIXELS = 2560 * 1440  # above it, x264 gets a shorter lookahead, to save memory
_KEYFRAME_SECONDS = 2  # keyframe interval, which limits how far a player must decode to seek
_PROFILES = {66: "baseline", 77: "main", 100: "high"}
_H264 = ("-c:v", "libx264", "-preset", "veryfast", "-crf", "20")
# Realtime is five times faster than `good`, for a fifth more bytes at the same SSIM of 0.98.
# CRF 24 is as similar to the clips as H.264 at 20, and takes a fifth more time than CRF 31.
_VP9 = (
    *("-c:v", "libvpx-vp9", "-b:v", "0", "-crf", "24", "-deadline", "realtime", "-cpu-used", "6"),
    *("-row-mt", "1", "-tile-columns", "1"),
)


class SceneFailed(MediaError):
    """The clip of a scene could not be encoded. `reason` does not name the scene."""

    scene: int

    def __init__(self, scene: int, reason: str, code: str) -> None:
        super().__init__(
            f"The clip of scene {scene} cannot be encoded for the merged video: {reason}", code=code
        )
        self.scene = scene
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EncodeContext:
    """Settings shared by all encoded segments of a merge."""

    plan: MergePlan
    output: Output
    target: TargetFrame
    frame_formats: Mapping[int, ffmpeg.FrameFormat]  # by scene
    captions: Path | None
    fonts: Path | None
    scratch: Path
    threads: int


def encode(context: EncodeContext, index: int) -> Movie:
    """Encode the frames from the start of a segment to the start of the next one.

    Raises SceneFailed if that fails or the result differs from the plan.
    """
    plan, segment = context.plan, context.plan.segments[index]
    frame_count = plan.own_frames(index)
    width, height = plan.size
    target = context.scratch / f"{PREFIX}{width}x{height}_{index:03d}.mp4"
    try:
        ffmpeg.run(
            [
                *("-filter_threads", "1", "-filter_complex_threads", str(_filter_threads(plan))),
                *_inputs(context, index),
                *("-filter_complex", _filter_graph(context, index), "-map", "[out]"),
                *_encoder(context),
                *("-threads", str(context.threads), "-frames:v", str(frame_count)),
                *("-video_track_timescale", str(plan.timescale), "-map_metadata", "-1"),
                *("-fps_mode", "passthrough", "-f", "mp4", "-y", str(target)),
            ],
            timeout=_TIMEOUT_SECONDS,
            memory=_memory(context, index),
        )
        encoded = _with_reference_colour(movie.read(target), plan)
    except (MediaError, NotConcatenable) as error:
        code = error.error_code if isinstance(error, MediaError) else "merge.encoding"
        if code == MediaError.code:
            code = "merge.encoding"
        reason = error.detail if isinstance(error, MediaError) else f"the result {error}."
        raise SceneFailed(segment.probe.scene, reason, code) from error
    _require_planned_format(encoded, plan, segment.probe, frame_count)
    return encoded


def _with_reference_colour(encoded: Movie, plan: MergePlan) -> Movie:
    """Return the encoded segment with the colour boxes of the stream-copied clips.

    It was encoded in their colours, but encoders differ in how they write colour boxes.
    """
    if plan.model is None:
        return encoded
    entry = replace(encoded.video.entry, extension_boxes=plan.model.extension_boxes)
    return replace(encoded, video=replace(encoded.video, entry=entry))


def _require_planned_format(
    encoded: Movie, plan: MergePlan, clip: ClipProbe, frame_count: int
) -> None:
    video = encoded.video
    size = (video.entry.width, video.entry.height)
    if len(video.samples) != frame_count or video.rate != plan.rate or size != plan.size:
        raise SceneFailed(
            clip.scene,
            f"the result has {len(video.samples)} frames of {size[0]}x{size[1]} instead of "
            f"{frame_count} of {plan.size[0]}x{plan.size[1]}, or another frame rate.",
            "merge.encoding",
        )
    if plan.model is not None and concat.shared_entry(plan.model, video.entry) is None:
        raise MediaError(
            f"Scene {clip.scene} was encoded, but its settings do not match the other clips.",
            code="merge.encoding",
        )


def _inputs(context: EncodeContext, index: int) -> list[str]:
    segments, segment = context.plan.segments, context.plan.segments[index]
    clips = (
        [segments[index - 1].probe, segment.probe] if segment.overlap_frames else [segment.probe]
    )
    return [argument for clip in clips for argument in _input_arguments(clip)]


def _input_arguments(clip: ClipProbe) -> list[str]:
    return still_image.source(clip.path) if clip.is_still else ffmpeg.source(clip.path)


def _stream_index(clip: ClipProbe) -> int:
    """Return the index of the clip's video stream in its file."""
    return 0 if clip.is_still else ffmpeg.video_index(clip.path)


def _filter_graph(context: EncodeContext, index: int) -> str:
    plan, segment = context.plan, context.plan.segments[index]
    frame_count = plan.own_frames(index)
    input_index = 1 if segment.overlap_frames else 0
    frame_format = context.frame_formats[segment.probe.scene]
    stream_index = _stream_index(segment.probe)
    input_label = f"{input_index}:{stream_index}"
    chains = [filters.conform(input_label, frame_format, context.target, range(frame_count), "own")]
    stream = "[own]"
    if segment.overlap_frames:
        previous = plan.segments[index - 1]
        overlap = range(previous.frames - segment.overlap_frames, previous.frames)
        previous_format = context.frame_formats[previous.probe.scene]
        stream_index = _stream_index(previous.probe)
        input_label = f"0:{stream_index}"
        chains.append(
            filters.conform(input_label, previous_format, context.target, overlap, "before")
        )
        transition = context.output.transition
        blend = filters.blend("before", "own", transition, segment.overlap_frames, plan.rate)
        chains.append(f"{blend}[blended]")
        stream = "[blended]"
    if context.captions is not None:
        start = Fraction(segment.start) / plan.rate
        burned = filters.burn_captions(context.captions, context.fonts, start)
        chains.append(f"{stream}{burned},format=yuv420p[out]")
    else:
        chains.append(f"{stream}format=yuv420p[out]")
    return ";".join(chains)


def _encoder(context: EncodeContext) -> list[str]:
    plan, keyframe_interval = context.plan, str(round(_KEYFRAME_SECONDS * context.plan.rate))
    if context.output.format is Format.WEBM:
        return [*_VP9, "-g", keyframe_interval]
    avc: AvcConfig | None = plan.model.avc if plan.model else None
    profile = _PROFILES[avc.profile] if avc else "high"
    # An unused id allows its parameter sets beside those of the stream-copied clips.
    parameter_set_id = avc.unused_parameter_set_id if avc else 0
    lookahead = ":rc-lookahead=10:sync-lookahead=0" if _is_large(plan) else ""
    x264 = f"sps-id={parameter_set_id}{lookahead}"
    return [*_H264, "-profile:v", profile, "-x264-params", x264, "-g", keyframe_interval]


def _is_large(plan: MergePlan) -> bool:
    return plan.size[0] * plan.size[1] > _REDUCED_LOOKAHEAD_PIXELS


def _filter_threads(plan: MergePlan) -> int:
    return 1 if _is_large(plan) else ffmpeg_process.cores()


def _memory(context: EncodeContext, index: int) -> int:
    """Estimate the memory of an encode in MiB, from the frame sizes of output and inputs.

    Measured (docs/decisions/0014), plus a tenth. The memory budget limits concurrent encodes.
    """
    plan, segment = context.plan, context.plan.segments[index]
    megapixels = plan.size[0] * plan.size[1] / 1_000_000
    clips = (
        [plan.segments[index - 1].probe, segment.probe]
        if segment.overlap_frames
        else [segment.probe]
    )
    mebibytes = 300 + (110 if context.output.format is Format.WEBM else 90) * megapixels
    if segment.overlap_frames:
        mebibytes += 180 + 55 * megapixels
    for clip in clips:
        frame_format = context.frame_formats[clip.scene]
        per_megapixel = 110 if filters.needs_colour_conversion(frame_format) else 25
        mebibytes += per_megapixel * frame_format.width * frame_format.height / 1_000_000
    return round(mebibytes)
