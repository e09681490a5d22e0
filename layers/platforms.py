"""Where the code of a layer runs."""

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from uv import find_uv_bin

# Pythons that were fetched to compile layers; `make clean` removes them.
_FETCHED = Path(__file__).resolve().parent.parent / "build" / "python"


@dataclass(frozen=True)
class Platform:
    """One target: which wheels fit, and which Python compiles their sources."""

    name: str
    python: str  # the minor version that runs the code, such as "3.13"
    resolver: tuple[str, ...]  # what uv must know to choose wheels for it
    identity: str  # everything about the target that may change the built files


def local() -> Platform:
    """This machine, and the Python that runs this program."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Platform(
        name="local",
        python=version,
        resolver=("--python", sys.executable),
        identity=f"{platform.system()} {platform.machine()} {platform.python_version()}",
    )


def lambda_arm64() -> Platform:
    """AWS Lambda: Amazon Linux 2023 (glibc 2.34) on arm64, runtime python3.13."""
    return Platform(
        name="lambda-arm64",
        python="3.13",
        resolver=("--python-platform", "aarch64-manylinux_2_34", "--python-version", "3.13"),
        identity="aarch64-manylinux_2_34 python3.13",
    )


PLATFORMS = {"local": local, "lambda-arm64": lambda_arm64}


def uv(*arguments: str) -> str:
    """Run uv, which never fetches a Python by itself here, and return what it printed.

    Raises SystemExit with uv's own message when it fails.
    """
    done = _run(*arguments, "--no-python-downloads")
    if done.returncode != 0:
        raise SystemExit(
            f"uv {' '.join(arguments[:2])} failed; the layers built before are untouched.\n"
            f"{done.stderr.strip()}"
        )
    return done.stdout


def interpreter(target: Platform) -> str | None:
    """Return a Python of the target's minor version on this machine, or None."""
    if target.name == "local":
        return sys.executable
    find = ("python", "find", target.python, "--no-project", "--no-python-downloads")
    for found in (_run(*find), _run(*find, home=_FETCHED)):
        if found.returncode == 0:
            return found.stdout.strip()
    return None


def fetch_interpreter(target: Platform) -> str:
    """Fetch a Python of the target's minor version, for this clone alone.

    Returns nothing, or the reason why it could not be had, in uv's words.
    """
    fetched = _run("python", "install", target.python, "--no-bin", home=_FETCHED)
    if fetched.returncode == 0:
        return ""
    lines = [line.strip() for line in fetched.stderr.splitlines() if line.strip()]
    return lines[-1].removeprefix("cause: ") if lines else f"uv ended with {fetched.returncode}"


def _run(*arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run uv; `home` is where Pythons that it manages lie, if not in the user's own folder."""
    environment = {**os.environ, **({"UV_PYTHON_INSTALL_DIR": str(home)} if home else {})}
    return subprocess.run(
        [find_uv_bin(), *arguments], capture_output=True, text=True, check=False, env=environment
    )
