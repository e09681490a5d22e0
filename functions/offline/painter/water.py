"""Water: reflected sky, light path and waves."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from offline.painter import texture
from offline.painter.colour import mix, parse, to_rgb
from offline.painter.sky import gradient
from offline.painter.stage import Band, Stage


# -- water -----------------------------------------------------------------------------------------
def water(
    stage: Stage,
    band: Band,
    y: float,
    bottom: float | None = None,
    *,
    mirror: float = 0.45,
    waves: float = 0.5,
    fill: str = "#2d6f8f",
) -> None:
    """Paint water from the horizon at `y` (units) down: reflected sky, light path, waves."""
    light, unit = stage.light, stage.unit
    top, end = int(y * unit), stage.size[1] if bottom is None else int(bottom * unit)
    width, height = stage.size[0], end - top
    if height < 4:
        return
    deep = light.rules.apply(mix(light.seen(parse(fill), 0.9, -0.1), light.zenith, 0.35))
    far = mix(light.horizon, deep, 0.35)
    body = gradient((width, height), [(0.0, far), (0.35, mix(far, deep, 0.6)), (1.0, deep)])
    source = stage.image.crop((0, max(0, top - height), width, top)).transpose(
        Image.Transpose.FLIP_TOP_BOTTOM
    )
    reflection = source.resize((width, height), Image.Resampling.BILINEAR)
    rippled = _rippled(reflection, stage.seed, unit, waves)
    rippled = Image.blend(rippled, rippled.filter(ImageFilter.BoxBlur((unit * 0.012, 0))), 0.6)
    body = Image.composite(
        rippled, body, texture.ramp((width, height), 255 * min(1.0, mirror + 0.25), 255 * mirror)
    )
    body = _wave_lines(stage, body, top, waves)
    stage.image.paste(body, (0, top))
    stage.labels.paste(int(band), (0, top, width, end))
    _light_path(stage, top, height)


def _rippled(image: Image.Image, seed: int, unit: int, waves: float) -> Image.Image:
    rng = random.Random(seed + 41)
    result = Image.new("RGB", image.size)
    row, phase = 0, rng.random() * 9
    while row < image.height:
        share = row / image.height
        thick = max(1, round(unit * (0.0016 + 0.006 * share)))
        shift = round(
            math.sin(phase + row * (0.9 - 0.6 * share)) * unit * (0.002 + 0.016 * share) * waves
            + rng.uniform(-1, 1) * unit * 0.005 * waves
        )
        strip = image.crop((0, row, image.width, min(image.height, row + thick)))
        result.paste(ImageChops.offset(strip, shift, 0), (0, row))
        row += thick
    return result


def _wave_lines(stage: Stage, body: Image.Image, top: int, waves: float) -> Image.Image:
    rng = random.Random(stage.seed + 42)
    light, unit = stage.light, stage.unit
    factor = 2
    canvas = Image.new("L", (body.width * factor, body.height * factor))
    dark = Image.new("L", canvas.size)
    pens = (ImageDraw.Draw(canvas), ImageDraw.Draw(dark))
    for i in range(int(190 * waves * stage.width) + 20):
        share = rng.random() ** 1.5
        x, y = rng.random() * canvas.width, share * canvas.height
        long = unit * factor * (0.012 + 0.16 * share) * rng.uniform(0.4, 1.4)
        thick = unit * factor * (0.0007 + 0.0055 * share)
        sag = thick * rng.uniform(0.5, 1.8)
        points = [
            (x - long, y),
            (x - long * 0.4, y - sag),
            (x, y - thick * 0.4),
            (x + long * 0.45, y - sag),
            (x + long, y),
            (x + long * 0.4, y + thick * 0.5),
            (x - long * 0.4, y + thick * 0.7),
        ]
        pens[i % 2].polygon(points, fill=rng.randrange(60, 150))
    bright = mix(light.horizon, light.glow, 0.6)
    body.paste(
        to_rgb(bright), (0, 0), canvas.reduce(factor).point([round(v * 0.62) for v in range(256)])
    )
    shadow = mix(light.zenith, light.shade, 0.5)
    body.paste(
        to_rgb(shadow), (0, 0), dark.reduce(factor).point([round(v * 0.42) for v in range(256)])
    )
    return body


def _light_path(stage: Stage, top: int, height: int) -> None:
    if stage.sun is None:
        return
    light, unit = stage.light, stage.unit
    rng = random.Random(stage.seed + 43)
    factor = 2
    reach = 0.16 + 0.12 * (1 - light.sun)
    wide = int(unit * 2 * (reach + 0.1))
    left = int(stage.sun[0] * unit - wide / 2)
    canvas = Image.new("L", (wide * factor, height * factor))
    draw = ImageDraw.Draw(canvas)
    for _ in range(int(330 * (1.2 - 0.7 * light.sun))):
        share = rng.random() ** 1.35
        spread = reach * (0.2 + 0.85 * share)
        x = canvas.width / 2 + rng.gauss(0, 0.42) * spread * unit * factor
        y = share * canvas.height
        long = unit * factor * (0.006 + 0.045 * share) * rng.uniform(0.5, 1.5)
        thick = unit * factor * (0.0007 + 0.0042 * share)
        draw.ellipse((x - long, y - thick, x + long, y + thick), fill=rng.randrange(110, 255))
    mask = canvas.reduce(factor)
    crop_left = max(0, -left)
    crop_right = min(wide, stage.size[0] - left)
    if crop_right <= crop_left:
        return
    mask = mask.crop((crop_left, 0, crop_right, height))
    stage.screen(
        to_rgb(light.glow), mask, (left + crop_left, top), 0.85 if light.disc == "sun" else 0.6
    )
