"""Private scratch folders that are removed after use, even if the process is killed.

A killed function cannot clean up, and its files are still there in the next warm start. So every
folder is locked while it is in use, and creating a folder removes those of the same kind that are
no longer locked. The lock also protects functions from each other if they share `/tmp`, as they do
in the local cloud.
"""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = ".lock"


@contextmanager
def scratch(kind: str) -> Iterator[Path]:
    """Create a folder that only this user can read; remove it with its contents on exit."""
    parent = Path(tempfile.gettempdir())
    # Creating and locking a folder must be atomic for processes that remove stale ones.
    with (parent / f".{kind}{_LOCK}").open("w") as kind_lock:
        fcntl.flock(kind_lock, fcntl.LOCK_EX)
        for stale in parent.glob(f"{kind}-*"):
            _remove_unless_locked(stale)
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=parent))
        lock = (folder / _LOCK).open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        lock.close()


def _remove_unless_locked(folder: Path) -> None:
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except (FileNotFoundError, NotADirectoryError, PermissionError, BlockingIOError):
        return  # in use, owned by another user, or not a scratch folder
