"""Peak memory of a process with its children, peak disk usage, and time of a task."""

import multiprocessing
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Footprint:
    """Peak memory and peak size of the folder in MiB, wall-clock seconds and CPU seconds."""

    memory: float
    scratch: float
    seconds: float
    processor: float


def measure(work: Callable[[], Any], folder: Path, *, cores: int | None = None) -> Footprint:
    """Run the task in a separate process on `cores` cores and measure it."""
    context = multiprocessing.get_context("fork")
    queue: Any = context.SimpleQueue()

    def run() -> None:
        if cores is not None:
            os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])
        most = [0.0, 0.0]
        ended = Event()

        def sample() -> None:
            while not ended.wait(0.01):
                most[0] = max(most[0], _memory())
                files = (p for p in folder.rglob("*") if p.is_file())
                most[1] = max(most[1], sum(_size(path) for path in files))

        watcher = Thread(target=sample)
        watcher.start()
        started = time.perf_counter()
        try:
            work()
        finally:
            seconds = time.perf_counter() - started
            ended.set()
            watcher.join()
            queue.put([*(peak / _MIB for peak in most), seconds, sum(os.times()[:4])])

    process = context.Process(target=run)
    process.start()
    footprint = Footprint(*queue.get())
    process.join()
    if process.exitcode:
        raise RuntimeError("what was to be measured has failed")
    return footprint


def _memory() -> int:
    total = _resident("self")
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            total += sum(_resident(child) for child in listing.read_text().split())
        except OSError:
            continue  # an ended thread
    return total


def _resident(process: str) -> int:
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return 0  # an ended process
    return int(pages) * resource.getpagesize()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
