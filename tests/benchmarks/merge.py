"""Joining clips: against copying their bytes, plain ffmpeg, encoding everything, and moviepy."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from common.output import PLAIN
from merge import assembly
from tests.benchmarks import rivals
from tests.benchmarks.clips import SECONDS, collected, copies, make
from tests.benchmarks.footprint import measure
from tests.benchmarks.report import Timing, side_by_side, table

_RUNS = {6: 9, 12: 7, 60: 5}
_ENCODED, _MOVIEPY = (2, 6, 12), 2  # clips; encoding more takes minutes and says the same


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
        table(
            f"Merge of matching clips (1280x720, {SECONDS} s each): seconds, ratios side by side",
            ["clips", "MB", "cat", "merge", "ffmpeg", "merge/cat", "ffmpeg/cat", "x time"],
            rows,
        )
        table("What it takes: MiB", ["clips", "MiB", "memory", "disk, with the clips"], taken)
        table(
            "Two of six clips differ (portrait; 30 a second)",
            ["clips", "mixed", "encode", "mixed/encode"],
            [_mixed(folder)],
        )
        head = ["against", "clips", "merge", "it", "it/merge"]
        table("Against what encodes", head, _peers(folder))


def _matching(clips: dict[int, Path], runs: int) -> list[str]:
    folder = clips[1].parent
    paths = list(clips.values())
    actions: dict[str, Callable[[], object]] = {
        "cat": lambda: rivals.cat(paths, folder / "cat"),
        "merge": lambda: assembly.join(collected(clips), PLAIN, folder),
        "ffmpeg": lambda: rivals.concat(paths, folder / "concat.mp4"),
    }
    timing = side_by_side(actions, runs, lambda: _tidy(clips))
    merge, cat, concat = timing["merge"], timing["cat"], timing["ffmpeg"]
    return [
        f"{sum(path.stat().st_size for path in paths) / 1e6:.0f}",
        f"{cat.median:.3f}",
        f"{merge.median:.3f}",
        f"{concat.median:.3f}",
        f"{merge.over(cat):.2f}",
        f"{concat.over(cat):.2f}",
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


def _peers(folder: Path) -> list[list[str]]:
    clip, rows = make(folder / "peer.mp4", sound=True), []
    python = rivals.moviepy()
    for count in _ENCODED:
        home = folder / f"peers_{count}"
        clips = copies(clip, count, home)
        rows.append(_against("x264", clips, partial(rivals.encode, target=home / "encoded.mp4")))
        if python and count <= _MOVIEPY:
            peer = partial(rivals.with_moviepy, python, target=home / "moviepy.mp4")
            rows.append(_against("moviepy", clips, peer))
    return rows


def _against(
    name: str, clips: dict[int, Path], peer: Callable[[Sequence[Path]], object]
) -> list[str]:
    folder, paths = clips[1].parent, list(clips.values())
    joining = {"merge": lambda: assembly.join(collected(clips), PLAIN, folder)}
    merge = side_by_side(joining, 3)["merge"].median
    other = side_by_side({name: lambda: peer(paths)}, 1, warm_up=0)[name].median
    return [name, str(len(clips)), f"{merge:.3f}", f"{other:.1f}", f"{other / merge:.0f}"]
