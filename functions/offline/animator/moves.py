"""Camera paths: the visible window and the parallax shift of each frame."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

MOVES = ("push", "pull", "left", "right", "rise", "sink", "orbit")

_WORDS = (
    ("orbit", r"\borbits?\b|\barcs?\b|\bcircl(?:e|es|ing)\b|\baround\b"),
    ("pull", r"\bpull(?:s|ing)? (?:back|out|away)\b|\bzoom(?:s|ing)? out\b|\bdolly out\b"),
    ("push", r"\bpush(?:es|ing)?\b|\bzoom(?:s|ing)? in\b|\bdolly(?: in)?\b|\bcloser\b"),
    ("left", r"\b(?:pan|pans|panning|truck|trucks|trucking|track|tracks|move|moves) left\b"),
    ("right", r"\b(?:pan|pans|panning|truck|trucks|trucking|track|tracks|move|moves) right\b"),
    ("sink", r"\b(?:sinks?|descends?|lowers?|tilts? down|crane down)\b"),
    ("rise", r"\b(?:rises?|rising|ascends?|lifts?|tilts? up|crane up)\b"),
    ("right", r"\b(?:pans?|panning|trucks?|tracking|drifts?|glides?)\b"),
)
_TIGHT = 1.10
"""Minimum zoom for sideways moves."""


@dataclass(frozen=True, slots=True)
class View:
    """The view of one frame: the window in the image in pixels, and the nearest layer's shift.

    A layer with parallax p is shifted by (p - pivot) * `shift` along the axis of the path.
    """

    left: float
    top: float
    width: float
    height: float
    shift: float


@dataclass(frozen=True, slots=True)
class CameraPath:
    """The views of a clip. `axis` is 0 for horizontal layer shifts, 1 for vertical."""

    move: str
    axis: int
    pivot: float
    views: tuple[View, ...]


def choose(prompt: str, mood_moves: Sequence[str], seed: int, scene: int) -> str:
    """Return the move named in the prompt, or else one of the mood's moves, or else one by seed."""
    for name, pattern in _WORDS:
        if re.search(pattern, prompt, re.IGNORECASE):
            return name
    rng = random.Random(f"move {seed} {scene}")
    known = [name for name in mood_moves if name in MOVES or name == "truck"]
    move = known[scene % len(known)] if known else MOVES[(seed + scene) % len(MOVES)]
    return rng.choice(("left", "right")) if move == "truck" else move


def plan(
    move: str,
    size: tuple[int, int],
    frames: int,
    *,
    speed: float,
    focus: tuple[float, float] = (0.5, 0.55),
    layered: bool = True,
) -> CameraPath:
    """Return the camera path of a move, whose windows and layer shifts stay inside the image.

    `speed` is relative to 1. `focus` is the target of pushes and pulls, as shares of the size.
    """
    pace = min(1.35, max(0.45, speed))
    steps = [_eased(i / max(1, frames - 1)) for i in range(frames)]
    if move in ("push", "pull"):
        return _dolly(move, size, steps, pace, focus, layered)
    if move == "orbit":
        return _orbit(size, steps, pace, layered)
    return _slide(move, size, steps, pace, layered)


def _eased(t: float) -> float:
    """Return an almost linear easing with soft ends, so that transitions do not jerk."""
    return 0.55 * t + 0.45 * (t * t * (3 - 2 * t))


def _window(size: tuple[int, int], zoom: float, centre: tuple[float, float], shift: float) -> View:
    width, height = size[0] / zoom, size[1] / zoom
    left = min(max(0.0, centre[0] - width / 2), size[0] - width)
    top = min(max(0.0, centre[1] - height / 2), size[1] - height)
    return View(left, top, width, height, shift)


def _slide(
    move: str, size: tuple[int, int], steps: list[float], pace: float, layered: bool
) -> CameraPath:
    axis = 0 if move in ("left", "right") else 1
    length = size[axis]
    zoom = _TIGHT + 0.03 * pace
    margin = length * (1 - 1 / zoom) / 2 - 1.5
    total = margin * min(1.0, 0.5 + 0.4 * pace)
    pan = total * (0.34 if layered else 1.0)
    deep = total - pan if layered else 0.0
    sign = -1.0 if move in ("left", "rise") else 1.0
    views = []
    for step in steps:
        side = (2 * step - 1) * sign
        centre = [size[0] / 2, size[1] / 2]
        centre[axis] += pan * side
        views.append(_window(size, zoom, (centre[0], centre[1]), -deep * side))
    return CameraPath(move, axis, 0.0, tuple(views))


def _dolly(
    move: str,
    size: tuple[int, int],
    steps: list[float],
    pace: float,
    focus: tuple[float, float],
    layered: bool,
) -> CameraPath:
    near, far = 1.05 + 0.13 * pace, 1.05
    deep = size[1] * 0.032 * pace if layered else 0.0
    views = []
    for step in steps:
        share = step if move == "push" else 1 - step
        # Perceptually uniform zoom: equal ratios in equal times.
        zoom = far * (near / far) ** share
        aim = 0.75 * share
        centre = (
            size[0] * (0.5 + (focus[0] - 0.5) * aim),
            size[1] * (0.5 + (focus[1] - 0.5) * aim),
        )
        window = _window(size, zoom, centre, deep * share)
        top = max(window.top, deep * share + 1.5)  # nearer layers sink; stay below their upper edge
        top = min(top, size[1] - window.height)
        views.append(View(window.left, top, window.width, window.height, deep * share))
    return CameraPath(move, 1, 0.0, tuple(views))


def _orbit(size: tuple[int, int], steps: list[float], pace: float, layered: bool) -> CameraPath:
    pivot = 0.7
    views = []
    for step in steps:
        side = 2 * step - 1
        zoom = 1.13 + 0.035 * pace * (1 - side * side)
        margin = size[0] * (1 - 1 / 1.13) / 2 - 1.5
        deep = margin / pivot * min(1.0, 0.5 + 0.42 * pace) if layered else 0.0
        pan = 0.0 if layered else margin * 0.8
        centre = (size[0] / 2 + pan * side, size[1] * 0.5)
        views.append(_window(size, zoom, centre, -deep * side))
    return CameraPath("orbit", 0, pivot, tuple(views))
