"""The client side of `forge` and `worker`: starting the prefork server and invoking workers."""

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
# The error that Step Functions reports for a function whose process has ended.
KILLED = "Runtime.ExitError"


@dataclass
class Forge:
    """A running prefork server: its socket and the log of its workers."""

    address: Path
    log: Path

    def worker(self, strikes: Sequence[Strike], *, naive: bool = False) -> "Worker":
        """Fork a worker."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_ANSWER_SECONDS)
        connection.connect(str(self.address))
        worker = Worker(connection, self.log)
        rows = [strike.as_json() for strike in strikes]
        worker.say(strikes=rows, naive=naive)
        return worker


class Worker:
    """A running worker, until it is killed or closed."""

    def __init__(self, connection: socket.socket, log: Path) -> None:
        self._connection = connection
        self._stream = connection.makefile("rw", encoding="utf-8")
        self._log = log
        self.passed: list[str] = []
        self.ahead = 0.0

    def say(self, **line: Any) -> None:
        """Send a JSON line."""
        self._stream.write(json.dumps(line) + "\n")
        self._stream.flush()

    def invoke(
        self, state: str, function: str, event: dict[str, Any], *, ahead: float, execution: str = ""
    ) -> Any:
        """Return the result of the function. Raises TaskFailed with the name for Step Functions."""
        self.say(state=state, function=function, event=event, ahead=ahead, execution=execution)
        line = self._stream.readline()
        reply = json.loads(line) if line else {}
        if "struck" in reply:
            self.passed.append(reply["struck"])
            raise TaskFailed(KILLED)
        if not line:
            raise AssertionError(f"the worker ended by itself:\n{self._log.read_text()[-3000:]}")
        self.passed += reply["passed"]
        self.ahead = reply["ahead"]
        if "error" in reply:
            raise TaskFailed(reply["error"])
        return reply["answer"]

    def close(self) -> None:
        """Close the connection, which ends the worker."""
        self._stream.close()
        self._connection.close()


@dataclass
class Crew:
    """The workers of an execution: a killed one is replaced by a worker with the next strikes."""

    forge: Forge
    strikes: list[Sequence[Strike]]
    naive: bool
    passed: list[str] = field(default_factory=list)
    _worker: Worker | None = None

    def invoke(
        self, state: str, function: str, event: dict[str, Any], *, ahead: float, execution: str = ""
    ) -> tuple[Any, float]:
        """Return the result and the worker's clock offset. Raises TaskFailed."""
        if self._worker is None:
            strikes = self.strikes.pop(0) if self.strikes else ()
            self._worker = self.forge.worker(strikes, naive=self.naive)
        worker, before = self._worker, len(self._worker.passed)
        try:
            result = worker.invoke(state, function, event, ahead=ahead, execution=execution)
        except TaskFailed as failed:
            if failed.error == KILLED:
                self.close()
            raise
        finally:
            self.passed += worker.passed[before:]
        return result, worker.ahead

    def close(self) -> None:
        """End the worker."""
        if self._worker is not None:
            self._worker.close()
        self._worker = None


@contextmanager
def forge(folder: Path, environment: dict[str, str], owners: dict[str, str]) -> Iterator[Forge]:
    """Run a prefork server within the context."""
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
