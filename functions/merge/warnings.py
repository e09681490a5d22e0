"""Warnings for the owner about how a video differs from its clips or from the request."""

from collections.abc import Iterator, Mapping

from common.domain.output import MOST_FPS, Output, Transition
from common.media.ffmpeg import FrameFormat
from merge import filters
from merge.models import MergedScenes, SceneTreatment
from merge.timeline import MergePlan


def of_merge(
    plan: MergePlan, scenes: MergedScenes, output: Output, frame_formats: Mapping[int, FrameFormat]
) -> Iterator[str]:
    """Yield a warning for each substitution. `frame_formats` are those of the encoded clips."""
    for scene in scenes:
        if scene.how is SceneTreatment.SKIPPED:
            yield (
                f"Scene {scene.scene} is left out with its sound and captions, because its clip is "
                f"broken: {scene.reason}"
            )
        elif scene.how is SceneTreatment.STILL:
            yield (
                f"Scene {scene.scene} shows its image as a still, because its clip is broken: "
                f"{scene.reason}"
            )
    for segment in plan.segments:
        number, rate = segment.probe.scene, segment.probe.rate
        if output.fps is None and rate > MOST_FPS:
            yield (
                f"Scene {number}: the clip has {float(rate):g} frames per second; "
                f"the maximum of the video is {MOST_FPS}."
            )
        if number in frame_formats and filters.is_hdr(frame_formats[number]):
            yield f"Scene {number}: the clip is HDR; it was converted to SDR (BT.709)."
    yield from _of_transitions(plan, output)


def _of_transitions(plan: MergePlan, output: Output) -> Iterator[str]:
    """Yield a warning for each transition that was shortened because of a short scene."""
    if output.transition is Transition.CUT:
        return
    for segment in plan.segments[1:]:
        number, seconds = segment.probe.scene, float(segment.overlap_frames / plan.rate)
        if seconds < output.transition_seconds - 1 / float(plan.rate):
            yield (
                f"Scene {number}: the transition into it takes {seconds:.2f} s "
                f"instead of {output.transition_seconds:g} s, which is half of the shorter scene."
            )
