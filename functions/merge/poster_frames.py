"""Choosing the picture that stands for a video or a scene: never a blank one if there is another.

A clip that fades in from black, or from white, begins with nothing to see. Pictures are judged by a
grid of grey values: a blank one has the same value nearly everywhere, or is dark everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.media import ffmpeg, ffmpeg_process
from merge.models import MergedScene, SceneTreatment
from merge.scene_windows import own_window

GRID = "scale=32:18:flags=area,format=gray"
GRID_BYTES = 32 * 18
_SEARCH_SECONDS = 120
_EDGE = GRID_BYTES // 20  # the darkest and the brightest twentieth are left out
_ALIKE = 8  # levels that make no difference
_LEAST_CONTRAST, _LEAST_BRIGHTNESS = 40, 96


@dataclass(frozen=True, slots=True, order=True)
class Contrast:
    """How much there is to see, for comparison: of most of the picture, then of all of it."""

    most: int
    whole: int
    is_blank: bool


def contrast(grid: bytes) -> Contrast:
    """Judge a picture by its grid."""
    values = sorted(grid)
    low, high = values[_EDGE], values[-_EDGE - 1]
    is_blank = high - low < _LEAST_CONTRAST or high < _LEAST_BRIGHTNESS
    return Contrast((high - low) // _ALIKE, (values[-1] - values[0]) // _ALIKE, is_blank)


def grids(path: Path) -> list[bytes]:
    """Return the grids in a file that ffmpeg wrote with the filters GRID as raw video."""
    data = path.read_bytes()
    return [data[at : at + GRID_BYTES] for at in range(0, len(data), GRID_BYTES)]


def at(video: Path, seconds: float, scratch: Path) -> Contrast:
    """Judge the picture of the video that is shown at a time."""
    target, stream = scratch / f"grid_{seconds:.3f}.gray", f"0:{ffmpeg.video_index(video)}"
    ffmpeg.run(
        [
            "-ss",
            f"{seconds:.6f}",
            *ffmpeg.source(video),
            "-map",
            stream,
            "-frames:v",
            "1",
            "-vf",
            GRID,
            "-f",
            "rawvideo",
            "-y",
            str(target),
        ],
        timeout=_SEARCH_SECONDS,
        memory=ffmpeg_process.LARGE,
    )
    found = grids(target)
    return contrast(found[0]) if found else Contrast(0, 0, is_blank=True)


def best(
    video: Path, part: MergedScene, parts: Sequence[MergedScene], scratch: Path
) -> tuple[Contrast, float]:
    """Look at every picture of a scene; return how much there is to see in the best, and when.

    Of a scene that overlaps with others only the pictures are looked at that are its own.
    """
    start, end = own_window(part, parts)
    step = part.seconds / part.frames
    target = scratch / f"grids_{part.scene:03d}.gray"
    ffmpeg.run(
        [
            "-ss",
            f"{max(0.0, start - step / 2):.6f}",
            "-t",
            f"{end - start:.6f}",
            *ffmpeg.source(video),
            "-map",
            f"0:{ffmpeg.video_index(video)}",
            "-vf",
            GRID,
            "-fps_mode",
            "passthrough",
            "-f",
            "rawvideo",
            "-y",
            str(target),
        ],
        timeout=_SEARCH_SECONDS,
        memory=ffmpeg_process.LARGE,
    )
    found = [contrast(grid) for grid in grids(target)] or [Contrast(0, 0, is_blank=True)]
    target.unlink()
    most = max(found)
    # Half a picture earlier, since that is the first one which is not before it.
    return most, max(0.0, start + (found.index(most) - 0.5) * step)


def shown(parts: Sequence[MergedScene]) -> list[MergedScene]:
    """Return the scenes that are in the video."""
    return [part for part in parts if part.how is not SceneTreatment.SKIPPED]
