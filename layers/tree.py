"""A folder as one value: same files, same digest, whenever and wherever it was built."""

import hashlib
import os
from pathlib import Path

# A day after the earliest time that a ZIP file can hold, in whatever time zone it is made.
_EPOCH = 315619200


def files(folder: Path) -> list[Path]:
    """Return the files below the folder, in an order that does not depend on the disk."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def normalise(folder: Path) -> None:
    """Give files and folders the same times and modes, wherever they were built."""
    for path in [folder, *folder.rglob("*")]:
        executable = path.is_dir() or bool(path.stat().st_mode & 0o100)
        path.chmod(0o755 if executable else 0o644)
        os.utime(path, (_EPOCH, _EPOCH))


def digest(folder: Path) -> str:
    """Return the SHA-256 of every file's path, executable bit and content."""
    whole = hashlib.sha256()
    for path in files(folder):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        mode = "x" if path.stat().st_mode & 0o100 else "-"
        whole.update(f"{path.relative_to(folder).as_posix()}\0{mode}\0{content}\n".encode())
    return whole.hexdigest()


def size(folder: Path) -> int:
    """Return the bytes of all files, as AWS Lambda counts them against its 250 MB."""
    return sum(path.stat().st_size for path in files(folder))
