"""Reproducible directory trees: normalized metadata, digest and size."""

import hashlib
import os
from pathlib import Path

# A day after the earliest timestamp of ZIP files, so that it is valid in every time zone.
_EPOCH = 315619200


def files(folder: Path) -> list[Path]:
    """Return the files below the folder, sorted by path."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def normalise(folder: Path) -> None:
    """Set the same modification time and modes on all files and folders."""
    for path in [folder, *folder.rglob("*")]:
        executable = path.is_dir() or bool(path.stat().st_mode & 0o100)
        path.chmod(0o755 if executable else 0o644)
        os.utime(path, (_EPOCH, _EPOCH))


def digest(folder: Path) -> str:
    """Return the SHA-256 of the paths, executable bits and contents of all files."""
    total = hashlib.sha256()
    for path in files(folder):
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        mode = "x" if path.stat().st_mode & 0o100 else "-"
        total.update(f"{path.relative_to(folder).as_posix()}\0{mode}\0{content}\n".encode())
    return total.hexdigest()


def size(folder: Path) -> int:
    """Return the total size of all files in bytes, as Lambda counts it for its 250 MB limit."""
    return sum(path.stat().st_size for path in files(folder))
