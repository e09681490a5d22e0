"""Joining clips: against copying their bytes, plain ffmpeg, encoding everything, and moviepy."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from common.output import PLAIN
from merge import assembly
from tests.benchmarks import rivals
from tests.benchmarks.clips import SECONDS, collected, copies, make
from tests.benchmarks.footprint import measure
from tests.benchmarks.report import Timing, side_by_side, table

_RUNS = {6: 9, 12: 7, 60: 5}
_ENCODED, _MOVIEPY = (6, 12), 2  # clips; encoding more takes minutes and says the same


def main() -> None:
    """Print the ratios for 6, 12 and 60 clips, for mixed ones, and what they took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, taken = [], []
        for sound in (False, True):
            clip = make(folder / f"sound_{sound}.mp4", sound=sound)
            for count, runs in _RUNS.items():
                clips = copies(clip, count, folder / f"{count}_{sound}")
                kind = f"{count} clips{', sound' if sound else ''}"
                rows.append([kind, *_matching(clips, runs)])
                taken.append([kind, *_footprint(clips)])
                shutil.rmtree(folder / f"{count}_{sound}")
        mixed = _mixed(folder)
        peers = _peers(folder)
    table(
        f"Merge of matching clips (1280x720, {SECONDS} s each): seconds, and ratios side by side",
        [
            "clips",
            "MB",
            "cat",
            "merge",
            "ffmpeg",
            "encode",
            "merge/cat",
            "ffmpeg/cat",
            "encode/merge",
            "x time",
        ],
        rows,
    )
    table(
        "Two of six clips differ (portrait; 30 a second)",
        ["clips", "mixed", "encode", "ratio"],
        [mixed],
    )
    if peers:
        table(f"Against moviepy, {_MOVIEPY} clips", ["clips", "merge", "moviepy", "times"], [peers])
    table("What it takes: MiB", ["clips", "MiB", "memory", "disk, with the clips"], taken)


def _matching(clips: dict[int, Path], runs: int) -> list[str]:
    folder = clips[1].parent
    paths = list(clips.values())
    actions: dict[str, Callable[[], object]] = {
        "cat": lambda: rivals.cat(paths, folder / "cat"),
        "merge": lambda: assembly.join(collected(clips), PLAIN, folder),
        "ffmpeg": lambda: rivals.concat(paths, folder / "concat.mp4"),
    }
    timing = side_by_side(actions, runs, lambda: _tidy(clips))
    encode = None
    if len(clips) in _ENCODED:
        whole = {"encode": lambda: rivals.encode(paths, folder / "encoded.mp4")}
        encode = side_by_side(whole, 1)["encode"]
    merge, cat, concat = timing["merge"], timing["cat"], timing["ffmpeg"]
    return [
        f"{sum(path.stat().st_size for path in paths) / 1e6:.0f}",
        f"{cat.median:.3f}",
        f"{merge.median:.3f}",
        f"{concat.median:.3f}",
        f"{encode.median:.1f}" if encode else "",
        f"{merge.over(cat):.2f}",
        f"{concat.over(cat):.2f}",
        f"{encode.median / merge.median:.0f}" if encode else "",
        f"{len(clips) * SECONDS / merge.median:.0f}",
    ]


def _tidy(clips: dict[int, Path]) -> None:
    """Leave the clips alone: writing over a file is slower, since what it was must go first."""
    for path in set(clips[1].parent.iterdir()) - set(clips.values()):
        path.unlink()


def _footprint(clips: dict[int, Path]) -> list[str]:
    folder = clips[1].parent
    _tidy(clips)
    taken = measure(lambda: assembly.join(collected(clips), PLAIN, folder), folder)
    size = sum(path.stat().st_size for path in clips.values())
    return [f"{size / 2**20:.0f}", f"{taken.memory:.0f}", f"{taken.scratch:.0f}"]


def _mixed(folder: Path) -> list[str]:
    home = folder / "mixed"
    clips = copies(make(folder / "plain.mp4", sound=False), 6, home)
    make(clips[2], sound=False, size="720:1280")
    make(clips[5], sound=False, fps=30)
    inputs = collected(clips) | {5: collected(clips, SECONDS * 30)[5]}
    timing: dict[str, Timing] = side_by_side(
        {
            "mixed": lambda: assembly.join(inputs, PLAIN, home),
            "encode": lambda: rivals.encode(list(clips.values()), home / "encoded.mp4"),
        },
        3,
    )
    mixed, encode = timing["mixed"], timing["encode"]
    return ["6 clips", f"{mixed.median:.1f}", f"{encode.median:.1f}", f"{mixed.over(encode):.2f}"]


def _peers(folder: Path) -> list[str]:
    python = rivals.moviepy()
    if python is None:
        return []
    home = folder / "peers"
    clips = copies(make(folder / "peer.mp4", sound=True), _MOVIEPY, home)
    paths = list(clips.values())
    timing = side_by_side(
        {
            "merge": lambda: assembly.join(collected(clips), PLAIN, home),
            "moviepy": lambda: rivals.with_moviepy(python, paths, home / "moviepy.mp4"),
        },
        1,
    )
    merge, other = timing["merge"], timing["moviepy"]
    return [
        f"{_MOVIEPY} clips",
        f"{merge.median:.3f}",
        f"{other.median:.1f}",
        f"{other.over(merge):.0f}",
    ]
