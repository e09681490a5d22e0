"""Which part of the video belongs to which scene, where scenes overlap. Touches nothing."""

from collections.abc import Sequence

from merge.models import MergedScene, SceneTreatment


def own_window(part: MergedScene, parts: Sequence[MergedScene]) -> tuple[float, float]:
    """Return from when to when, in seconds, the video shows this scene alone.

    A scene that overlaps with others all the time has the time in which it is shown most.
    """
    start, end = part.start, part.start + part.seconds
    shown = [one for one in parts if one.how is not SceneTreatment.SKIPPED and one is not part]
    for other in shown:
        if other.start < part.start:
            start = max(start, other.start + other.seconds)
        else:
            end = min(end, other.start)
    return (start, end) if start < end else window(part, parts)


def window(part: MergedScene, parts: Sequence[MergedScene]) -> tuple[float, float]:
    """Return from when to when, in seconds, the video is more this scene than another.

    In a transition that is until its middle. A scene that was left out has no time.
    """
    if part.how is SceneTreatment.SKIPPED:
        return part.start, part.start
    shown = [one for one in parts if one.how is not SceneTreatment.SKIPPED]
    place = shown.index(part)
    start, end = part.start, part.start + part.seconds
    if place:
        before = shown[place - 1]
        start += max(0.0, before.start + before.seconds - part.start) / 2
    if place + 1 < len(shown):
        end -= max(0.0, end - shown[place + 1].start) / 2
    return start, end
