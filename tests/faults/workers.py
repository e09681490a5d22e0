"""The other side of `forge` and `worker`: starts a forge, and speaks with its workers."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.state import PROJECT
from tests.faults.machine import TaskFailed
from tests.faults.ports import Strike

_START_SECONDS, _ANSWER_SECONDS = 60.0, 120.0
# What Step Functions reports of a function whose process has ended.
KILLED = "Runtime.ExitError"


@dataclass
class Forge:
    """A running forge: where it listens, and what its workers log."""

    address: Path
    log: Path

    def worker(self, strikes: Sequence[Strike], *, naive: bool = False) -> "Worker":
        """Fork a worker."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(str(self.address))
        made = Worker(connection, self.log)
        told = [strike.as_json() for strike in strikes]
        made.say(strikes=told, naive=naive)
        return made


class Worker:
    """A worker that lives, until it is struck or closed."""

    def __init__(self, connection: socket.socket, log: Path) -> None:
        self._connection = connection
        self._stream = connection.makefile("rw", encoding="utf-8")
        self._log = log
        self.passed: list[str] = []
        self.ahead = 0.0

    def say(self, **line: Any) -> None:
        """Send a line."""
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def invoke(
        self, state: str, function: str, event: dict[str, Any], *, ahead: float, execution: str = ""
    ) -> Any:
        """Return what the function answers; raises TaskFailed as Step Functions names it."""
        self.say(state=state, function=function, event=event, ahead=ahead, execution=execution)
        line = self._stream.readline()
        said = json.loads(line) if line else {}
        if "struck" in said:
            self.passed.append(said["struck"])
            raise TaskFailed(KILLED)
        if not line:
            raise AssertionError(f"the worker ended by itself:\n{self._log.read_text()[-3000:]}")
        self.passed += said["passed"]
        self.ahead = said["ahead"]
        if "error" in said:
            raise TaskFailed(said["error"])
        return said["answer"]

    def close(self) -> None:
        """Let it end."""
        self._stream.close()
        self._connection.close()


@dataclass
class Crew:
    """The worker of one execution, and a new one for each that died, with the next strikes."""

    forge: Forge
    strikes: list[Sequence[Strike]]
    naive: bool
    passed: list[str] = field(default_factory=list)
    _worker: Worker | None = None

    def invoke(
        self, state: str, function: str, event: dict[str, Any], *, ahead: float, execution: str = ""
    ) -> tuple[Any, float]:
        """Return the answer and the worker's time; raises TaskFailed."""
        if self._worker is None:
            strikes = self.strikes.pop(0) if self.strikes else ()
            self._worker = self.forge.worker(strikes, naive=self.naive)
        worker, before = self._worker, len(self._worker.passed)
        try:
            answer = worker.invoke(state, function, event, ahead=ahead, execution=execution)
        except TaskFailed as failed:
            if failed.error == KILLED:
                self.close()
            raise
        finally:
            self.passed += worker.passed[before:]
        return answer, worker.ahead

    def close(self) -> None:
        """Let the worker end."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None


@contextmanager
def forge(folder: Path, environment: dict[str, str], owners: dict[str, str]) -> Iterator[Forge]:
    """Run a forge until the end of the block."""
    address, log = folder / "forge.sock", folder / "workers.log"
    command = [sys.executable, "-m", "tests.faults.forge", str(address), json.dumps(owners)]
    with (
        log.open("ab") as out,
        subprocess.Popen(
            command, cwd=PROJECT, env=environment, stdin=subprocess.PIPE, stdout=out, stderr=out
        ) as process,
    ):
        deadline = time.monotonic() + _START_SECONDS
        while not address.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the forge did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.02)
        address.chmod(0o600)
        yield Forge(address, log)
        assert process.stdin is not None
        process.stdin.close()
