"""Time windows of scenes in the merged video, where scenes may overlap. Performs no I/O."""

from collections.abc import Sequence

from merge.models import MergedScene, SceneTreatment


def exclusive_window(scene: MergedScene, scenes: Sequence[MergedScene]) -> tuple[float, float]:
    """Return the start and end, in seconds, of the time when only this scene is visible.

    For a scene that always overlaps with another one, return its `window`.
    """
    start, end = scene.start, scene.start + scene.seconds
    for neighbour in scenes:
        if neighbour is scene or neighbour.how is SceneTreatment.SKIPPED:
            continue
        if neighbour.start < scene.start:
            start = max(start, neighbour.start + neighbour.seconds)
        else:
            end = min(end, neighbour.start)
    return (start, end) if start < end else window(scene, scenes)


def window(scene: MergedScene, scenes: Sequence[MergedScene]) -> tuple[float, float]:
    """Return the start and end, in seconds, of the time that belongs to a scene.

    Transitions are divided in the middle. The window of a skipped scene is empty.
    """
    if scene.how is SceneTreatment.SKIPPED:
        return scene.start, scene.start
    visible = [other for other in scenes if other.how is not SceneTreatment.SKIPPED]
    index = visible.index(scene)
    start, end = scene.start, scene.start + scene.seconds
    if index:
        previous = visible[index - 1]
        start += max(0.0, previous.start + previous.seconds - scene.start) / 2
    if index + 1 < len(visible):
        end -= max(0.0, end - visible[index + 1].start) / 2
    return start, end
