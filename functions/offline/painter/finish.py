"""Post-processing of an image: atmospheric light, medium and lens effects."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from offline.painter import medium, texture
from offline.painter.colour import mix, parse, to_rgb
from offline.painter.stage import Stage


def finish(stage: Stage) -> None:
    """Apply the style's atmosphere, medium and lens effects to the stage's image."""
    drawing = stage.drawing
    for amount, apply in (
        (drawing.beams, _beams),
        (drawing.bloom, _bloom),
        (drawing.wobble, medium.wobble),
        (drawing.wash, medium.wash),
        (drawing.hatch, medium.hatch),
        (drawing.rows, medium.rows),
        (drawing.grading, _grade),
        (drawing.flare, _flare),
        (drawing.vignette, _vignette),
        (drawing.paper_grain, medium.paper),
        (drawing.grain, _grain),
    ):
        if amount > 0:
            apply(stage, amount)


def _beams(stage: Stage, amount: float) -> None:
    if stage.sun is None or stage.light.disc != "sun":
        return
    width, height = stage.size[0] // 2, stage.size[1] // 2
    x, y = stage.sun[0] * stage.unit / 2, stage.sun[1] * stage.unit / 2
    rng = random.Random(stage.seed + 61)
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    reach = math.hypot(width, height) * 1.1
    for _ in range(13):
        angle = rng.uniform(0, math.tau)
        spread = rng.uniform(0.02, 0.075)
        tone = rng.randrange(26, 72)
        draw.polygon(
            [
                (x, y),
                (x + math.cos(angle - spread) * reach, y + math.sin(angle - spread) * reach),
                (x + math.cos(angle + spread) * reach, y + math.sin(angle + spread) * reach),
            ],
            fill=tone,
        )
    size = int(reach * 1.7)
    fall = Image.new("L", (width, height))
    fall.paste(texture.glow((size, size), 1.3), (int(x - size / 2), int(y - size / 2)))
    canvas = ImageChops.multiply(canvas.filter(ImageFilter.BoxBlur(stage.unit * 0.012)), fall)
    canvas = canvas.resize(stage.size, Image.Resampling.BICUBIC)
    stage.screen(to_rgb(stage.light.glow), canvas, (0, 0), amount)


def _bloom(stage: Stage, amount: float) -> None:
    small = stage.image.reduce(4)
    bright = small.point([max(0, round((v - 138) * 1.75)) for v in range(256)] * 3)
    wide = bright.filter(ImageFilter.GaussianBlur(stage.unit * 0.01))
    wide = wide.point([round(v * amount * 0.75) for v in range(256)] * 3)
    stage.image = ImageChops.screen(stage.image, wide.resize(stage.size, Image.Resampling.BICUBIC))


def _grade(stage: Stage, amount: float) -> None:
    drawing = stage.drawing
    darks, lights = parse(drawing.darks), parse(drawing.lights)
    tables: list[int] = []
    for channel in range(3):
        for value in range(256):
            v = value / 255
            curve = v + amount * 0.28 * (v - 0.5) * (1 - abs(2 * v - 1)) * 2 - amount * 0.015
            low = (1 - v) ** 2 * (darks[channel] - 0.16) * 0.55
            high = v**1.5 * (lights[channel] - 0.86) * 0.5
            tables.append(round(255 * min(1.0, max(0.0, curve + amount * (low + high)))))
    stage.image = stage.image.point(tables)


def _flare(stage: Stage, amount: float) -> None:
    if stage.sun is None:
        return
    width, height = stage.size
    unit = stage.unit
    x, y = stage.sun[0] * unit, stage.sun[1] * unit
    if not (-0.1 * width < x < 1.1 * width and 0 <= y < height):
        return
    strength = amount * (0.75 if stage.light.disc == "sun" else 0.45)
    streak = texture.glow((int(width * 1.7), max(4, int(unit * 0.05))), 3.2)
    tint = mix(stage.light.glow, parse("#7fb4ff"), 0.55)
    _screen_at(stage, streak, x, y, tint, strength)
    core = texture.glow((int(width * 0.7), max(3, int(unit * 0.014))), 2.0)
    _screen_at(stage, core, x, y, mix(tint, (1.0, 1.0, 1.0), 0.5), strength)
    cx, cy = width / 2, height / 2
    for along, radius, share in ((0.6, 0.035, 0.16), (1.35, 0.06, 0.12), (1.75, 0.022, 0.2)):
        px, py = x + (cx - x) * along, y + (cy - y) * along
        size = int(radius * unit * 2)
        ghost = texture.glow((size, size), 0.35).point(
            [round(v * 0.8) if v > 40 else 0 for v in range(256)]
        )
        _screen_at(stage, ghost, px, py, mix(tint, stage.light.key, along % 1.0), strength * share)


def _screen_at(
    stage: Stage,
    mask: Image.Image,
    x: float,
    y: float,
    colour: tuple[float, float, float],
    strength: float,
) -> None:
    left, top = round(x - mask.width / 2), round(y - mask.height / 2)
    box = (
        max(0, -left),
        max(0, -top),
        min(mask.width, stage.size[0] - left),
        min(mask.height, stage.size[1] - top),
    )
    if box[0] < box[2] and box[1] < box[3]:
        stage.screen(to_rgb(colour), mask.crop(box), (max(0, left), max(0, top)), strength)


def _vignette(stage: Stage, amount: float) -> None:
    width, height = stage.size
    radial = Image.radial_gradient("L").resize(
        (round(width * 1.42), round(height * 1.42)), Image.Resampling.BILINEAR
    )
    left, top = (radial.width - width) // 2, (radial.height - height) // 2
    shade = radial.crop((left, top, left + width, top + height))
    shade = shade.point(
        [255 - round(amount * 215 * max(0.0, (v / 255 - 0.34) / 0.66) ** 2) for v in range(256)]
    )
    stage.image = ImageChops.multiply(stage.image, texture.rgb(shade))


def _grain(stage: Stage, amount: float) -> None:
    noise = texture.white_noise(stage.size, stage.seed + 66)
    noise = noise.filter(ImageFilter.BoxBlur(0.6))
    noise = noise.point([round(128 + (v - 128) * amount) for v in range(256)])
    stage.image = ImageChops.overlay(stage.image, texture.rgb(noise))
