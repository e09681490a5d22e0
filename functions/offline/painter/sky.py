"""The sky: gradient, sun or moon, and stars."""

import math
import random

from PIL import Image, ImageChops, ImageDraw

from offline.painter import texture
from offline.painter.colour import Colour, mix, to_rgb
from offline.painter.pen import Lamp
from offline.painter.stage import Band, Stage


def gradient(size: tuple[int, int], stops: list[tuple[float, Colour]]) -> Image.Image:
    """Return a vertical gradient through stops of (position 0 to 1, colour)."""
    rows = 180
    column = Image.new("RGB", (1, rows))
    pixels = []
    for row in range(rows):
        y = row / (rows - 1)
        after = next((i for i, (at, _) in enumerate(stops) if at >= y), len(stops) - 1)
        if after == 0:
            pixels.append(to_rgb(stops[0][1]))
            continue
        (y0, c0), (y1, c1) = stops[after - 1], stops[after]
        share = min(1.0, (y - y0) / max(1e-6, y1 - y0))
        pixels.append(to_rgb(mix(c0, c1, share)))
    column.putdata(pixels)
    return column.resize(size, Image.Resampling.BICUBIC)


def paint_sky(stage: Stage, horizon: float, sun_x: float, weather: str) -> None:
    """Paint the sky; `horizon` is in units from the top, `sun_x` in units."""
    light, size = stage.light, stage.size
    depth = min(1.0, horizon / stage.height + 0.04)
    stops = [
        (0.0, light.zenith),
        (depth * 0.55, light.middle),
        (depth, light.horizon),
        (1.0, light.haze),
    ]
    stage.image.paste(gradient(size, stops))
    if light.stars > 0.02:
        paint_stars(stage, horizon, light.stars)
    if light.disc != "none":
        sun_y = max(0.1 * stage.height, horizon - light.sun * horizon * 0.92)
        stage.sun = (sun_x, sun_y)
        _disc(stage, sun_x, sun_y)
    else:
        stage.sun = (sun_x, 0.0) if light.sun > 0.9 else None


def _disc(stage: Stage, x: float, y: float) -> None:
    light, unit = stage.light, stage.unit
    moon = light.disc == "moon"
    radius = 0.055 if moon else 0.05 + 0.03 * (1 - light.sun)
    glow = to_rgb(light.glow)
    wide = 0.95 if not moon else 0.6
    strength = (0.75 if not moon else 0.5) * (0.6 + 0.5 * stage.drawing.bloom)
    for reach, share in ((wide, 0.62), (wide * 0.45, 0.6), (radius * 2.4, 0.55)):
        stage.shine(Lamp(x * unit, y * unit, reach * unit, glow, strength * share))
    layer = stage.layer(
        Band.SKY, 1.0, left=x - 0.2, right=x + 0.2, top=y - 0.2, bottom=y + 0.2, factor=4
    )
    pen = layer.pen
    face = mix(light.glow, (1.0, 1.0, 1.0), 0.55)
    pen.sheet.ink = lambda fill, _tone: to_rgb(fill)
    pen.sheet.line = 0.0
    pen.disc(x, y, radius, fill=face)
    if moon:
        grey = mix(face, light.middle, 0.22)
        for dx, dy, r in (
            (-0.35, -0.2, 0.22),
            (0.25, 0.3, 0.3),
            (0.3, -0.42, 0.14),
            (-0.3, 0.42, 0.12),
        ):
            pen.disc(x + dx * radius, y + dy * radius, r * radius, fill=grey)
    stage.add(layer, rough=0.0, relief=0.3)


def paint_stars(stage: Stage, horizon: float, amount: float) -> None:
    """Paint stars above the horizon (units), and the Milky Way if there are many."""
    width, height = stage.size
    sprinkle = random.Random(stage.seed + 5)
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    limit = min(height, int(horizon * stage.unit))
    for _ in range(int(420 * amount * stage.width * stage.height)):
        x, y = sprinkle.randrange(width), int(sprinkle.random() ** 1.3 * limit)
        canvas.putpixel((x, y), int(sprinkle.randrange(70, 230) * (1 - 0.7 * y / max(1, limit))))
    for _ in range(int(46 * amount * stage.width)):
        x, y = sprinkle.randrange(width), int(sprinkle.random() ** 1.4 * limit * 0.9)
        radius = stage.unit * sprinkle.uniform(0.0009, 0.0021)
        draw.ellipse(
            (x - radius, y - radius, x + radius, y + radius), fill=sprinkle.randrange(170, 256)
        )
        if sprinkle.random() < 0.5:
            stage.lamps.append(Lamp(x, y, stage.unit * 0.006, (255, 255, 255), 0.8))
    stage.screen(to_rgb(mix(stage.light.glow, (1.0, 1.0, 1.0), 0.6)), canvas, (0, 0), amount)
    if amount > 0.6:
        _milky_way(stage, limit)


def _milky_way(stage: Stage, limit: int) -> None:
    width, height = stage.size
    limit = max(8, limit)
    cloud = texture.clouded(
        (width, limit), stage.seed + 7, (stage.unit * 0.35, stage.unit * 0.14), 5
    )
    band = Image.linear_gradient("L").point(
        [round(255 * math.sin(math.pi * v / 255) ** 3) for v in range(256)]
    )
    tilt = -24 if stage.seed % 2 else 24
    reach = int(math.hypot(width, height) * 1.3)
    band = band.resize((reach, int(stage.unit * 0.75))).rotate(
        tilt, expand=True, resample=Image.Resampling.BILINEAR
    )
    left, top = (band.width - width) // 2, (band.height - limit) // 2
    band = band.crop((left, top, left + width, top + limit))
    veil = ImageChops.multiply(texture.stretched(cloud, 96, 215), band)
    stage.screen(to_rgb(mix(stage.light.glow, stage.light.horizon, 0.45)), veil, (0, 0), 0.4)
