"""Styles and moods as data: one TOML file is one style or one mood.

To add a style, add a file to `styles/` here; the API accepts it without other changes. The file
name is the slug; `name` is the value in requests. Lookups ignore case.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from common.domain.errors import InvalidInput

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Style:
    """The look of images. The three texts are part of prompts; `drawing` is for offline images."""

    name: str
    prompt: str
    technical: str
    lighting: str
    drawing: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Mood:
    """The mood of images and motion. `drawing` is for offline images."""

    name: str
    prompt: str
    motion: str
    drawing: Mapping[str, Any]


T = TypeVar("T", Style, Mood)


@cache
def styles() -> Mapping[str, Style]:
    """Return all styles by lower-case name."""
    return {s.name.lower(): s for s in (Style(**_read(p)) for p in _files("styles"))}


@cache
def moods() -> Mapping[str, Mood]:
    """Return all moods by lower-case name."""
    return {m.name.lower(): m for m in (Mood(**_read(p)) for p in _files("moods"))}


def style(name: str) -> Style:
    """Return the style of that name; raises InvalidInput with the known names."""
    return _find("style", name, styles())


def mood(name: str) -> Mood:
    """Return the mood of that name; raises InvalidInput with the known names."""
    return _find("mood", name, moods())


def _files(folder: str) -> list[Path]:
    return sorted((_HERE / folder).glob("*.toml"))


def _read(path: Path) -> dict[str, Any]:
    data = tomllib.loads(path.read_text(encoding="utf-8"))
    return {**data, "drawing": MappingProxyType(data.get("drawing", {}))}


def _find(field: str, name: str, items: Mapping[str, T]) -> T:
    item = items.get(name.strip().lower())
    if item is None:
        names = sorted(item.name for item in items.values())
        raise InvalidInput(
            f"The {field} does not exist; allowed: {', '.join(names)}.", field=field, allowed=names
        )
    return item
