"""Normalizing the loudness of many clips, compared with stream copy, ffmpeg's concat and `cat`.

Measured in CPU seconds, which are independent of other load.
"""

import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from common.domain.output import PLAIN, Loudness
from merge import assemble
from merge.audio import loudness
from tests.benchmarks import rivals
from tests.benchmarks.clips import FFMPEG, SECONDS, collected, copies, make
from tests.benchmarks.report import table

_CLIPS, _RUNS = 60, 3
_NORMALIZED = replace(PLAIN, loudness=Loudness.NORMALIZED)
# Differences of the clips from the target in LU.
_KINDS = {"right already": 0, "too quiet, with peaks to limit": -10, "too loud": 6}


def main(*, smallest: bool = False) -> None:
    """Print a line for each kind of audio."""
    count, runs, kinds = (1, 1, 1) if smallest else (_CLIPS, _RUNS, len(_KINDS))
    some = list(_KINDS.items())[:kinds]
    with tempfile.TemporaryDirectory() as name:
        rows = [_measure(Path(name), kind, off, count, runs) for kind, off in some]
    table(
        f"{count} clips of {SECONDS} s with sound: processor-seconds",
        ["sound", "cat", "ffmpeg concat", "auto", "normalized", "normalized/auto"],
        rows,
    )


def _measure(folder: Path, kind: str, off: float, count: int, runs: int) -> list[str]:
    home = Path(tempfile.mkdtemp(dir=folder)) / "clips"
    clips = copies(_write_clip(folder, off), count, home)
    paths = list(clips.values())
    actions: list[Callable[[], object]] = [
        lambda: rivals.cat(paths, home / "cat"),
        lambda: rivals.concat(paths, home / "concat.mp4"),
        lambda: assemble.merge_clips(collected(clips), PLAIN, home),
        lambda: assemble.merge_clips(collected(clips), _NORMALIZED, home),
    ]
    taken: list[list[float]] = [[] for _ in actions]
    for _ in range(runs):
        for action, times in zip(actions, taken, strict=True):
            before = sum(os.times()[:4])
            action()
            times.append(sum(os.times()[:4]) - before)
            for path in set(home.iterdir()) - set(paths):
                path.unlink()
    medians = [statistics.median(times) for times in taken]
    return [kind, *(f"{seconds:.2f}" for seconds in medians), f"{medians[3] / medians[2]:.2f}"]


def _write_clip(folder: Path, off: float) -> Path:
    """Write a clip whose loudness differs from the target by `off` LU."""
    plain, clip = folder / "plain.mp4", folder / f"clip_{off}.mp4"
    if not plain.exists():
        make(plain, sound=True)
    measurement = loudness.measure(["-i", str(plain)])
    gain = loudness.TARGET_LUFS + off - measurement.integrated
    how = ("-c:v", "copy", "-af", f"volume={gain}dB", "-c:a", "aac", "-b:a", "192k")
    command = [FFMPEG, "-v", "error", "-i", str(plain), *how, "-movflags", "+faststart"]
    subprocess.run([*command, "-y", str(clip)], check=True)
    return clip
