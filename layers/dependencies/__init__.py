"""The layer `dependencies`: what the functions import and have not written themselves."""

import shutil
from pathlib import Path

from layers import install, lock
from layers.platforms import Platform

# Of botocore's 430 service descriptions, those of services that functions may call. A new
# service is one line here; without it, creating its client says that the service is unknown.
SERVICES = frozenset(
    {"bedrock-runtime", "events", "lambda", "s3", "secretsmanager", "sqs", "stepfunctions", "sts"}
)


def build(target: Platform, into: Path) -> None:
    """Lay out `python/` with the locked runtime packages for the target."""
    packages = into / "python"
    packages.mkdir()
    install.wheels(lock.runtime(target), target, packages)
    _trim(packages)
    install.bytecode(packages, target, "/opt/python")


def _trim(packages: Path) -> None:
    data = packages / "botocore" / "data"
    known = {folder.name for folder in data.iterdir() if folder.is_dir()}
    if missing := SERVICES - known:
        raise SystemExit(f"botocore has no description of {', '.join(sorted(missing))}.")
    for unused in known - SERVICES:
        shutil.rmtree(data / unused)
    for described in data.rglob("examples-1.json"):  # documentation, never read by a client
        described.unlink()
    for tests in packages.glob("*/tests"):
        shutil.rmtree(tests)
