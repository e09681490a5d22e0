"""The `.local` directory of one clone: its seed, its lock, and who is running.

Every file is written whole or not at all, and the lock belongs to processes, not to a file's
existence, so that `kill -9` at any point leaves a directory that the next start accepts.
"""

import fcntl
import hashlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.errors import LocalCloudError

FORMAT = 1
PROJECT = Path(__file__).resolve().parents[2]


def write_atomically(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace `path` by `text`; a reader or a crash sees the old file or the new one."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class State:
    """One clone's state directory and the seed from which its secrets are derived."""

    root: Path
    seed: str

    @classmethod
    def open(cls, root: Path) -> "State":
        """Read the state directory, or make a new one. Raises LocalCloudError if unusable."""
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = root / "state.json"
        if not file.exists():
            write_atomically(file, json.dumps({"format": FORMAT, "seed": secrets.token_hex(32)}))
        try:
            content = json.loads(file.read_text())
            found, seed = content["format"], content["seed"]
        except (ValueError, KeyError, TypeError) as error:
            raise LocalCloudError(
                f"{file} is damaged ({error}). The database and the media beside it were left "
                "alone. Run `make clean` to start afresh."
            ) from error
        if found != FORMAT:
            raise LocalCloudError(
                f"{root} was written by another version of this project (format {found}, this "
                f"version has {FORMAT}). It was left alone. Run `make clean` to start afresh, or "
                "go back to that version."
            )
        return cls(root, seed)

    def derive(self, purpose: str) -> str:
        """64 hex characters that are stable for this clone and this purpose, and secret."""
        return hmac.new(self.seed.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def remembered_port(self, name: str) -> int | None:
        """The port that `name` had last time, so that URLs stay the same when it is free."""
        port = _read_json(self.root / "ports.json").get(name)
        return port if isinstance(port, int) else None

    def remember_port(self, name: str, port: int) -> None:
        """Keep `port` for the next start of `name`."""
        file = self.root / "ports.json"
        write_atomically(file, json.dumps({**_read_json(file), name: port}))


class Lock:
    """Held by `up` and by the servers it started; released by the kernel when all have ended."""

    def __init__(self, root: Path) -> None:
        self.path = root / "lock"
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open descriptor, for passing to child processes."""
        if self._descriptor is None:
            raise RuntimeError("the lock is not held")
        return self._descriptor

    def acquire(self, *, patience: float = 20.0) -> bool:
        """Take the lock; False when a living `up` holds it.

        Waits up to `patience` seconds while the holder's main process is gone already and only
        its servers are still stopping (after a kill -9).
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience
        while not _try_lock(descriptor):
            if _alive(self._owner(descriptor)) or time.monotonic() > deadline:
                os.close(descriptor)
                return False
            time.sleep(0.1)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def owner(self) -> int | None:
        """Process id of the `up` that holds the lock, or None when nobody does."""
        try:
            descriptor = os.open(self.path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            return None if _try_lock(descriptor, fcntl.LOCK_SH) else self._owner(descriptor)
        finally:
            os.close(descriptor)

    @staticmethod
    def _owner(descriptor: int) -> int:
        text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
        return int(text) if text.isdigit() else 0


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _alive(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
