"""Run the ffmpeg program under limits of time, memory and output.

All runs of a function share one budget of memory: a run waits until its part is free. So they
cannot exceed the function's memory together, whatever they do at once.
"""

import os
import resource
import shutil
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from common.aws.log import logger
from common.domain.errors import MediaError, PermanentError
from common.media import ffmpeg_errors
from common.settings import function_memory

OUTPUT_BYTES = 2048 * 1024 * 1024
SMALL = 384
"""MiB of memory for a run that decodes nothing large. Most of it are stacks that stay unused."""
LARGE = 1024
"""MiB for a run that decodes frames of up to 4096x2304, one after the other."""

_MIB = 1024 * 1024
_OWN = 448  # MiB that the function keeps for itself: Python, and samples of sound
_SHARED = 1024  # MiB of address space beside its data: the program, libraries, mapped files
_SAID = 1000  # characters of what it said that are logged


@dataclass(frozen=True, slots=True)
class Done:
    """What a successful run printed."""

    stdout: str
    stderr: str


def run(
    arguments: Sequence[str],
    *,
    timeout: float,
    most_bytes: int = OUTPUT_BYTES,
    memory: int = SMALL,
) -> str:
    """Run ffmpeg with these arguments and return what it printed to standard output.

    It gets no environment, so no credentials, and writes at most `most_bytes` to any file. It waits
    until `memory` MiB of the budget are free, and gets no more. Raises MediaError when it fails, or
    takes longer than `timeout` seconds or more memory than is allowed.
    """
    return execute(arguments, timeout, most_bytes, memory=memory).stdout


def execute(
    arguments: Sequence[str],
    timeout: float,
    most_bytes: int,
    *,
    level: str = "error",
    memory: int = SMALL,
) -> Done:
    """Run ffmpeg as `run` does; log at `level`, each line beginning with its own."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise PermanentError(
            "The program ffmpeg is not there; the function needs the ffmpeg layer.",
            code="ffmpeg.missing",
        )
    command = [program, "-nostdin", "-nostats", "-hide_banner", "-v", f"level+{level}", *arguments]
    with _budget().part(memory) as granted:
        code, is_late, done = _child(command, timeout, most_bytes, granted)
    if is_late:
        raise MediaError(
            f"ffmpeg took longer than {timeout:.0f} s and was stopped.", code="media.timeout"
        )
    if code != 0:
        # For the operator; it may quote the file, so it is not for the user.
        logger.info("ffmpeg failed", extra={"exit_code": code, "said": done.stderr[-_SAID:]})
        error_code, reason = ffmpeg_errors.reason(done.stderr, code)
        raise MediaError(f"ffmpeg cannot process the file: {reason}.", code=error_code)
    return done


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Budget:
    """Memory in MiB that runs share. They are served in the order in which they come."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def part(self, wanted: int) -> Iterator[int]:
        """Wait until so much is free, and hold it; a run that wants more than all gets all."""
        granted, ticket = min(wanted, self.total), object()
        with self._changed:
            self._waiting.append(ticket)
            self._changed.wait_for(lambda: self._waiting[0] is ticket and self._free >= granted)
            self._waiting.popleft()
            self._free -= granted
            self._changed.notify_all()
        try:
            yield granted
        finally:
            with self._changed:
                self._free += granted
                self._changed.notify_all()


@cache
def _budget() -> Budget:
    return Budget(max(SMALL, function_memory() - _OWN))


def _child(
    command: Sequence[str], timeout: float, most_bytes: int, memory: int
) -> tuple[int, bool, Done]:
    """Return the exit code, whether it was stopped for its time, and what it printed."""
    # What it prints goes to files, whose size is limited too; a pipe would be read into memory.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as complaints:
        # It stays in this process's group, so that it ends together with the function.
        child = subprocess.Popen(  # noqa: S603 - a fixed program, arguments of our own, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=complaints,
            env={"MALLOC_ARENA_MAX": "2"},  # no credentials; and no 64 MiB of heap for each thread
        )
        # Waiting with a time-out would ask every 50 ms, which is longer than most runs take.
        timer = threading.Timer(timeout, child.kill)
        timer.start()
        try:
            _limit(child.pid, timeout, most_bytes, memory)
            code = child.wait()
            is_late = timer.finished.is_set()
        finally:
            timer.cancel()
            if child.poll() is None:
                child.kill()
                child.wait()
        texts = []
        for file in (out, complaints):
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="replace"))
        return code, is_late, Done(*texts)


def _limit(pid: int, timeout: float, most_bytes: int, memory: int) -> None:
    """Bound what the child may take, where the system can (Linux)."""
    if not hasattr(resource, "prlimit"):
        return
    seconds = int(timeout * 4) + 1  # of processor time, on several cores
    for kind, most in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, memory * _MIB),
        (resource.RLIMIT_AS, (memory + _SHARED) * _MIB),
        (resource.RLIMIT_FSIZE, most_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.prlimit(pid, kind, (most, most))
        except ProcessLookupError:
            return  # it has ended already
