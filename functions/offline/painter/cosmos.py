"""Outer space: stars, a nebula and a planet."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from offline.painter import texture
from offline.painter.colour import Colour, of_hue, parse, scale, to_rgb, turned
from offline.painter.pen import Pen
from offline.painter.sky import gradient, paint_stars
from offline.painter.stage import Band, Stage


# -- space -----------------------------------------------------------------------------------------
def paint_space(stage: Stage, hue: float) -> None:
    """Fill the image with stars, a nebula and a planet."""
    light, size = stage.light, stage.size
    rng = random.Random(stage.seed + 31)
    stage.image.paste(
        gradient(size, [(0.0, light.zenith), (0.6, light.middle), (1.0, light.horizon)])
    )
    half = (size[0] // 2, size[1] // 2)
    dust = texture.clouded(half, rng.randrange(1 << 30), (stage.unit * 0.16, stage.unit * 0.12), 6)
    for turn, strength in ((0.0, 0.6), (55.0, 0.42), (-50.0, 0.42)):
        cell = stage.unit * rng.uniform(0.4, 0.6)
        cloud = texture.clouded(half, rng.randrange(1 << 30), (cell, cell * 0.7), 3)
        cloud = texture.stretched(cloud, 92, 215)
        cloud = ImageChops.multiply(cloud, texture.stretched(dust, 20, 205))
        cloud = cloud.resize(size, Image.Resampling.BICUBIC)
        stage.screen(to_rgb(of_hue(hue + turn, 0.5, 0.13)), cloud, (0, 0), strength * 1.6)
    paint_stars(stage, stage.height, 1.0)
    stage.sun = (stage.width * (0.12 if rng.random() < 0.5 else 0.88), 0.05)


def paint_planet(
    stage: Stage, x: float, y: float, radius: float, hue: float, *, ring: bool
) -> None:
    """Paint a planet with clouds and a night side; lengths in units."""
    rng = random.Random(stage.seed + 33)
    layer = stage.layer(
        Band.FAR,
        0.9,
        left=x - radius * 2.1,
        right=x + radius * 2.1,
        top=y - radius * 1.2,
        bottom=y + radius * 1.2,
    )
    pen = layer.pen
    rules = stage.light.rules
    base = rules.apply(of_hue(hue, 0.62, 0.11))
    pen.sheet.ink = lambda fill, _tone: to_rgb(fill)
    tilt = rng.uniform(-18, 18)
    if ring:
        _ring(pen, x, y, radius, tilt, base, back=True)
    pen.disc(x, y, radius, fill=base)
    clip = []
    for _ in range(9):
        at = rng.uniform(-0.9, 0.9)
        reach = math.sqrt(max(0.0, 1 - at * at)) * radius
        tone = turned(scale(base, rng.uniform(0.82, 1.14)), rng.uniform(-14, 14))
        clip.append((at, reach, tone, rng.uniform(0.02, 0.07)))
    angle = math.radians(tilt)
    for at, reach, tone, thick in clip:
        cx, cy = x - math.sin(angle) * at * radius, y + math.cos(angle) * at * radius
        pen.disc(cx, cy, reach * 0.985, radius * thick, fill=tone, turn=tilt)
    side = 0.42 if stage.sun is not None and stage.sun[0] < stage.width / 2 else -0.42
    stage.add(layer, rough=0.5, relief=0.6)
    # The night side: a blurred dark disc, shifted away from the sun, clipped to the planet.
    box = max(4, int(radius * stage.unit * 2.2))
    night = Image.new("L", (box, box), 235)
    draw = ImageDraw.Draw(night)
    r = radius * stage.unit * 1.12
    cx, cy = box / 2 - side * r * 1.25, box / 2 - r * 0.42
    draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=0)
    night = night.filter(ImageFilter.GaussianBlur(radius * stage.unit * 0.16))
    inside = Image.new("L", (box * 2, box * 2))
    r = radius * stage.unit * 2
    ImageDraw.Draw(inside).ellipse((box - r, box - r, box + r, box + r), fill=255)
    night = ImageChops.multiply(night, inside.reduce(2))
    stage.veil(
        parse("#05060f"), night, (round(x * stage.unit - box / 2), round(y * stage.unit - box / 2))
    )
    if ring:
        layer = stage.layer(
            Band.FAR,
            0.9,
            left=x - radius * 2.1,
            right=x + radius * 2.1,
            top=y - radius * 1.2,
            bottom=y + radius * 1.2,
        )
        layer.pen.sheet.ink = lambda fill, _tone: to_rgb(fill)
        _ring(layer.pen, x, y, radius, tilt, base, back=False)
        stage.add(layer, rough=0.3)


def _ring(
    pen: Pen, x: float, y: float, radius: float, tilt: float, base: Colour, *, back: bool
) -> None:
    angle = math.radians(tilt)
    cos, sin = math.cos(angle), math.sin(angle)
    for inner, outer, tone in ((1.32, 1.5, 1.1), (1.54, 1.86, 0.9), (1.9, 1.98, 1.05)):
        points = []
        for reach, order in ((outer, 1), (inner, -1)):
            for step in range(41):
                around = math.pi * (step if order > 0 else 40 - step) / 40 * (-1 if back else 1)
                u, v = math.cos(around) * reach * radius, math.sin(around) * reach * radius * 0.24
                points.append((x + u * cos - v * sin, y + u * sin + v * cos))
        pen.poly(points, scale(base, tone))
