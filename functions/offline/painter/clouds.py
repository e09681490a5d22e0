"""Clouds: soft ones from noise, bold ones from overlapping discs."""

import math
import random
from collections.abc import Iterator

from PIL import Image, ImageChops

from offline.painter import texture
from offline.painter.colour import Colour, mix, to_rgb
from offline.painter.curves import shape
from offline.painter.pen import Pen
from offline.painter.stage import Band, Stage


# -- clouds ----------------------------------------------------------------------------------------
def paint_clouds(stage: Stage, horizon: float, cover: float) -> None:
    """Paint clouds over the sky; `cover` is from 0 (none) to 1 (overcast)."""
    if cover <= 0.02:
        return
    if stage.drawing.clouds == "bold":
        _bold_clouds(stage, horizon, cover)
    else:
        _soft_clouds(stage, horizon, cover)


def _soft_clouds(stage: Stage, horizon: float, cover: float) -> None:
    light, unit = stage.light, stage.unit
    width, height = stage.size[0], max(16, int(horizon * unit))
    margin = max(4, round(unit * 0.016))
    half = (width // 2 + 2 * margin, height // 2 + margin)
    large = texture.clouded(half, stage.seed + 21, (unit * 0.34, unit * 0.13), 3)
    fine = texture.clouded(half, stage.seed + 23, (unit * 0.075, unit * 0.03), 4)
    noise = ImageChops.add(large.point(_gain(0.72)), fine.point(_gain(0.34)), 1.0, -8)
    noise = _towards_horizon(noise)
    low = 158 - 66 * cover
    body = texture.stretched(noise, low, low + 46)
    body = ImageChops.multiply(body, texture.ramp(half, 255, 96))
    dx, dy = stage.towards_light(unit * 0.011 + 2)
    lit = ImageChops.subtract(noise, ImageChops.offset(noise, -dx, -dy), 0.3, 128)
    thick = texture.stretched(noise, low + 14, low + 92)  # the middle of a cloud is darker
    lit = ImageChops.subtract(lit, thick.point(_gain(0.36)))
    inside = (margin, margin, half[0] - margin, half[1])
    body, lit = body.crop(inside), lit.crop(inside)
    size = (width, height)
    body = body.resize(size, Image.Resampling.BICUBIC)
    lit = lit.resize(size, Image.Resampling.BICUBIC)
    bright = mix(light.glow, (1.0, 1.0, 1.0), 0.45 * light.ambient)
    dark = mix(mix(light.middle, light.shade, 0.55), light.zenith, 0.2)
    if light.ambient < 0.62:
        bright = mix(bright, light.middle, 0.55)
    shares = [min(1.0, max(0.0, (v - 52) / 104)) for v in range(256)]
    colours = Image.merge(
        "RGB",
        [
            lit.point([round(255 * (d + (b - d) * share)) for share in shares])
            for d, b in zip(dark, bright, strict=True)
        ],
    )
    stage.image.paste(colours, (0, 0), body.point(_gain(0.9)))
    stage.labels.paste(int(Band.CLOUDS), (0, 0), body.point([255 * (v >= 24) for v in range(256)]))


def _gain(factor: float) -> list[int]:
    return [round(v * factor) for v in range(256)]


def _towards_horizon(noise: Image.Image) -> Image.Image:
    """Return the noise compressed towards the horizon, where clouds are farther away."""
    width, height = noise.size
    result = Image.new("L", noise.size)
    slices, start = 24, 0
    for i in range(slices):
        end = round(height * (i + 1) / slices)
        if end <= start:
            continue
        top = height * (1 - (1 - i / slices) ** 0.6)
        bottom = height * (1 - (1 - (i + 1) / slices) ** 0.6)
        strip = noise.resize(
            (width, end - start), Image.Resampling.BILINEAR, box=(0, top, width, bottom)
        )
        result.paste(strip, (0, start))
        start = end
    return result


def _bold_clouds(stage: Stage, horizon: float, cover: float) -> None:
    light = stage.light
    rng = random.Random(stage.seed + 22)
    white = mix((1.0, 1.0, 1.0), light.glow, 0.3)
    dim = max(0.0, min(0.75, 1.15 * (0.9 - light.ambient)))
    tones = (
        mix(mix(mix(light.middle, light.shade, 0.3), white, 0.34), light.middle, dim),
        mix(mix(mix(light.horizon, light.middle, 0.35), white, 0.6), light.middle, dim),
        mix(mix(white, light.key, 0.12), light.middle, dim),
    )
    count = max(3, round((3 + 7 * cover) * stage.width / 1.6))
    heaps = []
    for i in range(count):
        near = ((i * 0.618) % 1.0) ** 1.6
        x = ((i + 0.5) / count * 1.16 - 0.08 + rng.uniform(-0.05, 0.05)) * stage.width
        heaps.append((near, x, rng.randrange(1 << 30)))
    for near, x, key in sorted(heaps):
        wide = (0.10 + 0.30 * near) * (0.75 + 0.5 * cover)
        y = horizon * (0.93 - 0.68 * near)
        layer = stage.layer(
            Band.CLOUDS,
            0.35 + 0.4 * near,
            top=y - wide * 1.3,
            bottom=y + wide * 0.25,
            left=x - wide * 2.2,
            right=x + wide * 2.2,
        )
        layer.pen.sheet.ink = lambda fill, _tone: to_rgb(fill)
        faded = [mix(tone, light.horizon, 0.55 * (1 - near)) for tone in tones]
        _heap(layer.pen, random.Random(key), x, y, wide, faded)
        if stage.drawing.line_width < 1.5:
            _fade_base(layer.canvas)
        stage.add(layer, rough=0.12, relief=0.4, label_from=40)


_BASE = shape("-1.5,0 -0.7,0.14 0.7,0.14 1.5,0 0.5,-0.035 -0.5,-0.035")


def _heap(
    pen: Pen, rng: random.Random, x: float, y: float, wide: float, tones: list[Colour]
) -> None:
    """Draw overlapping discs in three tones: shadow below, body, lit top."""
    cloud = pen.at(x, y, wide)
    lobes = _lobes(rng)
    puffs = [puff for lobe in lobes for puff in _puffs(rng, lobe)]
    shadow, body, top = tones
    with cloud.group():
        for at, half, tall in lobes:
            cloud.disc(at, tall * 0.35, half * 0.86, tall * 0.62, fill=shadow)
        for px, py, radius in puffs:
            cloud.disc(px, py, radius, fill=shadow)
        cloud.blob(_BASE, shadow)
    with cloud.plain():
        for at, half, tall in lobes:
            cloud.disc(at - half * 0.05, tall * 0.47, half * 0.74, tall * 0.53, fill=body)
        for px, py, radius in puffs:
            cloud.disc(px - radius * 0.15, py + radius * 0.26, radius * 0.9, fill=body)
        for at, half, tall in lobes:
            cloud.disc(at - half * 0.1, tall * 0.52, half * 0.6, tall * 0.36, fill=top)
        for px, py, radius in puffs:
            if py > 0.12:
                cloud.disc(px - radius * 0.3, py + radius * 0.11, radius * 0.82, fill=top)


def _lobes(rng: random.Random) -> list[tuple[float, float, float]]:
    """Return the bodies of a cloud: centre, half width and height."""
    lobes = [(0.0, rng.uniform(0.7, 1.0), rng.uniform(0.5, 0.85))]
    for side in (-1, 1):
        middle = side * rng.uniform(0.6, 0.9)
        lobes.append((middle, rng.uniform(0.45, 0.7), rng.uniform(0.22, 0.45)))
    return lobes


def _puffs(
    rng: random.Random, lobe: tuple[float, float, float]
) -> Iterator[tuple[float, float, float]]:
    """Yield the discs along the upper edge of a body: x, y and radius."""
    at, half, tall = lobe
    for i in range(9):
        around = math.pi * (i + 0.5) / 9
        radius = tall * rng.uniform(0.2, 0.36) * (0.55 + 0.45 * math.sin(around))
        yield (
            at + math.cos(around) * (half - radius * 0.7),
            math.sin(around) ** 0.8 * (tall - radius * 0.7),
            radius,
        )


def _fade_base(canvas: Image.Image) -> None:
    alpha = canvas.getchannel("A")
    bounds = alpha.getbbox()
    if bounds is None:
        return
    height = bounds[3] - bounds[1]
    fade = Image.new("L", canvas.size, 255)
    fade.paste(
        texture.ramp((canvas.width, max(1, int(height * 0.34))), 255, 20),
        (0, bounds[3] - int(height * 0.34)),
    )
    canvas.putalpha(ImageChops.multiply(alpha, fade))
