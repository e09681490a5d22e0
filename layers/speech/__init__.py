"""The layer `speech`: the offline text-to-speech engine eSpeak NG, with its licence."""

import re
import shutil
from pathlib import Path

from layers import ffmpeg, install, lock
from layers.platforms import Platform

HERE = Path(__file__).parent
_PACKAGE = "espeakng-loader"
# The library contains its version, which has to match its data.
_VERSION = re.compile(rb"\0(\d+\.\d+(?:\.\d+)?)\0")


def build(target: Platform, into: Path) -> None:
    """Install `python/espeakng_loader` from its wheel, and write `licenses/`."""
    packages = into / "python"
    packages.mkdir()
    requirement = lock.package(_PACKAGE)
    install.wheels(requirement, target, packages)
    home = packages / "espeakng_loader"
    library = _library(home)
    for copy in home.glob("libespeak-ng*"):
        if copy != library:  # identical copies under the names for linkers
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
        f"The {_PACKAGE} wheel has no library for this platform, or its layout has changed. "
        "No layer was changed."
    )


def _version(library: Path) -> str:
    match = _VERSION.search(library.read_bytes())
    if match is None:
        raise SystemExit(
            f"The library of {_PACKAGE} contains no version, which its NOTICE requires."
        )
    return match[1].decode()
