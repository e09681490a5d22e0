"""`make bench` runs all benchmarks; `python -m tests.benchmarks merge cold_start …` some."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

from tests.benchmarks import (
    api_requests,
    cold_start,
    demo,
    finished_sound,
    media_table,
    merge,
    merge_function,
    merge_limit,
    merge_needs,
    merge_sound,
    orchestration,
)

ALONE: dict[str, Callable[..., None]] = {
    "cold_start": cold_start.main,
    "finished_sound": finished_sound.main,
    "merge": merge.main,
    "merge_function": merge_function.main,
    "merge_needs": merge_needs.main,
    "merge_sound": merge_sound.main,
    "merge_limit": merge_limit.main,
    "media_table": media_table.main,
}
ON_A_CLOUD: dict[str, Callable[[], None]] = {
    "requests": api_requests.main,
    "orchestration": orchestration.main,
    "demo": demo.main,
}
BENCHMARKS: dict[str, Callable[[], None]] = {**ALONE, **ON_A_CLOUD}


def main() -> int:
    """Run the given benchmarks, or all."""
    names = sys.argv[1:] or list(BENCHMARKS)
    unknown = set(names) - BENCHMARKS.keys()
    if unknown:
        print(
            f"unknown benchmarks: {', '.join(unknown)}; choose from {', '.join(BENCHMARKS)}",
            file=sys.stderr,
        )
        return 2
    # A signal raises an exception, so that all temporary folders are removed.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with tempfile.TemporaryDirectory() as tools:
        (Path(tools) / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
        os.environ["PATH"] = f"{tools}{os.pathsep}{os.environ['PATH']}"
        for name in names:
            BENCHMARKS[name]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
