"""Merging clips, compared with copying bytes, plain ffmpeg, transcoding everything, and moviepy."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from common.domain.output import PLAIN
from merge import assemble
from tests.benchmarks import rivals
from tests.benchmarks.clips import FPS, SECONDS, collected, copies, make
from tests.benchmarks.footprint import measure
from tests.benchmarks.report import Timing, side_by_side, table

_RUNS = {6: 9, 12: 7, 60: 5}
_ENCODED, _MOVIEPY = (
    (2, 6, 12),
    2,
)  # numbers of clips; transcoding more takes minutes without new information


def main(*, smallest: bool = False) -> None:
    """Print the ratios for 6, 12 and 60 clips and for mixed ones, and the footprint."""
    counts, encoded = ({2: 1}, _ENCODED[:1]) if smallest else (_RUNS, _ENCODED)
    seconds, mixed = (1, 4) if smallest else (SECONDS, 6)
    python = None if smallest else rivals.moviepy()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows, taken = [], []
        for sound in (False, True):
            clip = make(folder / f"sound_{sound}.mp4", sound=sound, seconds=seconds)
            for count, runs in counts.items():
                clips = copies(clip, count, folder / f"{count}_{sound}")
                kind = f"{count} clips{', sound' if sound else ''}"
                rows.append([kind, *_matching(clips, seconds, runs)])
                taken.append([kind, *_footprint(clips, seconds)])
                shutil.rmtree(folder / f"{count}_{sound}")
        table(
            f"Merge of matching clips (1280x720, {seconds} s each): seconds, ratios side by side",
            ["clips", "MB", "cat", "merge", "ffmpeg", "merge/cat", "ffmpeg/cat", "x time"],
            rows,
        )
        table("What it takes: MiB", ["clips", "MiB", "memory", "disk, with the clips"], taken)
        table(
            f"Two of {mixed} clips differ (portrait; 30 a second)",
            ["clips", "mixed", "encode", "mixed/encode"],
            [_mixed(folder, mixed, seconds, runs=1 if smallest else 3)],
        )
        head = ["against", "clips", "merge", "it", "it/merge"]
        table("Against what encodes", head, _peers(folder, encoded, seconds, python))


def _matching(clips: dict[int, Path], seconds: int, runs: int) -> list[str]:
    folder = clips[1].parent
    paths = list(clips.values())
    actions: dict[str, Callable[[], object]] = {
        "cat": lambda: rivals.cat(paths, folder / "cat"),
        "merge": lambda: assemble.merge_clips(collected(clips, seconds * FPS), PLAIN, folder),
        "ffmpeg": lambda: rivals.concat(paths, folder / "concat.mp4"),
    }
    timing = side_by_side(actions, runs, lambda: _tidy(clips), warm_up=int(runs > 1))
    merge, cat, concat = timing["merge"], timing["cat"], timing["ffmpeg"]
    return [
        f"{sum(path.stat().st_size for path in paths) / 1e6:.0f}",
        f"{cat.median:.3f}",
        f"{merge.median:.3f}",
        f"{concat.median:.3f}",
        f"{merge.over(cat):.2f}",
        f"{concat.over(cat):.2f}",
        f"{len(clips) * seconds / merge.median:.0f}",
    ]


def _tidy(clips: dict[int, Path]) -> None:
    """Remove everything except the clips, because overwriting a file is slower."""
    for path in set(clips[1].parent.iterdir()) - set(clips.values()):
        path.unlink()


def _footprint(clips: dict[int, Path], seconds: int) -> list[str]:
    folder = clips[1].parent
    _tidy(clips)
    taken = measure(
        lambda: assemble.merge_clips(collected(clips, seconds * FPS), PLAIN, folder), folder
    )
    size = sum(path.stat().st_size for path in clips.values())
    return [f"{size / 2**20:.0f}", f"{taken.memory:.0f}", f"{taken.scratch:.0f}"]


def _mixed(folder: Path, count: int, seconds: int, runs: int) -> list[str]:
    home, odd = folder / "mixed", count - 1
    clips = copies(make(folder / "plain.mp4", sound=False, seconds=seconds), count, home)
    make(clips[2], sound=False, seconds=seconds, size="720:1280")
    make(clips[odd], sound=False, seconds=seconds, fps=30)
    inputs = collected(clips, seconds * FPS) | {odd: collected(clips, seconds * 30)[odd]}
    timing: dict[str, Timing] = side_by_side(
        {
            "mixed": lambda: assemble.merge_clips(inputs, PLAIN, home),
            "encode": lambda: rivals.encode(list(clips.values()), home / "encoded.mp4"),
        },
        runs,
        warm_up=int(runs > 1),
    )
    mixed, encode = timing["mixed"], timing["encode"]
    return [
        f"{count} clips",
        f"{mixed.median:.1f}",
        f"{encode.median:.1f}",
        f"{mixed.over(encode):.2f}",
    ]


def _peers(
    folder: Path, counts: Sequence[int], seconds: int, python: Path | None
) -> list[list[str]]:
    clip, rows = make(folder / "peer.mp4", sound=True, seconds=seconds), []
    for count in counts:
        home = folder / f"peers_{count}"
        clips = copies(clip, count, home)
        peer = partial(rivals.encode, target=home / "encoded.mp4")
        rows.append(_against("x264", clips, seconds, peer))
        if python and count <= _MOVIEPY:
            peer = partial(rivals.with_moviepy, python, target=home / "moviepy.mp4")
            rows.append(_against("moviepy", clips, seconds, peer))
    return rows


def _against(
    name: str, clips: dict[int, Path], seconds: int, peer: Callable[[Sequence[Path]], object]
) -> list[str]:
    folder, paths = clips[1].parent, list(clips.values())
    joining = {
        "merge": lambda: assemble.merge_clips(collected(clips, seconds * FPS), PLAIN, folder)
    }
    merge = side_by_side(joining, 3)["merge"].median
    peer_seconds = side_by_side({name: lambda: peer(paths)}, 1, warm_up=0)[name].median
    return [
        name,
        str(len(clips)),
        f"{merge:.3f}",
        f"{peer_seconds:.1f}",
        f"{peer_seconds / merge:.0f}",
    ]
