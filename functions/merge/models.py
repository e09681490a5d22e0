"""The nouns of merging: clips that come in, and the cut that goes out. Touches nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from common.domain.output import Size


@dataclass(frozen=True, slots=True)
class Clip:
    """One scene's clip on disk, whatever is in it.

    `frames` is how many pictures were counted when the whole clip was decoded before (as the clip
    function does with every clip that it collects); None if nobody has: then it is decoded now.
    `still` and `seconds` are the scene's picture and the length that was ordered, for a clip that
    turns out to be broken.
    """

    path: Path
    frames: int | None = None
    still: Path | None = None
    seconds: float | None = None


class SceneTreatment(StrEnum):
    """What was done with a scene's clip."""

    COPIED = "copied"  # its encoded pictures are in the cut as they came
    ENCODED = "encoded"  # encoded anew
    STILL = "still"  # broken: the scene's picture is held instead
    SKIPPED = "skipped"  # broken, and left out


@dataclass(frozen=True, slots=True)
class MergedScene:
    """One scene in the cut: what was done and why, and where it lies, in seconds.

    With transitions, scenes overlap: a scene starts before the one before it has ended.
    """

    scene: int
    how: SceneTreatment
    reason: str
    start: float
    seconds: float
    frames: int


Parts = tuple[MergedScene, ...]

Subtitles = Callable[[Parts, Size], Path]
"""Writes the captions to burn in (SRT or ASS), once it is known when each scene begins.

The size is that of the pictures, since a line that fits one shape does not fit another.
"""

Soundtrack = Callable[[Parts, float, Path | None], Path]
"""Writes the sound of the whole cut (48 kHz, stereo, 16 bits), so many seconds of it.

It is given the clips' own sound in the same form, if they have any.
"""


@dataclass(frozen=True, slots=True)
class Rendition:
    """One finished file, verified."""

    path: Path
    size: Size
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MergedVideo:
    """A finished video on disk, verified; `renditions` are the same in other shapes.

    `warnings` tell the owner what differs from the request.
    """

    path: Path
    frames: int
    seconds: float
    size_bytes: int
    sha256: str
    size: Size
    fps: Fraction
    has_sound: bool
    parts: tuple[MergedScene, ...]
    renditions: tuple[Rendition, ...] = ()
    warnings: tuple[str, ...] = ()
