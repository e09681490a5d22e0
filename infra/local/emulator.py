"""The emulator's process, which runs `launcher.py`."""

import base64
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from infra.local import runtime
from infra.local.errors import LocalCloudError
from infra.local.launcher_settings import LauncherSettings
from infra.local.state import PROJECT, State

START_SECONDS = 180.0
STOP_SECONDS = 10.0


class Emulator:
    """An emulator process; not reusable after `stop`."""

    def __init__(self, state: State, *, isolate: bool | None = None, patched: bool = True) -> None:
        """Prepare the process; with `isolate` None, isolate functions if the machine allows it.

        See `runtime.can_isolate`.
        """
        self._state = state
        self._isolate = isolate
        self._patched = patched
        self._process: subprocess.Popen[str] | None = None
        self.log = state.root / "log" / "emulator.log"
        self.access_key_id = _access_key_id(state.derive("root access key id"))
        self.secret_access_key = state.derive("root secret access key")
        self.port = 0

    @property
    def url(self) -> str:
        """Endpoint of all AWS services."""
        return f"http://127.0.0.1:{self.port}"

    def start(self, postgres_password: str, keep_open: Sequence[int] = ()) -> None:
        """Start the process and wait until it serves requests.

        PostgreSQL need not listen before a stack with a database is deployed. `keep_open` are file
        descriptors that the process inherits (the clone's lock). Raises LocalCloudError with the
        end of the log.
        """
        self.log.parent.mkdir(exist_ok=True)
        settings = LauncherSettings(
            root=str(self._state.root),
            port=self._state.remembered_port("emulator"),
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
            seed=self._state.derive("stack"),
            postgres_password=postgres_password,
            runtime=str(runtime.prepare(self._state.root / "runtime")),
            interpreter=runtime.interpreter(),
            isolate=self._decide_isolation(),
            patched=self._patched,
        )
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "infra.local.launcher"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=PROJECT,
                pass_fds=tuple(keep_open),
                start_new_session=True,  # Ctrl-C goes to `up`, which stops this process
            )
        if self._process.stdin is None:
            raise RuntimeError("the launcher has no standard input")
        # Standard input stays open; the launcher stops when it closes.
        self._process.stdin.write(settings.dumps() + "\n")
        self._process.stdin.flush()
        self.port = self._wait_until_ready(self._process)
        self._state.remember_port("emulator", self.port)

    def stop(self) -> None:
        """Stop the emulator and all function processes."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    @property
    def running(self) -> bool:
        """True if the process is alive."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """Process id, or None if not started."""
        return self._process.pid if self._process is not None else None

    def _decide_isolation(self) -> bool:
        if self._isolate is not None:
            return self._isolate
        return os.geteuid() == 0 and runtime.can_isolate(self._state.root)

    def _wait_until_ready(self, process: subprocess.Popen[str]) -> int:
        if process.stdout is None:
            raise RuntimeError("the launcher has no standard output")
        deadline = time.monotonic() + START_SECONDS
        while (remaining := deadline - time.monotonic()) > 0:
            readable, _, _ = select.select([process.stdout], [], [], remaining)
            line = process.stdout.readline() if readable else ""
            if line.startswith("ready "):
                return int(line.split()[1])
            if not line:
                break
        self.stop()
        raise LocalCloudError(
            f"The emulator did not start. The end of {self.log}:\n{tail(self.log)}"
        )


def _access_key_id(secret: str) -> str:
    """Return an access key id of 20 characters with 80 bits of entropy from `secret`."""
    letters = base64.b32encode(bytes.fromhex(secret)).decode()
    return f"AKIA{letters[:16]}"


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log file."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return "(no log)"
