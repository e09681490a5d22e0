"""The layer `speech`: the offline voice eSpeak NG, with its licence."""

import re
import shutil
from pathlib import Path

from layers import ffmpeg, install, lock
from layers.platforms import Platform

HERE = Path(__file__).parent
_PACKAGE = "espeakng-loader"
# The library says which data it takes by its own version.
_VERSION = re.compile(rb"\0(\d+\.\d+(?:\.\d+)?)\0")


def build(target: Platform, into: Path) -> None:
    """Lay out `python/espeakng_loader` from the wheel that carries it, and `licenses/`."""
    packages = into / "python"
    packages.mkdir()
    requirement = lock.package(_PACKAGE)
    install.wheels(requirement, target, packages)
    home = packages / "espeakng_loader"
    library = _library(home)
    for copy in home.glob("libespeak-ng*"):
        if copy != library:  # the same bytes under the names that a linker would look for
            copy.unlink()
    licences = into / "licenses"
    licences.mkdir()
    notice = (HERE / "NOTICE.md").read_text(encoding="utf-8")
    facts = {"version": _version(library), "package": requirement.split()[0].partition("==")[2]}
    (licences / "espeak-ng.NOTICE.md").write_text(notice.format(**facts), encoding="utf-8")
    shutil.copy(ffmpeg.HERE / "COPYING.GPLv3", licences)
    install.bytecode(packages, target, "/opt/python")


def _library(home: Path) -> Path:
    for name in ("libespeak-ng.so", "libespeak-ng.dylib"):
        if (home / name).is_file():
            return home / name
    raise SystemExit(
        f"The {_PACKAGE} wheel holds no library for this platform, or its layout has changed. "
        "No layer was changed."
    )


def _version(library: Path) -> str:
    found = _VERSION.search(library.read_bytes())
    if found is None:
        raise SystemExit(f"The library of {_PACKAGE} does not say its version; see its NOTICE.")
    return found[1].decode()
