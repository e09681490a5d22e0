"""Terrain: ridges, mountains, dunes, ground and fog."""

import itertools
import math
import random
from collections.abc import Callable

from PIL import Image, ImageChops, ImageFilter

from offline.painter import texture
from offline.painter.colour import Colour, mix, parse
from offline.painter.curves import Point, open_curve
from offline.painter.pen import Fill, Pen
from offline.painter.sky import gradient
from offline.painter.stage import Band, Stage

Shape = Callable[[float], float]


def profile(seed: int, wave: float, octaves: int = 4, gain: float = 0.45) -> Shape:
    """Return a smooth skyline: a function from x in units to a height of about -1 to 1."""
    rng = random.Random(seed)
    knots = [rng.uniform(-1, 1) for _ in range(256)]

    def height(x: float) -> float:
        total, share, step = 0.0, 1.0, wave
        for octave in range(octaves):
            position = x / step + octave * 37.3
            cell = math.floor(position)
            t = position - cell
            t = t * t * (3 - 2 * t)
            total += share * (knots[cell % 256] * (1 - t) + knots[(cell + 1) % 256] * t)
            share *= gain
            step /= 2.1
        return total

    return height


def outline(stage: Stage, shape: Shape, y: float, tall: float, step: float = 0.006) -> list[Point]:
    """Return the skyline's points across the image."""
    count = int(stage.width / step) + 3
    return [((i - 1) * step, y - shape((i - 1) * step) * tall) for i in range(count)]


def ridge(
    stage: Stage,
    band: Band,
    depth: float,
    y: float,
    tall: float,
    fill: Fill,
    shape: Shape,
    *,
    mist: float = 1.0,
    tone: float = 0.0,
    rough: float = 1.0,
    step: float = 0.008,
) -> Shape:
    """Paint a ridge that fills the area below its skyline; return y as a function of x."""
    points = outline(stage, shape, y, tall, step)
    top = min(p[1] for p in points)
    layer = stage.layer(band, depth, top=top - 0.01)
    layer.pen.poly(
        [*points, (stage.width + 0.02, stage.height + 0.02), (-0.02, stage.height + 0.02)],
        fill,
        tone,
    )
    stage.add(layer, mist=mist, rough=rough)
    return lambda x: y - shape(x) * tall


def mountains(
    stage: Stage,
    band: Band,
    depth: float,
    y: float,
    tall: float,
    fill: Fill,
    seed: int,
    shift: float,
    *,
    snow: float = 0.45,
    count: int = 5,
) -> None:
    """Paint a chain of peaks with a lit and a shaded side; `snow` is the white share."""
    rng = random.Random(seed)
    span = stage.width * 1.5
    peaks = []
    for i in range(count + 2):
        x = (i + rng.uniform(0.15, 0.85)) / (count + 1) * span
        x = (x - shift) % span - span * 0.16
        peaks.append((x, tall * rng.uniform(0.5, 1.0), rng.randrange(1 << 30)))
    peaks.sort(key=lambda p: p[1])
    layer = stage.layer(band, depth, top=y - tall * 1.06)
    pen = layer.pen
    sun_left = stage.sun is None or stage.sun[0] < stage.width / 2
    base = stage.height + 0.02
    for x, high, key in peaks:
        _peak(pen.at(x, y), random.Random(key), high, y - base, fill, snow, sun_left)
    pen.poly(
        [
            (-0.02, y - 0.012),
            (stage.width + 0.02, y - 0.012),
            (stage.width + 0.02, base),
            (-0.02, base),
        ],
        fill,
        -0.1,
    )
    stage.add(layer, mist=1.0)


def _peak(
    pen: Pen, rng: random.Random, high: float, low: float, fill: Fill, snow: float, sun_left: bool
) -> None:
    left, right = -high * rng.uniform(0.9, 1.5), high * rng.uniform(0.9, 1.5)
    rough = high * 0.13
    flank_l = craggy(rng, (left, 0.0), (0.0, high), 4, rough)
    flank_r = craggy(rng, (0.0, high), (right, 0.0), 4, rough)
    foot = rng.uniform(-0.25, 0.3) * high
    spine = craggy(rng, (0.0, high), (foot, 0.0), 3, rough * 1.5)
    light, dark = (0.55, -0.6) if sun_left else (-0.6, 0.55)
    with pen.group():
        pen.poly([*flank_l, *spine, (foot, low), (left, low)], fill, light)
        pen.poly([*spine, (foot, low), (right, low), *reversed(flank_r)], fill, dark)
    saved, pen.sheet.line = pen.sheet.line, 0.0
    for i in range(7):  # ribs: small ridges that cast shadows on the flank
        start = spine[1 + i % (len(spine) - 2)]
        side, edge = (1, right) if i % 2 else (-1, left)
        drop = rng.uniform(0.2, 0.45) * high
        tip = (start[0] + (edge - start[0]) * rng.uniform(0.2, 0.42), max(-0.02, start[1] - drop))
        base = (start[0] + (foot - start[0]) * 0.5, max(-0.05, start[1] - drop * 1.3))
        tone = (dark if side < 0 else light) * rng.uniform(0.25, 0.55)
        pen.poly(
            [*craggy(rng, start, tip, 2, rough * 0.5), *craggy(rng, tip, base, 2, rough * 0.4)],
            fill,
            tone,
        )
    if snow > 0.02:
        _snow_cap(pen, rng, high, flank_l, spine, flank_r, high * (1 - snow), (light, dark))
    pen.sheet.line = saved


def _snow_cap(
    pen: Pen,
    rng: random.Random,
    high: float,
    flank_l: list[Point],
    spine: list[Point],
    flank_r: list[Point],
    line: float,
    tones: tuple[float, float],
) -> None:
    top = [(0.0, high)]
    left = [p for p in flank_l if p[1] >= line] or top
    right = [p for p in flank_r if p[1] >= line] or top
    middle = [p for p in spine if p[1] >= line * 0.93] or top
    low_l = craggy(rng, left[0], middle[-1], 3, high * 0.16)
    low_r = craggy(rng, middle[-1], right[-1], 3, high * 0.16)
    white = "#f3f6fc"
    pen.poly([*left, *middle, *reversed(low_l)], white, tones[0] * 0.8)
    pen.poly([*middle, *low_r, *reversed(right)], white, tones[1] * 0.8)


def craggy(rng: random.Random, start: Point, end: Point, levels: int, size: float) -> list[Point]:
    """Return a fractal line between two points, with more detail at each level."""
    points = [start, end]
    for _ in range(levels):
        finer = [points[0]]
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            shift = rng.uniform(-size, size)
            finer += [((x0 + x1) / 2 + shift * 0.5, (y0 + y1) / 2 + shift), (x1, y1)]
        points, size = finer, size * 0.52
    return points


def plain(
    stage: Stage,
    band: Band,
    depth: tuple[float, float],
    y: float,
    fill: Fill,
    shape: Shape,
    tall: float,
    *,
    near: Fill | None = None,
    rough: float = 1.0,
    tone: float = 0.12,
) -> Shape:
    """Paint ground from the far edge at `y` to the bottom; return y as a function of x."""
    points = outline(stage, shape, y, tall)
    top = min(p[1] for p in points)
    layer = stage.layer(band, depth[0], top=top - 0.01)
    pen = layer.pen
    pen.poly(
        [*points, (stage.width + 0.02, stage.height + 0.02), (-0.02, stage.height + 0.02)], fill
    )
    canvas = layer.canvas
    far = stage.light.seen(parse(fill) if isinstance(fill, str) else fill, depth[0], tone)
    end = near if near is not None else fill
    close = stage.light.seen(parse(end) if isinstance(end, str) else end, depth[1], tone - 0.28)
    shades = gradient(canvas.size, [(0.0, far), (0.3, mix(far, close, 0.45)), (1.0, close)])
    shades.putalpha(canvas.getchannel("A"))
    if pen.sheet.line <= 0:
        layer.canvas = shades
    else:
        inner = canvas.getchannel("A").filter(ImageFilter.BoxBlur(pen.sheet.line * 1.6))
        inner = inner.point([255 if v >= 250 else 0 for v in range(256)])
        canvas.paste(shades, (0, 0), inner)
    layer.depth = (depth[0] + depth[1]) / 2
    stage.add(layer, rough=rough, relief=0.5)
    return lambda x: y - shape(x) * tall


def dunes(
    stage: Stage, band: Band, depth: float, y: float, tall: float, fill: Fill, seed: int
) -> Shape:
    """Paint a row of dunes with a soft windward side and a sharp, dark slip face."""
    rng = random.Random(seed)
    shape = profile(seed, 0.9, 2, 0.3)
    ground = ridge(stage, band, depth, y, tall, fill, shape, mist=0.7, tone=0.25)
    layer = stage.layer(band, depth, top=y - tall * 1.5)
    pen = layer.pen
    saved, pen.sheet.line = pen.sheet.line, 0.0
    for _ in range(3):
        x = rng.uniform(0.0, 1.0) * stage.width
        wide, deep = rng.uniform(0.35, 0.7), rng.uniform(0.6, 1.0) * tall + 0.1
        side = 1 if (stage.sun is None or stage.sun[0] < stage.width / 2) else -1
        crest = [
            (x + side * wide * t, ground(x + side * wide * t)) for t in (0.0, 0.25, 0.5, 0.75, 1.0)
        ]
        spine = [
            (x, ground(x)),
            (x + side * wide * 0.12, y + deep * 0.25),
            (x - side * wide * 0.02, y + deep * 0.55),
            (x + side * wide * 0.3, y + deep),
        ]
        pen.poly([*open_curve(spine), *reversed(crest)], fill, -0.75)
    pen.sheet.line = saved
    stage.add(layer, mist=0.9, relief=0.0)
    return ground


def fog(
    stage: Stage, y: float, thick: float, strength: float, seed: int, colour: Colour | None = None
) -> None:
    """Paint a bank of fog around height `y`, `thick` units thick."""
    unit = stage.unit
    top, height = int((y - thick) * unit), max(4, int(thick * 2 * unit))
    width = stage.size[0]
    noise = texture.stretched(
        texture.clouded((width // 2, height // 2), seed, (unit * 0.3, unit * 0.05), 3), 70, 190
    )
    noise = noise.resize((width, height), Image.Resampling.BILINEAR)
    bell = Image.linear_gradient("L").point(
        [round(255 * math.sin(math.pi * v / 255) ** 1.6) for v in range(256)]
    )
    mask = ImageChops.multiply(
        bell.resize((width, height)), noise.point([90 + round(v * 0.65) for v in range(256)])
    )
    mask = mask.point([round(v * min(1.0, strength)) for v in range(256)])
    if top < 0:
        mask = mask.crop((0, -top, width, height))
        top = 0
    stage.veil(colour or mix(stage.light.haze, stage.light.glow, 0.25), mask, (0, top))
