"""Lighting: conversion of local colours into colours lit by sky, sun and air."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from offline.painter.colour import Colour, Rgb, mix, parse, scale, times, to_rgb, tuned, turned


@dataclass(frozen=True, slots=True)
class Rules:
    """Combined palette rules of style and mood; see `colour.tuned`."""

    saturation: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    warmth: float = 0.0

    def apply(self, colour: Colour) -> Colour:
        """Apply the rules to the colour."""
        return tuned(
            colour,
            saturation=self.saturation,
            contrast=self.contrast,
            brightness=self.brightness,
            warmth=self.warmth,
        )


@dataclass(frozen=True, slots=True)
class Light:
    """Colours of sky, sun and shadow. `sun` is the sun's height above the horizon, 0 to 1."""

    zenith: Colour
    middle: Colour
    horizon: Colour
    glow: Colour
    key: Colour
    shade: Colour
    haze: Colour
    ambient: float
    sun: float
    disc: str
    stars: float
    lamps: float
    rules: Rules
    thickness: float

    @property
    def backlight(self) -> float:
        """Degree of backlighting, 0 to 1."""
        return max(0.0, 1.0 - 2.2 * self.sun) if self.disc == "sun" else 0.0

    def seen(self, fill: Colour, depth: float, tone: float = 0.0) -> Colour:
        """Return the lit colour of an object.

        `depth` is from 0 (far) to 1 (near); `tone` is from -1 (full shadow) to 1 (full light).
        """
        lit = scale(times(fill, self.key), self.ambient)
        shaded = scale(times(fill, self.shade, 0.85), 0.42 + 0.45 * self.ambient)
        level = 0.66 + 0.5 * tone - 0.34 * self.backlight * depth
        body = mix(shaded, lit, min(1.0, max(0.0, level)))
        if tone > 0.7:
            body = mix(body, self.glow, (tone - 0.7) * 0.8)
        body = mix(
            self.rules.apply(body),
            self.horizon,
            0.05 + 0.13 * (1.0 - self.sun) * (1.0 - 0.6 * depth),
        )
        return mix(body, self.haze, self.distance(depth))

    def ink(self, fill: Colour, depth: float, tone: float = 0.0) -> Rgb:
        """Return `seen` as bytes."""
        return to_rgb(self.seen(fill, depth, tone))

    def distance(self, depth: float) -> float:
        """Return the share of haze over an object, 0 to 1."""
        share: float = (1.0 - min(1.0, max(0.0, depth))) ** 1.35
        return self.thickness * share


def light(
    time: str, rules: Rules, *, haze: float, turn: float = 0.0, follow: tuple[Colour, ...] = ()
) -> Light:
    """Return the light of a time of day.

    `haze` is the density of haze, 0 to 1. `turn` rotates all hues. `follow` are colours of a
    reference image (dark to light), towards which the sky is shifted.
    """
    table = hours()[time]

    def colour_of(name: str) -> Colour:
        colour = turned(parse(table[name]), turn)
        if follow:
            target = min(follow, key=lambda other: _apart(other, colour))
            colour = mix(colour, target, 0.35)
        return rules.apply(colour)

    return Light(
        zenith=colour_of("zenith"),
        middle=colour_of("middle"),
        horizon=colour_of("horizon"),
        glow=colour_of("glow"),
        key=parse(table["key"]),
        shade=turned(parse(table["shade"]), turn),
        haze=colour_of("haze"),
        ambient=table["ambient"],
        sun=table["sun"],
        disc=table["disc"],
        stars=table["stars"],
        lamps=table["lamps"],
        rules=rules,
        thickness=min(0.96, haze),
    )


def _apart(first: Colour, second: Colour) -> float:
    return sum((a - b) ** 2 for a, b in zip(first, second, strict=True))


@cache
def hours() -> Mapping[str, Mapping[str, Any]]:
    """Return all times of day with their colours."""
    path = Path(__file__).with_name("light.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
