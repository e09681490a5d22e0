"""Which locked packages a layer needs: names from a resolution, pins and hashes from the lock."""

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
    """Return the lock's entries, hashes included, by name and version."""
    text = LOCK.read_text(encoding="utf-8")
    return {(found["name"], found["version"]): found[0] for found in _BLOCK.finditer(text)}


def runtime(target: Platform) -> str:
    """Return requirements (with hashes) for what pyproject's `dependencies` need on the target.

    The lock serves every platform and also the tools, so the resolver says which of its
    packages this target needs; it may choose nothing that the lock does not hold.
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
    """Return the requirement (with hashes) of one locked package."""
    found = [text for (known, _), text in blocks().items() if known == name]
    if len(found) != 1:
        raise SystemExit(f"requirements.lock holds {len(found)} entries for {name}, not one.")
    return found[0]


def _locked(pin: str) -> str:
    name, _, version = pin.partition("==")
    try:
        return blocks()[name, version]
    except KeyError:
        raise SystemExit(
            f"{pin} is needed but is not in requirements.lock; no layer was changed. "
            "Run `make lock`."
        ) from None
