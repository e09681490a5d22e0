"""Builds of the layers and the cloud assembly, repeated only if their inputs have changed."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from infra import node
from infra.local.errors import LocalCloudError
from infra.local.state import PROJECT, State, write_atomically
from layers import build as layer_build

OUTPUT = PROJECT / "cdk.out" / "local"
INPUTS = ("infra", "functions", "layers", "statemachine", "cdk.json", "requirements.lock")
IGNORED_PARTS = {"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
PLATFORM = "local"  # of the layers


def build(state: State, changes: Mapping[str, str] | None = None) -> Path:
    """Build layers and cloud assembly unless they are current; return the assembly's directory.

    With `changes` to the stage, the assembly goes to a separate directory, because tests use the
    one without changes. Waits for another process of this clone that is building. Raises
    LocalCloudError with the output of the failed program.
    """
    output = OUTPUT.with_name(f"{OUTPUT.name}-changed") if changes else OUTPUT
    settings = [f"--set={name}={value}" for name, value in sorted((changes or {}).items())]
    output.parent.mkdir(exist_ok=True)
    with OUTPUT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layers_are_current():
            _run(state, "layers", "local")
        # Beside the output, because clouds with other state directories share it.
        current, marker = " ".join([digest(INPUTS), *settings]), output.with_suffix(".digest")
        if not (output / "manifest.json").exists() or _text(marker) != current:
            marker.unlink(missing_ok=True)
            _run(state, "infra.app", "--stage", "local", "--out", str(output), *settings)
            _drop_old_assets(output)
            write_atomically(marker, current)
    return output


def layers_are_current() -> bool:
    """Return True if every layer is built for this machine from the current sources and lock."""
    return all(layer_build.is_current(PLATFORM, layer) for layer in layer_build.LAYERS)


def digest(names: Iterable[str], project: Path = PROJECT) -> str:
    """Return a digest of the files below `names`, the Python version and the platform."""
    content = hashlib.sha256(f"{sys.version} {platform.platform()}".encode())
    for file in _files(names, project):
        content.update(f"{file.relative_to(project)}\0{file.stat().st_mode:o}\0".encode())
        content.update(hashlib.sha256(file.read_bytes()).digest())
    return content.hexdigest()


def _files(names: Iterable[str], project: Path) -> Iterator[Path]:
    excluded = (project / "infra" / "local", project / "infra" / "operator")
    for name in names:
        path = project / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if (
                not file.is_file()
                or IGNORED_PARTS & set(file.parts)
                or any(map(file.is_relative_to, excluded))
            ):
                continue  # does not affect the template
            yield file


def _drop_old_assets(directory: Path) -> None:
    """Remove assets that earlier syntheses staged, which the CDK keeps; layers are large."""
    referenced = {
        asset["source"]["path"]
        for listing in directory.glob("*.assets.json")
        for asset in json.loads(listing.read_text())["files"].values()
    }
    for staged in directory.glob("asset.*"):
        if staged.name not in referenced:
            shutil.rmtree(staged) if staged.is_dir() else staged.unlink()


def _run(state: State, module: str, *arguments: str) -> None:
    log = state.root / "log" / f"{module}.log"
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", module, *arguments]
    with log.open("wb") as file:
        process = subprocess.run(
            command, check=False, cwd=PROJECT, env=_environment(), stdout=file, stderr=file
        )
    if process.returncode != 0:
        output = log.read_text(errors="replace").strip()
        raise LocalCloudError(f"`python -m {module} {arguments[0]}` failed:\n{output}")


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _environment() -> Mapping[str, str]:
    """Return the environment without AWS variables and with the wheel's Node.js."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    try:
        # Python ignores an unusable TMPDIR; Node.js fails.
        return {**node.environment(variables), "TMPDIR": tempfile.gettempdir()}
    except node.NodeError as error:
        raise LocalCloudError(str(error)) from error
