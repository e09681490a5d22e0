"""Select poster frames of a video or a scene, avoiding blank frames.

A clip that fades in from black or white begins with blank frames. Frames are compared by a grid of
grey values: a blank frame has nearly the same value everywhere, or is dark everywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.media import ffmpeg, ffmpeg_process
from merge.models import MergedScene, SceneTreatment
from merge.scene_windows import exclusive_window

GRID = "scale=32:18:flags=area,format=gray"
GRID_BYTES = 32 * 18
_TIMEOUT_SECONDS = 120
_IGNORED_VALUES = GRID_BYTES // 20  # outliers: the darkest and the brightest twentieth
_LEVELS_PER_STEP = 8  # smaller differences are ignored
_MIN_CONTRAST, _MIN_BRIGHTNESS = 40, 96


@dataclass(frozen=True, slots=True, order=True)
class Contrast:
    """The contrast of a frame, ordered by that without outliers, then by that of all values."""

    typical: int
    total: int
    is_blank: bool


def contrast(grid: bytes) -> Contrast:
    """Return the contrast of a frame's grid."""
    values = sorted(grid)
    dark, bright = values[_IGNORED_VALUES], values[-_IGNORED_VALUES - 1]
    is_blank = bright - dark < _MIN_CONTRAST or bright < _MIN_BRIGHTNESS
    typical, total = bright - dark, values[-1] - values[0]
    return Contrast(typical // _LEVELS_PER_STEP, total // _LEVELS_PER_STEP, is_blank)


def read_grids(path: Path) -> list[bytes]:
    """Read the grids from a file of raw video that ffmpeg wrote with the filters GRID."""
    data = path.read_bytes()
    return [data[start : start + GRID_BYTES] for start in range(0, len(data), GRID_BYTES)]


def contrast_at(video: Path, seconds: float, scratch: Path) -> Contrast:
    """Return the contrast of the frame at a time."""
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
        timeout=_TIMEOUT_SECONDS,
        memory=ffmpeg_process.LARGE,
    )
    frames = read_grids(target)
    return contrast(frames[0]) if frames else Contrast(0, 0, is_blank=True)


def best_frame(
    video: Path, scene: MergedScene, scenes: Sequence[MergedScene], scratch: Path
) -> tuple[Contrast, float]:
    """Return the highest contrast of a scene's frames, and the time of that frame in seconds.

    Frames in transitions are left out.
    """
    start, end = exclusive_window(scene, scenes)
    frame_seconds = scene.seconds / scene.frames
    target = scratch / f"grids_{scene.scene:03d}.gray"
    ffmpeg.run(
        [
            "-ss",
            f"{max(0.0, start - frame_seconds / 2):.6f}",
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
        timeout=_TIMEOUT_SECONDS,
        memory=ffmpeg_process.LARGE,
    )
    frames = [contrast(grid) for grid in read_grids(target)] or [Contrast(0, 0, is_blank=True)]
    target.unlink()
    best = max(frames)
    # Half a frame earlier, because seeking selects the first frame at or after the time.
    return best, max(0.0, start + (frames.index(best) - 0.5) * frame_seconds)


def visible_scenes(scenes: Sequence[MergedScene]) -> list[MergedScene]:
    """Return the scenes that were not skipped."""
    return [scene for scene in scenes if scene.how is not SceneTreatment.SKIPPED]
