"""The layer `dependencies`: the third-party packages that the functions import."""

import shutil
from pathlib import Path

from layers import install, lock
from layers.platforms import Platform

# The services that functions call, of the 430 that botocore describes. For any other service,
# creating a client raises UnknownServiceError.
SERVICES = frozenset(
    {"bedrock-runtime", "events", "lambda", "s3", "secretsmanager", "sqs", "stepfunctions", "sts"}
)


def build(target: Platform, into: Path) -> None:
    """Install the locked runtime packages for the target into `python/`."""
    packages = into / "python"
    packages.mkdir()
    install.wheels(lock.runtime(target), target, packages)
    _trim(packages)
    install.bytecode(packages, target, "/opt/python")


def _trim(packages: Path) -> None:
    data = packages / "botocore" / "data"
    available = {folder.name for folder in data.iterdir() if folder.is_dir()}
    if missing := SERVICES - available:
        raise SystemExit(f"botocore has no description of {', '.join(sorted(missing))}.")
    for unused in available - SERVICES:
        shutil.rmtree(data / unused)
    for examples in data.rglob("examples-1.json"):  # documentation only
        examples.unlink()
    for tests in packages.glob("*/tests"):
        shutil.rmtree(tests)
