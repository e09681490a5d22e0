"""The Lambda runtime of function processes.

`prepare` copies `bootstrap`, `worker.py` and AWS's runtime client, from the installed locked
packages, into `.local/runtime`. Functions see nothing else of the project's virtual environment.
"""

import hashlib
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from infra.local.errors import LocalCloudError

# awslambdaric and its dependencies.
CLIENT = ("awslambdaric", "simplejson", "snapshot-restore-py")
OWN_FILES = ("bootstrap", "worker.py")


def prepare(directory: Path) -> Path:
    """Copy the runtime client and this package's files to `directory`, unless it is current."""
    try:
        distributions = [distribution(name) for name in CLIENT]
    except PackageNotFoundError as error:
        raise LocalCloudError(
            f"The package {error} is not installed. Remove .venv and run this again to install the "
            "locked packages."
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
    """Return the Python outside the virtual environment, which does not have its packages."""
    base: str = getattr(sys, "_base_executable", sys.executable)
    return str(Path(base).resolve())


def can_isolate(state: Path) -> bool:
    """Return True if function processes can have private /opt and /tmp mounts (Linux, root)."""
    opt = Path("/opt")
    hidden = any(Path(path).resolve().is_relative_to(opt) for path in (sys.base_prefix, state))
    if sys.platform != "linux" or hidden or not opt.is_dir():
        return False
    # Tested by mounting: root in a container may lack the permission.
    script = "mount --bind /opt /opt && mount --rbind /tmp /tmp"
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
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
