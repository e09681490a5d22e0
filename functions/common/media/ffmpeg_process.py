"""Run ffmpeg as a subprocess with limits on time, memory and output.

All concurrent runs share one memory budget, so that together they cannot exceed the function's
memory. A run waits until enough of the budget is free.
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
"""MiB of memory for a run that decodes no large frames. Most of it is unused thread stacks."""
LARGE = 1024
"""MiB of memory for a run that decodes frames of up to 4096x2304 sequentially."""

_MIB = 1024 * 1024
_PYTHON_MIB = 448  # MiB for the function itself: Python, and decoded audio samples
_MAPPED_MIB = 1024  # MiB of address space for the program, libraries and mapped files
_LOGGED_CHARACTERS = 1000  # of its standard error


@dataclass(frozen=True, slots=True)
class FfmpegOutput:
    """The standard output and standard error of a successful run."""

    stdout: str
    stderr: str


def run(
    arguments: Sequence[str],
    *,
    timeout: float,
    most_bytes: int = OUTPUT_BYTES,
    memory: int = SMALL,
) -> str:
    """Run ffmpeg with these arguments and return its standard output.

    The process gets no environment, hence no credentials, and writes at most `most_bytes` to any
    file. It waits until `memory` MiB of the budget are free, and is limited to them. Raises
    MediaError if ffmpeg fails, or exceeds `timeout` seconds or its memory. Raises PermanentError if
    ffmpeg is not installed.
    """
    return execute(arguments, timeout, most_bytes, memory=memory).stdout


def execute(
    arguments: Sequence[str],
    timeout: float,
    most_bytes: int,
    *,
    level: str = "error",
    memory: int = SMALL,
) -> FfmpegOutput:
    """Run ffmpeg like `run`, with log `level`; each line of its log starts with its level."""
    program = shutil.which("ffmpeg")
    if program is None:
        raise PermanentError(
            "ffmpeg is not installed. Add the ffmpeg layer to the function.",
            code="ffmpeg.missing",
        )
    command = [program, "-nostdin", "-nostats", "-hide_banner", "-v", f"level+{level}", *arguments]
    with _budget().reserve(memory) as granted:
        exit_code, timed_out, output = _run_child(command, timeout, most_bytes, granted)
    if timed_out:
        raise MediaError(
            f"ffmpeg took longer than {timeout:.0f} s and was stopped.", code="media.timeout"
        )
    if exit_code != 0:
        # Only for the operator: the log may quote the file.
        tail = output.stderr[-_LOGGED_CHARACTERS:]
        logger.info("ffmpeg failed", extra={"exit_code": exit_code, "stderr": tail})
        error_code, reason = ffmpeg_errors.reason(output.stderr, exit_code)
        raise MediaError(f"ffmpeg cannot process the file: {reason}.", code=error_code)
    return output


def cores() -> int:
    """Return the number of processors available to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Budget:
    """A memory budget in MiB that concurrent runs share, granted first in, first out."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserve(self, requested: int) -> Iterator[int]:
        """Wait until `requested` MiB are free and hold them; grant at most the total."""
        granted, ticket = min(requested, self.total), object()
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
    return Budget(max(SMALL, function_memory() - _PYTHON_MIB))


def _run_child(
    command: Sequence[str], timeout: float, most_bytes: int, memory: int
) -> tuple[int, bool, FfmpegOutput]:
    """Return the exit code, whether the run timed out, and its output."""
    # Output goes to files, whose size RLIMIT_FSIZE bounds; a pipe would be read into memory.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        # Stays in this process group, so that it is killed together with the function.
        child = subprocess.Popen(  # noqa: S603 - a fixed program, no shell
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={"MALLOC_ARENA_MAX": "2"},  # no credentials; fewer 64 MiB heap arenas
        )
        # wait(timeout=...) polls every 50 ms, which is longer than most runs take.
        timer = threading.Timer(timeout, child.kill)
        timer.start()
        try:
            _limit(child.pid, timeout, most_bytes, memory)
            exit_code = child.wait()
            timed_out = timer.finished.is_set()
        finally:
            timer.cancel()
            if child.poll() is None:
                child.kill()
                child.wait()
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", errors="replace"))
        return exit_code, timed_out, FfmpegOutput(*texts)


def _limit(pid: int, timeout: float, most_bytes: int, memory: int) -> None:
    """Limit the child's resources, on systems with prlimit (Linux)."""
    if not hasattr(resource, "prlimit"):
        return
    seconds = int(timeout * 4) + 1  # of processor time, summed over cores
    for limit, value in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_DATA, memory * _MIB),
        (resource.RLIMIT_AS, (memory + _MAPPED_MIB) * _MIB),
        (resource.RLIMIT_FSIZE, most_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        try:
            resource.prlimit(pid, limit, (value, value))
        except ProcessLookupError:
            return  # it has ended already
