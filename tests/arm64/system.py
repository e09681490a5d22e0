"""An arm64 system in a folder: unpacked Debian packages and an emulator."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.lock import ROOT

FOLDER = ROOT / "build" / "arm64"
RELEASE = "trixie"  # Debian 13: the release whose Python is 3.13
PYTHON = "usr/bin/python3.13"
# The packages that Lambda's runtime also has: C and C++ libraries, Python and its dependencies.
PACKAGES = (
    *("libc6", "libgcc-s1", "libstdc++6", "zlib1g", "libexpat1", "libssl3t64", "libbz2-1.0"),
    *("libffi8", "liblzma5", "libsqlite3-0", "libuuid1", "libzstd1"),
    *("libncursesw6", "libtinfo6", "libreadline8t64"),
    *("libpython3.13-minimal", "libpython3.13-stdlib", "libpython3.13"),
    *("python3.13-minimal", "python3.13"),
)
EMULATORS = ("qemu-aarch64-static", "qemu-aarch64")


class Unavailable(Exception):
    """Raised if this machine cannot emulate arm64, with what is missing."""


@dataclass(frozen=True)
class System:
    """The unpacked system and its emulator."""

    root: Path
    emulator: Path

    def command(self, program: Path, *arguments: str) -> list[str]:
        """Return the command that runs an arm64 program on this machine."""
        return [str(self.emulator), "-L", str(self.root), str(program), *arguments]

    def script(self, path: Path, program: Path) -> Path:
        """Write an executable that runs the arm64 program, also from an emulated process."""
        line = " ".join(f"'{part}'" for part in self.command(program))
        path.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        path.chmod(0o755)
        return path

    def run(
        self, program: Path, *arguments: str, environment: Mapping[str, str], seconds: float
    ) -> subprocess.CompletedProcess[str]:
        """Run an arm64 program with exactly this environment."""
        return subprocess.run(
            self.command(program, *arguments),
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
        )


def prepare(folder: Path = FOLDER) -> System:
    """Return the system; download and unpack it if it does not exist.

    Raises Unavailable.
    """
    done = folder / "unpacked"
    wanted = " ".join([RELEASE, *PACKAGES])
    if not done.exists() or done.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        _unpack(folder)
        done.write_text(wanted)
    candidates = [shutil.which(name) for name in EMULATORS]
    candidates += [str(path) for path in folder.glob("emulator/usr/bin/qemu-aarch64")]
    return System(folder / "root", Path(next(filter(None, candidates))))


def _unpack(folder: Path) -> None:
    for program in ("apt-get", "dpkg"):
        if shutil.which(program) is None:
            raise Unavailable(f"There is no {program}; this needs Debian or a relative of it.")
    archives = folder / "archives"
    archives.mkdir(parents=True)
    apt = _apt(folder)
    _run([*apt, "update"], archives)
    _run([*apt, "download", *(f"{name}:arm64" for name in PACKAGES)], archives)
    # /lib is a link that the installation of a system creates, not a package.
    (folder / "root").mkdir()
    (folder / "root" / "lib").symlink_to("usr/lib")
    for archive in archives.glob("*.deb"):
        _run(["dpkg", "-x", str(archive), str(folder / "root")], archives)
        archive.unlink()
    if not any(map(shutil.which, EMULATORS)):
        _run([*apt, "download", "qemu-user"], archives)
        (archive,) = archives.glob("*.deb")
        _run(["dpkg", "-x", str(archive), str(folder / "emulator")], archives)
        archive.unlink()


def _apt(folder: Path) -> list[str]:
    """Write apt's settings and return its command, which uses only files below the folder."""
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / "apt" / part).mkdir(parents=True)
    architecture, state = _output(["dpkg", "--print-architecture"]), folder / "apt"
    keyring = next(Path("/usr/share/keyrings").glob("debian-archive-keyring.[gp][pg][gp]"), None)
    signed = f" signed-by={keyring}" if keyring else ""
    source = f"deb [arch={architecture},arm64{signed}] {_mirror()} {RELEASE} main\n"
    (state / "sources.list").write_text(source)
    (state / "status").touch()
    options = {
        "Dir::State": state,
        "Dir::State::lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Log": state,
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "APT::Architectures": f"{architecture},arm64",
        "Acquire::Languages": "none",
        # As root, apt would download as a user without write access to this folder.
        "APT::Sandbox::User": "root",
    }
    return ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())]


def _mirror() -> str:
    """Return the URL of Debian's archive in this machine's apt settings."""
    if mirror := os.environ.get("DEBIAN_MIRROR"):
        return mirror
    listed = _output(["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"])
    for address in listed.splitlines():
        if address.rstrip("/").endswith("/debian"):
            return address
    raise Unavailable(
        "apt here knows no mirror of Debian; set DEBIAN_MIRROR to the address of one."
    )


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise Unavailable(f"{command[0]} failed: {' '.join(last)}")
