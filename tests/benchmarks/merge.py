"""Merging matching clips, against copying their bytes and against encoding them anew."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from common import ffmpeg
from common.output import PLAIN
from merge import assembly
from merge.cut import Clip
from tests.benchmarks.report import side_by_side, table

_SECONDS = 5
_PICTURE = "mandelbrot=s=1280x720:r=24"  # detail everywhere: about 7 Mbit/s, as of real clips


def main() -> None:
    """Print the ratios for 6 and 60 clips."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        ffmpeg.run(
            [
                *("-f", "lavfi", "-i", _PICTURE, "-t", str(_SECONDS), "-c:v", "libx264"),
                *("-preset", "veryfast", "-b:v", "7500k", "-pix_fmt", "yuv420p"),
                *("-movflags", "+faststart", "-y", str(clip)),
            ],
            timeout=120,
        )
        for count, runs in ((6, 5), (60, 3)):
            rows.append(_measure(clip, count, runs, Path(folder) / str(count)))
    table(
        f"Merge of matching clips (1280x720, {_SECONDS} s each): seconds, and ratios side by side",
        ["clips", "MB", "cat", "merge", "encode", "merge / cat", "merge / encode", "x real time"],
        rows,
    )


def _measure(clip: Path, count: int, runs: int, folder: Path) -> list[str]:
    folder.mkdir()
    clips = {n: folder / f"clip_{n:03d}.mp4" for n in range(1, count + 1)}
    for path in clips.values():
        shutil.copyfile(clip, path)

    def cat() -> None:
        with (folder / "cat").open("wb") as out:
            for path in clips.values():
                with path.open("rb") as part:
                    shutil.copyfileobj(part, out, 1024 * 1024)

    def encode() -> None:
        listing = folder / "all.txt"
        listing.write_text("".join(f"file {path.name}\n" for path in clips.values()))
        ffmpeg.run(
            [
                *("-f", "concat", "-safe", "1", "-i", str(listing), "-c:v", "libx264"),
                *("-preset", "veryfast", "-movflags", "+faststart", "-y", str(folder / "e.mp4")),
            ],
            timeout=900,
        )

    actions: dict[str, Callable[[], object]] = {
        "cat": cat,
        "merge": lambda: assembly.join({n: Clip(path) for n, path in clips.items()}, PLAIN, folder),
    }
    timing = side_by_side(actions, runs)
    timing |= side_by_side({"encode": encode}, 1)
    merge, whole, copied = timing["merge"], timing["encode"], timing["cat"]
    return [
        str(count),
        f"{sum(path.stat().st_size for path in clips.values()) / 1e6:.0f}",
        f"{copied.median:.2f}",
        f"{merge.median:.2f}",
        f"{whole.median:.1f}",
        f"{merge.over(copied):.1f}",
        f"{merge.median / whole.median:.3f}",
        f"{count * _SECONDS / merge.median:.0f}",
    ]
