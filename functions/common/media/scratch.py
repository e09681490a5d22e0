"""Private scratch folders: empty when the work begins, gone when it ends, however it ends.

A function that is killed cannot tidy up, and the next call in the same environment finds what it
left. So every folder is locked while it is in use, and whoever makes one removes the folders of the
same kind that nobody holds any more. On one machine, where functions share `/tmp`, the lock also
keeps them from each other's folders.
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
    """Make a folder that only this user can read, and remove it and all that is in it after."""
    parent = Path(tempfile.gettempdir())
    # Making a folder and locking it are one step for others who look for forgotten ones.
    with (parent / f".{kind}{_LOCK}").open("w") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        for forgotten in parent.glob(f"{kind}-*"):
            _remove_unless_held(forgotten)
        folder = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=parent))
        held = (folder / _LOCK).open("w")
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        held.close()


def _remove_unless_held(folder: Path) -> None:
    try:
        with (folder / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except (FileNotFoundError, NotADirectoryError, PermissionError, BlockingIOError):
        return  # in use, another user's, or none of ours
