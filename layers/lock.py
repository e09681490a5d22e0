"""The locked requirements of a layer: a resolution selects them from requirements.lock."""

import re
from pathlib import Path

from layers.platforms import Platform, uv

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
PROJECT = ROOT / "pyproject.toml"

_BLOCK = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;\\]+).*?(?=^\S|\Z)", re.S | re.M
)


def blocks() -> dict[tuple[str, str], str]:
    """Return the entries of the lock file, with hashes, by name and version."""
    text = LOCK.read_text(encoding="utf-8")
    return {(match["name"], match["version"]): match[0] for match in _BLOCK.finditer(text)}


def runtime(target: Platform) -> str:
    """Return the requirements, with hashes, of pyproject's `dependencies` on the target.

    The lock file covers all platforms and the development tools. uv resolves the dependencies for
    the target, constrained to the lock file. Raises SystemExit for a package that is not locked.
    """
    resolved = uv(
        "pip",
        "compile",
        str(PROJECT),
        "--constraint",
        str(LOCK),
        *target.resolver,
        "--only-binary",
        ":all:",
        "--no-header",
        "--no-annotate",
        "--no-strip-markers",
    )
    pins = [line.partition(";")[0].strip() for line in resolved.splitlines() if "==" in line]
    return "".join(_locked(pin) for pin in pins)


def package(name: str) -> str:
    """Return the requirement of a locked package, with hashes."""
    requirements = [text for (known, _), text in blocks().items() if known == name]
    if len(requirements) != 1:
        raise SystemExit(
            f"requirements.lock holds {len(requirements)} entries for {name}; expected one."
        )
    return requirements[0]


def _locked(pin: str) -> str:
    name, _, version = pin.partition("==")
    try:
        return blocks()[name, version]
    except KeyError:
        raise SystemExit(
            f"{pin} is required but is not in requirements.lock. No layer was changed. "
            "Run `make lock`."
        ) from None
