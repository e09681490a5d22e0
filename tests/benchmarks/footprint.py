"""What a piece of work takes: the memory of this process's children and own, and files on disk."""

import multiprocessing
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import Any

_MIB = 1024 * 1024


@dataclass(frozen=True)
class Footprint:
    """The most at any moment: MiB of memory in use together, and of files in the folder."""

    memory: float
    scratch: float


def measure(work: Callable[[], Any], folder: Path) -> Footprint:
    """Run the work in a process of its own, and watch it."""
    context = multiprocessing.get_context("fork")
    queue: Any = context.SimpleQueue()

    def run() -> None:
        most = [0.0, 0.0]
        ended = Event()

        def watch() -> None:
            while not ended.wait(0.01):
                most[0] = max(most[0], _memory())
                files = (p for p in folder.rglob("*") if p.is_file())
                most[1] = max(most[1], sum(_size(path) for path in files))

        watcher = Thread(target=watch)
        watcher.start()
        work()
        ended.set()
        watcher.join()
        queue.put(most)

    process = context.Process(target=run)
    process.start()
    most = queue.get()
    process.join()
    return Footprint(most[0] / _MIB, most[1] / _MIB)


def _memory() -> int:
    total = _resident("self")
    for listing in Path("/proc/self/task").glob("*/children"):
        try:
            total += sum(_resident(child) for child in listing.read_text().split())
        except OSError:
            continue  # a thread that has ended
    return total


def _resident(process: str) -> int:
    try:
        pages = Path(f"/proc/{process}/statm").read_text().split()[1]
    except OSError:
        return 0  # it has ended
    return int(pages) * resource.getpagesize()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
