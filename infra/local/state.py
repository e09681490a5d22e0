"""The `.local` directory of a clone, with its seed, remembered ports and lock.

Files are written atomically, and the lock is held by open file descriptors instead of by the
existence of a file, so `kill -9` at any point leaves a directory that the next start accepts.
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
    """Replace the content of `path`; readers see the old or the new content, also after a crash."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


@dataclass(frozen=True)
class State:
    """A clone's state directory and the seed from which its secrets are derived."""

    root: Path
    seed: str

    @classmethod
    def open(cls, root: Path) -> "State":
        """Read or create the state directory; raises LocalCloudError if it is unusable."""
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        file = root / "state.json"
        if not file.exists():
            write_atomically(file, json.dumps({"format": FORMAT, "seed": secrets.token_hex(32)}))
        try:
            content = json.loads(file.read_text())
            version, seed = content["format"], content["seed"]
        except (ValueError, KeyError, TypeError) as error:
            raise LocalCloudError(
                f"{file} is damaged ({error}). The database and media beside it were not changed. "
                "Run `make clean` to start with empty state."
            ) from error
        if version != FORMAT:
            raise LocalCloudError(
                f"{root} was written by another version of this project (format {version}, "
                f"expected {FORMAT}). It was not changed. Run `make clean` to start with empty "
                "state, or check out that version."
            )
        return cls(root, seed)

    def derive(self, purpose: str) -> str:
        """Return a secret of 64 hex characters that is stable for this clone and purpose."""
        return hmac.new(self.seed.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def remembered_port(self, name: str) -> int | None:
        """Return the last port of `name`, reused to keep URLs stable, or None."""
        port = _read_json(self.root / "ports.json").get(name)
        return port if isinstance(port, int) else None

    def remember_port(self, name: str, port: int) -> None:
        """Store `port` for the next start of `name`."""
        file = self.root / "ports.json"
        write_atomically(file, json.dumps({**_read_json(file), name: port}))


class Lock:
    """A lock held by `up` and its servers, which the kernel releases when all have ended."""

    def __init__(self, root: Path) -> None:
        self.path = root / "lock"
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file descriptor, for child processes to inherit."""
        if self._descriptor is None:
            raise RuntimeError("the lock is not held")
        return self._descriptor

    def acquire(self, *, patience: float = 20.0) -> bool:
        """Acquire the lock; return False if a running `up` holds it.

        After a kill -9 of `up`, waits up to `patience` seconds for its servers to stop.
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
        """Release the lock."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def owner(self) -> int | None:
        """Return the process id of the `up` that holds the lock, or None if it is free."""
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
