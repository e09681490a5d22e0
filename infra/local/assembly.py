"""Layers and the synthesized template, made only when what goes into them has changed."""

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
PLATFORM = "local"  # of the layers: this machine


def build(state: State, changes: Mapping[str, str] | None = None) -> Path:
    """Layers and template, made where they are missing or stale; the assembly's directory.

    `changes` of the stage make a template of their own beside the plain one, which the tests use.
    Another process of this clone that builds at the same time is waited for. Raises
    LocalCloudError with what the failed program printed.
    """
    output = OUTPUT.with_name(f"{OUTPUT.name}-changed") if changes else OUTPUT
    settings = [f"--set={name}={value}" for name, value in sorted((changes or {}).items())]
    output.parent.mkdir(exist_ok=True)
    with OUTPUT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layers_are_current():
            _run(state, "layers", "local")
        # Beside the output, not in the state directory: what is current is so for everybody.
        wanted, marker = " ".join([digest(INPUTS), *settings]), output.with_suffix(".digest")
        if not (output / "manifest.json").exists() or _text(marker) != wanted:
            marker.unlink(missing_ok=True)
            _run(state, "infra.app", "--stage", "local", "--out", str(output), *settings)
            _drop_old_assets(output)
            write_atomically(marker, wanted)
    return output


def layers_are_current() -> bool:
    """Whether every layer is built for this machine from the present sources and lock."""
    return all(layer_build.is_current(PLATFORM, layer) for layer in layer_build.LAYERS)


def digest(names: Iterable[str], project: Path = PROJECT) -> str:
    """Changes when any file below `names` does, or this machine's Python or platform."""
    total = hashlib.sha256(f"{sys.version} {platform.platform()}".encode())
    for file in _files(names, project):
        total.update(f"{file.relative_to(project)}\0{file.stat().st_mode:o}\0".encode())
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def _files(names: Iterable[str], project: Path) -> Iterator[Path]:
    own = (project / "infra" / "local", project / "infra" / "operator")
    for name in names:
        path = project / name
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if (
                not file.is_file()
                or IGNORED_PARTS & set(file.parts)
                or any(map(file.is_relative_to, own))
            ):
                continue  # what runs or deploys the template has no part in it
            yield file


def _drop_old_assets(directory: Path) -> None:
    """Remove what earlier syntheses staged; the CDK leaves it, and layers are large."""
    wanted = {
        asset["source"]["path"]
        for listing in directory.glob("*.assets.json")
        for asset in json.loads(listing.read_text())["files"].values()
    }
    for staged in directory.glob("asset.*"):
        if staged.name not in wanted:
            shutil.rmtree(staged) if staged.is_dir() else staged.unlink()


def _run(state: State, module: str, *arguments: str) -> None:
    log = state.root / "log" / f"{module}.log"
    log.parent.mkdir(exist_ok=True)
    command = [sys.executable, "-m", module, *arguments]
    with log.open("wb") as file:
        done = subprocess.run(
            command, check=False, cwd=PROJECT, env=_environment(), stdout=file, stderr=file
        )
    if done.returncode != 0:
        words = log.read_text(errors="replace").strip()
        raise LocalCloudError(f"`python -m {module} {arguments[0]}` failed:\n{words}")


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except FileNotFoundError:
        return None


def _environment() -> Mapping[str, str]:
    """Nothing of AWS, and the wheel's Node for the CDK's kernel."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    try:
        # Python passes over a TMPDIR that cannot be used; Node fails.
        return {**node.environment(kept), "TMPDIR": tempfile.gettempdir()}
    except node.NodeError as error:
        raise LocalCloudError(str(error)) from error
