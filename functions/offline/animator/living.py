"""Particle and light effects: rain, snow, floating motes and flickering lights."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from offline.animator.layers import Planes

_WHITE = 235
_FLICKER = 6
"""Brightness levels of a flickering light."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """A light in the image: centre and radius in pixels, phase in radians."""

    x: int
    y: int
    radius: int
    phase: float


def lamps(facts: Mapping[str, Any], size: tuple[int, int]) -> list[Lamp]:
    """Return the valid lights of the depth map's document, at most 24."""
    lights = []
    entries = facts.get("lamps")
    for item in entries[:24] if isinstance(entries, list) else []:
        try:
            x, y, radius = int(item[0]), int(item[1]), int(item[2])
        except (TypeError, ValueError, IndexError, KeyError):
            continue
        if 0 <= x < size[0] and 0 <= y < size[1] and 0 < radius <= max(size):
            lights.append(Lamp(x, y, min(radius, size[1] // 6), (x * 7 + y * 13) % 628 / 100))
    return lights


class Flicker:
    """Flickering lights, drawn on the canvas before it is cropped to the view."""

    def __init__(self, lights: Sequence[Lamp]) -> None:
        self._lights = lights
        self._glows = {light.radius: _glows(light.radius) for light in lights}

    def draw(self, canvas: Planes, seconds: float, shift: Sequence[tuple[float, float]]) -> None:
        """Draw all lights; `shift` has the offset of each light's layer."""
        for light, (dx, dy) in zip(self._lights, shift, strict=True):
            wave = math.sin(seconds * 5.1 + light.phase) + 0.6 * math.sin(
                seconds * 11.7 + light.phase * 3
            )
            level = round((wave + 1.6) / 3.2 * (_FLICKER - 1))
            glow = self._glows[light.radius][level]
            corner = (round(light.x + dx - light.radius), round(light.y + dy - light.radius))
            canvas[0].paste(
                _WHITE, (*corner, corner[0] + glow.width, corner[1] + glow.height), glow
            )


def _glows(radius: int) -> list[Image.Image]:
    size = max(2, radius * 2)
    falloff = [max(0.0, 1 - v / 178) ** 2 for v in range(256)]
    return [
        Image.radial_gradient("L")
        .point([round(110 * share * level / (_FLICKER - 1)) for share in falloff])
        .resize((size, size), Image.Resampling.BILINEAR)
        for level in range(_FLICKER)
    ]


class Falling:
    """Rain or snow: a far and a near sheet that fall at different speeds."""

    def __init__(self, kind: str, size: tuple[int, int], seed: int) -> None:
        rng = random.Random(f"{kind} {seed}")
        self._rain = kind == "rain"
        self._size = size
        unit = min(size)
        self._sheets = []
        for share in (0.55, 1.0):
            sheet = _rain(size, rng, unit, share) if self._rain else _snow(size, rng, unit, share)
            speed = unit * share * (1.9 if self._rain else 0.16)
            drift = -speed * 0.14 if self._rain else unit * 0.02 * share
            self._sheets.append((sheet, sheet.reduce(2), speed, drift))

    def draw(self, frame: Planes, seconds: float) -> None:
        """Draw the weather on a frame."""
        for sheet, half, speed, drift in self._sheets:
            sway = 0.0 if self._rain else math.sin(seconds * 1.3 + speed) * self._size[1] * 0.008
            dx, dy = round(drift * seconds + sway), round(speed * seconds)
            frame[0].paste(_WHITE, (0, 0, *frame[0].size), ImageChops.offset(sheet, dx, dy))
            small = ImageChops.offset(half, dx // 2, dy // 2)
            for plane in frame[1:]:
                plane.paste(128, (0, 0, *plane.size), small)


def _snow(size: tuple[int, int], rng: random.Random, unit: int, share: float) -> Image.Image:
    sheet = Image.new("L", size)
    draw = ImageDraw.Draw(sheet)
    for _ in range(int(150 * size[0] * size[1] / unit / unit)):
        x, y = rng.uniform(8, size[0] - 8), rng.uniform(8, size[1] - 8)
        r = unit * rng.uniform(0.0015, 0.0042) * share
        draw.ellipse((x - r, y - r, x + r, y + r), fill=rng.randrange(120, 235))
    return sheet.filter(ImageFilter.BoxBlur(0.6 + 0.6 * share))


def _rain(size: tuple[int, int], rng: random.Random, unit: int, share: float) -> Image.Image:
    sheet = Image.new("L", (size[0] * 2, size[1]))
    draw = ImageDraw.Draw(sheet)
    for _ in range(int(170 * size[0] * size[1] / unit / unit)):
        x, y = rng.uniform(0, sheet.width), rng.uniform(0, size[1])
        long = unit * rng.uniform(0.02, 0.055) * share
        draw.line((x, y, x - long * 0.28, y + long), fill=rng.randrange(40, 105), width=2)
    return sheet.reduce((2, 1))


class Motes:
    """Floating specks: dust in light, fireflies at night or bubbles under water."""

    def __init__(self, kind: str, size: tuple[int, int], seed: int) -> None:
        rng = random.Random(f"motes {kind} {seed}")
        unit = min(size)
        self._size = size
        self._kind = kind
        radius = {"fireflies": 0.0075, "bubbles": 0.007}.get(kind, 0.0042) * unit
        strength = {"fireflies": 230, "bubbles": 105}.get(kind, 84)
        self._specks = [_speck(radius, strength, fx, fy) for fy in range(4) for fx in range(4)]
        count = {"fireflies": 16, "bubbles": 26}.get(kind, 22)
        self._paths = [
            (rng.random(), rng.random(), rng.uniform(0.4, 1.0), rng.uniform(0, math.tau))
            for _ in range(count)
        ]

    def draw(self, frame: Planes, seconds: float) -> None:
        """Draw the specks on a frame."""
        width, height = self._size
        rise = {"bubbles": 0.11, "fireflies": 0.008}.get(self._kind, 0.012)
        for u, v, pace, phase in self._paths:
            x = (u + 0.012 * math.sin(seconds * 0.9 * pace + phase)) * width
            y = ((v - rise * pace * seconds) % 1.0) * height
            if self._kind == "fireflies":
                y = (0.45 + 0.5 * v + 0.012 * math.sin(seconds * pace + phase * 2)) * height
                if math.sin(seconds * 2.2 * pace + phase) < -0.2:
                    continue
            left, top = math.floor(x), math.floor(y)
            speck = self._specks[int((y - top) * 4) * 4 + int((x - left) * 4)]
            frame[0].paste(_WHITE, (left, top, left + speck.width, top + speck.height), speck)
            if self._kind == "fireflies":
                self._warm(frame, left // 2, top // 2)

    def _warm(self, frame: Planes, left: int, top: int) -> None:
        small = self._specks[0].reduce(2)
        box = (left, top, left + small.width, top + small.height)
        frame[1].paste(70, box, small)
        frame[2].paste(150, box, small)


def _speck(radius: float, strength: int, fx: int, fy: int) -> Image.Image:
    size = math.ceil(radius * 2) + 3
    scale = 4
    canvas = Image.new("L", (size * scale, size * scale))
    middle, reach = size * scale / 2, radius * scale
    x, y = middle + fx, middle + fy
    ImageDraw.Draw(canvas).ellipse((x - reach, y - reach, x + reach, y + reach), fill=strength)
    return canvas.filter(ImageFilter.GaussianBlur(radius * scale * 0.45)).reduce(scale)
