"""Target platforms of layers."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

# Pythons that were downloaded to compile layers; `make clean` deletes them.
_DOWNLOADS = Path(__file__).resolve().parent.parent / "build" / "python"


@dataclass(frozen=True)
class Platform:
    """A target platform: how to select its wheels, and the Python that compiles sources."""

    name: str
    python: str  # minor version, such as "3.13"
    resolver: tuple[str, ...]  # options of uv that select its wheels
    identity: str  # properties of the target that affect the built files


def local() -> Platform:
    """Return the platform of this machine, with the running Python."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Platform(
        name="local",
        python=version,
        resolver=("--python", sys.executable),
        identity=f"{platform.system()} {platform.machine()} {platform.python_version()}",
    )


def lambda_arm64() -> Platform:
    """Return AWS Lambda's platform: Amazon Linux 2023 (glibc 2.34), arm64, python3.13."""
    return Platform(
        name="lambda-arm64",
        python="3.13",
        resolver=("--python-platform", "aarch64-manylinux_2_34", "--python-version", "3.13"),
        identity="aarch64-manylinux_2_34 python3.13",
    )


PLATFORMS = {"local": local, "lambda-arm64": lambda_arm64}


def uv(*arguments: str) -> str:
    """Run uv without Python downloads and return its output.

    Raises SystemExit with uv's error message if it fails.
    """
    process = _run(*arguments, "--no-python-downloads")
    if process.returncode != 0:
        raise SystemExit(
            f"uv {' '.join(arguments[:2])} failed. Existing layers were not changed.\n"
            f"{process.stderr.strip()}"
        )
    return process.stdout


def interpreter(target: Platform) -> str | None:
    """Return a Python of the target's minor version on this machine, or None."""
    if target.name == "local":
        return sys.executable
    find = ("python", "find", target.python, "--no-project", "--no-python-downloads")
    for process in (_run(*find), _run(*find, home=_DOWNLOADS)):
        if process.returncode == 0:
            return process.stdout.strip()
    return None


def fetch_interpreter(target: Platform) -> str:
    """Download a Python of the target's minor version for this clone.

    Returns an empty string, or uv's error message if the download failed.
    """
    process = _run("python", "install", target.python, "--no-bin", home=_DOWNLOADS)
    if process.returncode == 0:
        return ""
    lines = [line.strip() for line in process.stderr.splitlines() if line.strip()]
    return lines[-1].removeprefix("cause: ") if lines else f"uv exited with {process.returncode}"


def _run(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run uv; `home` overrides the directory of the Pythons that it manages."""
    environment = {**os.environ, **({"UV_PYTHON_INSTALL_DIR": str(home)} if home else {})}
    return subprocess.run(
        [find_uv_bin(), *arguments], capture_output=True, text=True, check=False, env=environment
    )
