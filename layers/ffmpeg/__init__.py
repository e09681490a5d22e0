"""The layer `ffmpeg`: a pinned build of ffmpeg as `bin/ffmpeg`, with its licences."""

import re
import shutil
from pathlib import Path

from layers import install, lock
from layers.platforms import Platform

HERE = Path(__file__).parent
_CONFIGURATION = re.compile(rb"--prefix=/ffbuild/prefix [^\0]+")
_VERSION = re.compile(
    rb"ffmpeg version (n[0-9][^\0 ]*)|\0(n[0-9]+\.[0-9.]+-[0-9]+-g[0-9a-f]+-[0-9]+)\0"
)


def build(target: Platform, into: Path) -> None:
    """Extract `bin/ffmpeg` from its wheel, and write `licenses/`."""
    unpacked = into / "wheel"
    unpacked.mkdir()
    install.wheels(lock.package("imageio-ffmpeg"), target, unpacked)
    program = _program(unpacked)
    (into / "bin").mkdir()
    licences = into / "licenses"
    licences.mkdir()
    notice = (HERE / "NOTICE.md").read_text(encoding="utf-8")
    (licences / "NOTICE.md").write_text(notice.format(**_facts(program)), encoding="utf-8")
    shutil.copy(HERE / "COPYING.GPLv3", licences)
    for licence in unpacked.glob("*.dist-info/licenses/LICENSE"):
        shutil.copy(licence, licences / "imageio-ffmpeg.LICENSE")
    program.rename(into / "bin" / "ffmpeg")
    shutil.rmtree(unpacked)


def _program(unpacked: Path) -> Path:
    programs = list((unpacked / "imageio_ffmpeg" / "binaries").glob("ffmpeg-*"))
    if len(programs) != 1:
        raise SystemExit(
            f"The imageio-ffmpeg wheel has {len(programs)} programs; expected one. It has no build "
            "for this platform, or its layout has changed. No layer was changed."
        )
    return programs[0]


def _facts(program: Path) -> dict[str, str]:
    """Read version and build configuration from the binary, which may not run on this machine."""
    content = program.read_bytes()
    configuration, version = _CONFIGURATION.search(content), _VERSION.search(content)
    if configuration is None or version is None:
        raise SystemExit(
            "The ffmpeg binary contains no build configuration, which its NOTICE requires."
        )
    return {
        "file": program.name,
        "version": (version[1] or version[2]).decode(),
        "configuration": configuration[0].decode().strip(),
    }
