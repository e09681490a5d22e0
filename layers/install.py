"""Reproducible installation of locked wheels into a directory."""

import shutil
import subprocess
from pathlib import Path

from layers.platforms import Platform, interpreter, uv

# The installer's metadata. RECORD also lists files that are deleted here.
_INSTALLER_FILES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")

_COMPILE = """
import compileall, py_compile, sys
unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
root = sys.argv[1]
done = compileall.compile_dir(
    root, quiet=1, force=True, invalidation_mode=unchecked, stripdir=root, prependdir=sys.argv[2]
)
sys.exit(0 if done else 1)
"""


def wheels(requirements: str, target: Platform, into: Path) -> None:
    """Install the requirements' wheels, verified against the hashes of the lock file."""
    listed = into.with_name(f"{into.name}.requirements")
    listed.write_text(requirements, encoding="utf-8")
    try:
        uv(
            "pip",
            "install",
            "--target",
            str(into),
            "--requirements",
            str(listed),
            "--require-hashes",
            "--no-deps",
            "--only-binary",
            ":all:",
            "--link-mode",
            "copy",  # hard links would change file times in uv's cache
            *target.resolver,
        )
    finally:
        listed.unlink()
    _drop_installer_files(into)


def _drop_installer_files(folder: Path) -> None:
    (folder / ".lock").unlink(missing_ok=True)
    shutil.rmtree(folder / "bin", ignore_errors=True)  # console scripts
    for info in folder.glob("*.dist-info"):
        for name in _INSTALLER_FILES:
            (info / name).unlink(missing_ok=True)


def bytecode(folder: Path, target: Platform, mounted: str) -> None:
    """Compile the sources for the target's Python; `mounted` is their path in Lambda.

    Layers are read-only in Lambda, so without bytecode every cold start compiles its imports
    (measured: 0.51 s instead of 0.18 s). The .pyc files are unchecked hash-based and have no
    timestamp. Does nothing if this machine has no Python of the target's version.
    """
    python = interpreter(target)
    if python is None:
        return
    # A fixed hash seed makes the order of sets in the bytecode reproducible.
    subprocess.run(
        [python, "-S", "-c", _COMPILE, str(folder), mounted],
        check=True,
        env={"PYTHONHASHSEED": "0", "LANG": "C.UTF-8"},
    )
