"""Proportions of four-legged animals, with data in `animals.toml`."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Build:
    """Proportions of a four-legged animal, in units of its height including the head."""

    back: float = 0.62
    length: float = 0.62
    girth: float = 0.27
    leg: float = 0.085
    ankle: float = 0.05
    neck: float = 0.16
    raise_head: float = 0.2
    reach_head: float = 0.16
    head: float = 0.13
    snout: float = 0.16
    snout_girth: float = 0.085
    ears: str = "point"
    tail: str = "up"
    mane: bool = False
    horns: str = ""
    socks: float = 0.0
    stripes: bool = False
    spots: bool = False
    belly: bool = True
    woolly: bool = False


@cache
def builds() -> Mapping[str, Build]:
    """Return the proportions of all four-legged animals by name."""
    path = Path(__file__).with_name("animals.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return {name: Build(**entry) for name, entry in table.items()}
