"""How a video differs from its clips, or from the request, in words for its owner."""

from collections.abc import Iterator, Mapping

from common.domain.output import MOST_FPS, Output, Transition
from common.media.ffmpeg import Look
from merge import filters
from merge.models import Parts, SceneTreatment
from merge.timeline import MergePlan


def of_cut(
    plan: MergePlan, parts: Parts, output: Output, looks: Mapping[int, Look]
) -> Iterator[str]:
    """Yield a warning for each substitution; `looks` are of the clips that were encoded."""
    for part in parts:
        if part.how is SceneTreatment.SKIPPED:
            yield (
                f"Scene {part.scene} is left out with its sound and captions, because its clip is "
                f"broken: {part.reason}"
            )
        elif part.how is SceneTreatment.STILL:
            yield (
                f"Scene {part.scene} shows its picture, which does not move, because its clip is "
                f"broken: {part.reason}"
            )
    for one in plan.shots:
        scene = one.facts.scene
        if output.fps is None and one.facts.rate > MOST_FPS:
            yield (
                f"Scene {scene}: the clip has {float(one.facts.rate):g} frames a second; at most "
                f"{MOST_FPS} are made."
            )
        if scene in looks and filters.is_high_dynamic(looks[scene]):
            yield f"Scene {scene}: the clip is HDR; it was converted to SDR (BT.709)."
    yield from _of_transitions(plan, output)


def _of_transitions(plan: MergePlan, output: Output) -> Iterator[str]:
    """Yield the transitions for which a scene is too short."""
    if output.transition is Transition.CUT:
        return
    for one in plan.shots[1:]:
        seconds = float(one.shared / plan.rate)
        if seconds < output.transition_seconds - 1 / float(plan.rate):
            yield (
                f"Scene {one.facts.scene}: the transition into it takes {seconds:.2f} s instead of "
                f"{output.transition_seconds:g} s, which is half of the shorter scene."
            )
