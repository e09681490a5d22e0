"""Greyscale textures: gradients, glows, noise, paper and pencil strokes, generated from seeds.

All functions except `rgb` return images of mode L.
"""

import math
import random
from functools import lru_cache

from PIL import Image, ImageChops, ImageDraw

Size = tuple[int, int]


def rgb(image: Image.Image) -> Image.Image:
    """Return a grey image as RGB, for blending with colours."""
    return Image.merge("RGB", (image, image, image))


def white_noise(size: Size, seed: int) -> Image.Image:
    """Return independent random pixels."""
    width, height = size
    return Image.frombytes("L", size, random.Random(seed).randbytes(width * height))


def clouded(size: Size, seed: int, cell: tuple[float, float], octaves: int = 4) -> Image.Image:
    """Return fractal noise with base features of `cell` (width, height) pixels."""
    noise = random.Random(seed)
    width, height = size
    layers = []
    for octave in range(octaves):
        columns = max(2, math.ceil(width / max(1.0, cell[0] / 2**octave))) + 2
        rows = max(2, math.ceil(height / max(1.0, cell[1] / 2**octave))) + 2
        columns, rows = min(columns, width), min(rows, height)
        grid = Image.frombytes("L", (columns, rows), noise.randbytes(columns * rows))
        layers.append(grid.resize(size, Image.Resampling.BICUBIC))
    result = layers[-1]
    for layer in reversed(layers[:-1]):
        result = Image.blend(layer, result, 0.36)
    return result


def stretched(image: Image.Image, low: float, high: float) -> Image.Image:
    """Return the image with grey values from `low` to `high` stretched to 0 to 255."""
    span = max(1e-6, high - low)
    return image.point([round(min(255.0, max(0.0, (v - low) / span * 255))) for v in range(256)])


@lru_cache(maxsize=8)
def _radial(power: float) -> Image.Image:
    # Pillow's gradient is 255 in the corners and 180 at the sides, where the light ends.
    falloff = [round(255 * max(0.0, 1 - v / 178) ** power) for v in range(256)]
    return Image.radial_gradient("L").point(falloff)


def glow(size: Size, power: float = 2.0) -> Image.Image:
    """Return a round light: 255 in the centre, 0 at the sides."""
    return _radial(power).resize(size, Image.Resampling.BICUBIC)


def ramp(size: Size, top: float, bottom: float) -> Image.Image:
    """Return a vertical gradient between two values of 0 to 255."""
    column = Image.new("L", (1, 64))
    column.putdata([round(top + (bottom - top) * i / 63) for i in range(64)])
    return column.resize(size, Image.Resampling.BICUBIC)


def paper(size: Size, seed: int) -> Image.Image:
    """Return the texture of rough paper, grey around 128."""
    fibres = clouded(size, seed, (7, 7), 2)
    grain = white_noise(size, seed + 1)
    raised = ImageChops.subtract(fibres, ImageChops.offset(fibres, 2, 2), 1.4, 128)
    return Image.blend(raised, grain, 0.12)


def strokes(size: Size, seed: int, angle: float, spacing: float, weight: float) -> Image.Image:
    """Return pencil strokes: 255 on a stroke, 0 between; `angle` in degrees, sizes in pixels."""
    width, height = size
    pencil = random.Random(seed)
    canvas = Image.new("L", (width * 2, height * 2))
    draw = ImageDraw.Draw(canvas)
    turn = math.radians(angle)
    along, across = (math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))
    reach = math.hypot(width, height)
    length = 26 * spacing
    lines = int(reach / spacing)
    for number in range(lines):
        offset = (number - lines / 2) * spacing * 2
        start = -reach - pencil.random() * length * 2
        while start < reach:
            end = start + length * pencil.uniform(0.7, 1.6)
            bend, shift = pencil.uniform(-1, 1) * spacing, pencil.uniform(-0.9, 0.9) * spacing
            points = []
            for step in (0.0, 0.5, 1.0):
                position = start + (end - start) * step
                side = offset + shift + bend * (0.0 if step == 0.5 else 1.0)
                points.append(
                    (
                        width + position * along[0] + side * across[0],
                        height + position * along[1] + side * across[1],
                    )
                )
            tone = pencil.randrange(120, 256)
            draw.line(points, fill=tone, width=max(1, round(weight * pencil.uniform(1.2, 2.6))))
            start = end - length * pencil.uniform(0.0, 0.3)
    return canvas.reduce(2)
