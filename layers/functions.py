"""A copy of `functions/` with bytecode, from which the functions' assets are taken.

Lambda's file system is read-only, so without bytecode every cold start compiles the sources.
"""

import hashlib
import shutil
import tempfile
from functools import cache
from pathlib import Path

from layers import install, tree
from layers.lock import ROOT
from layers.platforms import PLATFORMS, interpreter

_SOURCES = ROOT / "functions"
_BUILD = ROOT / "build" / "functions"
_IGNORED = ("__pycache__", ".DS_Store")


@cache
def folder(platform: str) -> Path:
    """Return the folder of the copy for a platform; it is built if the sources changed."""
    target = PLATFORMS[platform]()
    digest = hashlib.sha256(f"{target.identity} {interpreter(target)}".encode())
    for path in tree.files(_SOURCES):
        if not set(path.parts) & set(_IGNORED):
            name = path.relative_to(_SOURCES).as_posix()
            digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    built = _BUILD / f"{platform}-{digest.hexdigest()[:16]}"
    if not built.exists():
        _BUILD.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_BUILD) as workspace:
            fresh = Path(workspace) / "functions"
            shutil.copytree(_SOURCES, fresh, ignore=shutil.ignore_patterns(*_IGNORED))
            install.bytecode(fresh, target, "/var/task")
            if not built.exists():  # another process may have been faster
                fresh.rename(built)
    return built
