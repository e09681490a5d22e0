"""What runs inside a function's process, and how that is put together.

`bootstrap` and `worker.py` are copied beside AWS's runtime client into `.local/runtime`, which is
all that functions see of this project's own environment. The client comes out of the installed,
locked packages; nothing is downloaded.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from infra.local.errors import LocalCloudError

# awslambdaric and what it requires.
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
OWN_FILES = ("bootstrap", "worker.py")


def prepare(directory: Path) -> Path:
    """Fill `directory` with the runtime client and this package's files, unless it is current."""
    try:
        distributions = [distribution(name) for name in CLIENT]
    except PackageNotFoundError as error:
        raise LocalCloudError(
            f"The package {error} is not installed. Remove .venv and run this again, which "
            "installs the locked packages."
        ) from error
    digest = _digest(distributions)
    marker = directory / ".digest"
    if marker.exists() and marker.read_text() == digest:
        return directory
    shutil.rmtree(directory, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=directory.parent) as parent:
        fresh = Path(parent, "runtime")
        fresh.mkdir(mode=0o755)
        for package in distributions:
            _copy(package, fresh)
        for name in OWN_FILES:
            shutil.copy(Path(__file__).with_name(name), fresh / name)
        (fresh / "bootstrap").chmod(0o755)
        (fresh / ".digest").write_text(digest)
        fresh.rename(directory)
    return directory


def interpreter() -> str:
    """The Python outside the virtual environment, so that functions do not see its packages."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return str(Path(base).resolve())


def can_isolate(state: Path) -> bool:
    """Whether function processes can have a /opt and a /tmp of their own (Linux, root)."""
    opt = Path("/opt")
    hidden = any(Path(path).resolve().is_relative_to(opt) for path in (sys.base_prefix, state))
    if sys.platform != "linux" or hidden or not opt.is_dir():
        return False
    # Tried, not guessed: a container may be root and still lack the right to mount.
    attempt = "mount --bind /opt /opt && mount --rbind /tmp /tmp"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", attempt]
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def _copy(package: Distribution, target: Path) -> None:
    for file in package.files or ():
        if ".." in file.parts or "__pycache__" in file.parts:
            continue  # scripts outside site-packages
        destination = target / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(package.locate_file(file)), destination)


def _digest(distributions: list[Distribution]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for package in distributions:
        digest.update(f"{package.metadata['Name']}=={package.version}\n".encode())
    for name in OWN_FILES:
        digest.update(Path(__file__).with_name(name).read_bytes())
    return digest.hexdigest()
