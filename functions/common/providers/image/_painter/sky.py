"""The sky: gradient, sun or moon, stars, clouds; and the deep of space."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from common.providers.image._painter import texture
from common.providers.image._painter.colour import Colour, mix, of_hue, parse, scale, to_rgb, turned
from common.providers.image._painter.pen import Lamp, Pen
from common.providers.image._painter.stage import Band, Stage


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
    """Paint everything above the ground. `horizon` in units from the top, `sun_x` in units."""
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
        _stars(stage, horizon, light.stars)
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
    pen.sheet.ink = lambda own, _tone: to_rgb(own)
    pen.sheet.line = 0.0
    pen.disc(x, y, radius, own=face)
    if moon:
        grey = mix(face, light.middle, 0.22)
        for dx, dy, r in (
            (-0.35, -0.2, 0.22),
            (0.25, 0.3, 0.3),
            (0.3, -0.42, 0.14),
            (-0.3, 0.42, 0.12),
        ):
            pen.disc(x + dx * radius, y + dy * radius, r * radius, own=grey)
    stage.add(layer, rough=0.0, relief=0.3)


def _stars(stage: Stage, horizon: float, amount: float) -> None:
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


# -- clouds ----------------------------------------------------------------------------------------
def paint_clouds(stage: Stage, horizon: float, cover: float) -> None:
    """Paint clouds over the sky; `cover` is 0 none to 1 closed."""
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
    """Return the noise squeezed downwards, as clouds are that lie farther and lower."""
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
        layer.pen.sheet.ink = lambda own, _tone: to_rgb(own)
        faded = [mix(tone, light.horizon, 0.55 * (1 - near)) for tone in tones]
        _heap(layer.pen, random.Random(key), x, y, wide, faded)
        if stage.drawing.line_width < 1.5:
            _fade_base(layer.canvas)
        stage.add(layer, rough=0.12, relief=0.4, label_from=40)


def _heap(
    pen: Pen, rng: random.Random, x: float, y: float, wide: float, tones: list[Colour]
) -> None:
    lobes = [(0.0, wide * rng.uniform(0.7, 1.0), wide * rng.uniform(0.5, 0.85))]
    for side in (-1, 1):
        lobes.append(
            (
                side * wide * rng.uniform(0.6, 0.9),
                wide * rng.uniform(0.45, 0.7),
                wide * rng.uniform(0.22, 0.45),
            )
        )
    puffs = []
    for at, half, tall in lobes:
        steps = 9
        for i in range(steps):
            around = math.pi * (i + 0.5) / steps
            radius = tall * rng.uniform(0.2, 0.36) * (0.55 + 0.45 * math.sin(around))
            puffs.append(
                (
                    x + at + math.cos(around) * (half - radius * 0.7),
                    y - math.sin(around) ** 0.8 * (tall - radius * 0.7),
                    radius,
                )
            )
    for level, (grow, dx, dy) in enumerate(
        ((1.0, 0.0, 0.0), (0.86, -0.05, -0.12), (0.6, -0.1, -0.26))
    ):
        own = tones[level]
        if level == 1:
            pen.sheet.line *= 0.0
        with pen.group():
            for at, half, tall in lobes:
                if level < 2:
                    pen.disc(
                        x + at + dx * half,
                        y - tall * 0.35 + dy * tall,
                        half * 0.86 * grow,
                        tall * 0.62 * grow,
                        own=own,
                    )
                else:
                    pen.disc(x + at + dx * half, y - tall * 0.52, half * 0.6, tall * 0.36, own=own)
            for px, py, radius in puffs:
                if level == 2 and py > y - wide * 0.12:
                    continue
                pen.disc(
                    px + dx * radius * 3,
                    py + dy * radius * 2.2 * (0.2 if level == 2 else 1),
                    radius * (1.0, 0.9, 0.82)[level],
                    own=own,
                )
            if level == 0:
                pen.blob(
                    [
                        (x - wide * 1.5, y),
                        (x - wide * 0.7, y - wide * 0.14),
                        (x + wide * 0.7, y - wide * 0.14),
                        (x + wide * 1.5, y),
                        (x + wide * 0.5, y + wide * 0.035),
                        (x - wide * 0.5, y + wide * 0.035),
                    ],
                    own,
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


# -- space -----------------------------------------------------------------------------------------
def paint_space(stage: Stage, hue: float) -> None:
    """Fill the picture with stars, a nebula and one near planet."""
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
        cloud = ImageChops.multiply(cloud, texture.stretched(dust, 70, 190))
        cloud = cloud.resize(size, Image.Resampling.BICUBIC)
        stage.screen(to_rgb(of_hue(hue + turn, 0.5, 0.13)), cloud, (0, 0), strength * 1.6)
    _stars(stage, stage.height, 1.0)
    stage.sun = (stage.width * (0.12 if rng.random() < 0.5 else 0.88), 0.05)


def paint_planet(
    stage: Stage, x: float, y: float, radius: float, hue: float, *, ring: bool
) -> None:
    """Paint a planet with clouds and a night side; units."""
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
    pen.sheet.ink = lambda own, _tone: to_rgb(own)
    tilt = rng.uniform(-18, 18)
    if ring:
        _ring(pen, x, y, radius, tilt, base, back=True)
    pen.disc(x, y, radius, own=base)
    clip = []
    for _ in range(9):
        at = rng.uniform(-0.9, 0.9)
        reach = math.sqrt(max(0.0, 1 - at * at)) * radius
        tone = turned(scale(base, rng.uniform(0.82, 1.14)), rng.uniform(-14, 14))
        clip.append((at, reach, tone, rng.uniform(0.02, 0.07)))
    angle = math.radians(tilt)
    for at, reach, tone, thick in clip:
        cx, cy = x - math.sin(angle) * at * radius, y + math.cos(angle) * at * radius
        pen.disc(cx, cy, reach * 0.985, radius * thick, own=tone, turn=tilt)
    side = 0.42 if stage.sun is not None and stage.sun[0] < stage.width / 2 else -0.42
    stage.add(layer, rough=0.5, relief=0.6)
    # The night side: a dark disc shifted away from the sun, softened, inside the planet only.
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
        layer.pen.sheet.ink = lambda own, _tone: to_rgb(own)
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
