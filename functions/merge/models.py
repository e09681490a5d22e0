"""Inputs and results of a merge: clips, and the merged video. Performs no I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from common.domain.output import Size


@dataclass(frozen=True, slots=True)
class Clip:
    """A scene's clip on disk, not yet probed.

    `frames` is the number of frames counted when the whole clip was decoded before, as the clip
    function does with every clip it collects. If it is None, the merge decodes the clip. `still`
    and `seconds` are the scene's image and the requested duration; they replace a broken clip.
    """

    path: Path
    frames: int | None = None
    still: Path | None = None
    seconds: float | None = None


class SceneTreatment(StrEnum):
    """The treatment of a scene's clip in the merge."""

    COPIED = "copied"  # stream copy
    ENCODED = "encoded"  # transcoded
    STILL = "still"  # broken, and replaced by the scene's image
    SKIPPED = "skipped"  # broken, and left out


@dataclass(frozen=True, slots=True)
class MergedScene:
    """A scene in the merged video: its treatment with the reason, its start and its duration.

    With transitions, scenes overlap: a scene starts before the previous one has ended.
    """

    scene: int
    how: SceneTreatment
    reason: str
    start: float
    seconds: float
    frames: int


MergedScenes = tuple[MergedScene, ...]

Subtitles = Callable[[MergedScenes, Size], Path]
"""Write the captions to burn in (SRT or ASS), given the scenes and the size of the frame.

Called once the start of each scene is known. Line lengths depend on the frame size.
"""

Soundtrack = Callable[[MergedScenes, float, Path | None], Path]
"""Write the audio of the merged video (48 kHz, stereo, 16 bits) and return its path.

The arguments are the scenes, the duration in seconds, and the clips' audio in the same format, or
None if the clips have no audio.
"""


@dataclass(frozen=True, slots=True)
class Rendition:
    """A finished and verified file in one frame size."""

    path: Path
    size: Size
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class MergedVideo:
    """A finished and verified video on disk, with its renditions in other shapes.

    `warnings` are sentences for the owner about differences from the request.
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
