"""The last steps of a picture: light in the air, the medium it is made in, and the lens."""

import math
import random

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

from common.providers.image._painter import texture
from common.providers.image._painter.colour import mix, parse, to_rgb
from common.providers.image._painter.stage import Band, Stage


def finish(stage: Stage) -> None:
    """Apply everything that the style says about air, medium and lens to the stage's picture."""
    drawing = stage.drawing
    if drawing.beams > 0 and stage.sun is not None and stage.light.disc == "sun":
        _beams(stage, drawing.beams)
    if drawing.bloom > 0:
        _bloom(stage, drawing.bloom)
    if drawing.wobble > 0:
        _wobble(stage, drawing.wobble * stage.unit / 1000)
    if drawing.wash > 0:
        _wash(stage, drawing.wash)
    if drawing.hatch > 0:
        _hatch(stage, drawing.hatch)
    if stage.keep is not None and drawing.hatch > 0:
        _keep_colours(stage, *stage.keep)
    if drawing.rows > 0:
        _rows(stage, drawing.rows, drawing.colours)
    if drawing.grading > 0:
        _grade(stage, drawing.grading)
    if drawing.flare > 0 and stage.sun is not None:
        _flare(stage, drawing.flare)
    if drawing.vignette > 0:
        _vignette(stage, drawing.vignette)
    if drawing.paper_grain > 0:
        _paper(stage, drawing.paper_grain)
    if drawing.grain > 0:
        _grain(stage, drawing.grain)


def _keep_colours(stage: Stage, picture: Image.Image, place: tuple[int, int]) -> None:
    """Give the user's own picture its colours back where the medium has none."""
    box = (*place, place[0] + picture.width, place[1] + picture.height)
    stage.image.paste(Image.blend(stage.image.crop(box), picture, 0.6), place)


def _grey(image: Image.Image) -> Image.Image:
    return Image.merge("RGB", (image, image, image))


def _beams(stage: Stage, amount: float) -> None:
    assert stage.sun is not None
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


def _wobble(stage: Stage, reach: float) -> None:
    width, height = stage.size
    rng = random.Random(stage.seed + 62)
    step = max(8, round(stage.unit * 0.022))
    columns, rows = math.ceil(width / step), math.ceil(height / step)
    moved = [
        [
            (
                i * step + (rng.uniform(-reach, reach) if 0 < i < columns else 0.0),
                j * step + (rng.uniform(-reach, reach) if 0 < j < rows else 0.0),
            )
            for i in range(columns + 1)
        ]
        for j in range(rows + 1)
    ]
    mesh = []
    for j in range(rows):
        for i in range(columns):
            box = (i * step, j * step, min(width, (i + 1) * step), min(height, (j + 1) * step))
            quad = (*moved[j][i], *moved[j + 1][i], *moved[j + 1][i + 1], *moved[j][i + 1])
            mesh.append((box, quad))
    stage.image = stage.image.transform(
        stage.size, Image.Transform.MESH, mesh, Image.Resampling.BILINEAR
    )
    stage.labels = stage.labels.transform(
        stage.size, Image.Transform.MESH, mesh, Image.Resampling.NEAREST
    )


def _wash(stage: Stage, amount: float) -> None:
    size, unit = stage.size, stage.unit
    image = stage.image
    half = (size[0] // 2, size[1] // 2)
    # Colours run: the picture is softer where the paper was wet.
    blurred = (
        image.reduce(2)
        .filter(ImageFilter.BoxBlur(unit * 0.0035))
        .filter(ImageFilter.BoxBlur(unit * 0.0035))
    )
    blurred = blurred.resize(size, Image.Resampling.BICUBIC)
    wet = texture.stretched(
        texture.clouded(half, stage.seed + 63, (unit * 0.09, unit * 0.07), 4), 118, 168
    )
    wet = wet.point([round(v * 0.8 * amount) for v in range(256)]).resize(
        size, Image.Resampling.BILINEAR
    )
    calm = stage.labels.point([90 if v == Band.MAIN else 255 for v in range(256)])
    wet = ImageChops.multiply(wet, calm)
    image = Image.composite(blurred, image, wet)
    # Pigment gathers at the edges of a wash.
    grey = image.convert("L")
    edges = ImageChops.subtract(grey.filter(ImageFilter.BoxBlur(unit * 0.006)), grey, 1.0, 0)
    edges = edges.point([255 - min(130, round(v * 4.5 * amount)) for v in range(256)])
    image = ImageChops.multiply(image, _grey(edges))
    # Uneven washes, lighter and darker in soft clouds.
    pools = texture.clouded(half, stage.seed + 64, (unit * 0.2, unit * 0.16), 5).resize(
        size, Image.Resampling.BICUBIC
    )
    pools = pools.point([round(128 + (v - 128) * 1.15 * amount) for v in range(256)])
    image = ImageChops.soft_light(image, _grey(pools))
    # Thin paint: paper shows through, most in the lights.
    lift = [
        round(255 * min(1.0, 0.05 + 1.04 * (v / 255) ** (1 - 0.26 * amount))) for v in range(256)
    ]
    image = image.point(lift * 3)
    stage.image = ImageChops.multiply(
        image, Image.new("RGB", size, to_rgb(parse(stage.drawing.paper)))
    )


def _paper_bright(grey: Image.Image) -> Image.Image:
    """Return the grey picture as light as a drawing is, also of a night: paper does most of it."""
    mean = max(8.0, ImageStat.Stat(grey).mean[0]) / 255
    gamma = min(1.0, math.log(0.7) / math.log(min(0.98, mean)))
    return grey.point([round(255 * (v / 255) ** gamma) for v in range(256)])


def _hatch(stage: Stage, amount: float) -> None:
    size, unit = stage.size, stage.unit
    grey = _paper_bright(stage.image.convert("L"))
    soft = grey.filter(ImageFilter.BoxBlur(unit * 0.0022))
    lines = ImageChops.subtract(soft, grey, 0.22)
    spacing = max(3.0, unit * 0.0062)
    ink = Image.new("L", size)
    tone = grey.filter(ImageFilter.BoxBlur(unit * 0.002))
    sky = stage.labels.point([255 * (v <= Band.CLOUDS) for v in range(256)])
    for seed, angle, threshold, weight in (
        (71, 54, 218, 1.0),
        (72, 28, 162, 1.2),
        (73, -46, 112, 1.4),
    ):
        pencil = texture.strokes(size, stage.seed + seed, angle, spacing, weight)
        if seed == 71:  # the sky has strokes of its own: flat, wide apart and faint
            flat = texture.strokes(size, stage.seed + 74, 12, spacing * 1.7, weight)
            pencil.paste(flat.point([round(v * 0.6) for v in range(256)]), (0, 0), sky)
        else:
            pencil.paste(0, (0, 0), sky.point([round(v * 0.5) for v in range(256)]))
        cover = tone.point(
            [round(255 * min(1.0, max(0.0, (threshold - v) / 62))) for v in range(256)]
        )
        ink = ImageChops.lighter(ink, ImageChops.multiply(pencil, cover))
    tone = ImageChops.add(tone, sky.point([round(v * 0.1) for v in range(256)]))
    smear = tone.point([round(max(0, 226 - v) * 0.42) for v in range(256)])
    ink = ImageChops.lighter(ink.point([round(v * 0.86) for v in range(256)]), smear)
    ink = ImageChops.add(ink, lines)
    ink = ink.point([round(v * amount) for v in range(256)])
    sheet = Image.new("RGB", size, to_rgb(parse(stage.drawing.paper)))
    light = _paper_bright(stage.image.convert("L"))
    tint = ImageChops.lighter(stage.image, _grey(light)).point(
        [round(255 - (255 - v) * 0.6) for v in range(256)] * 3
    )
    sheet = ImageChops.multiply(
        sheet, Image.blend(Image.new("RGB", size, (255, 255, 255)), tint, 0.62)
    )
    sheet.paste(to_rgb(parse(stage.drawing.line_colour)), (0, 0), ink)
    stage.image = sheet


_BAYER = (0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5)


def _rows(stage: Stage, rows: int, colours: int) -> None:
    block = max(2, round(stage.unit / rows))
    small = (math.ceil(stage.size[0] / block), math.ceil(stage.size[1] / block))
    image = stage.image.resize(small, Image.Resampling.BOX)
    if colours > 0:
        palette = _fixed_palette(image, colours)
        tile = Image.new("L", (4, 4))
        tile.putdata([128 + round((v - 7.5) * 0.9) for v in _BAYER])
        pattern = Image.new("L", small)
        for y in range(0, small[1], 4):
            for x in range(0, small[0], 4):
                pattern.paste(tile, (x, y))
        image = ImageChops.add(image, _grey(pattern), 1.0, -128)
        image = image.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    big = (small[0] * block, small[1] * block)
    box = (0, 0, *stage.size)
    stage.image = image.resize(big, Image.Resampling.NEAREST).crop(box)
    labels = stage.labels.resize(small, Image.Resampling.NEAREST)
    stage.labels = labels.resize(big, Image.Resampling.NEAREST).crop(box)


def _fixed_palette(image: Image.Image, colours: int) -> Image.Image:
    """Return a palette for the picture: most by area, a share for small bright accents."""
    accents = max(2, colours // 3)
    parts = (
        (
            image.quantize(colours - accents, method=Image.Quantize.MEDIANCUT, kmeans=3),
            colours - accents,
        ),
        (image.quantize(accents, method=Image.Quantize.MAXCOVERAGE), accents),
    )
    entries: list[int] = []
    for part, count in parts:
        own = part.getpalette() or []
        entries += own[: 3 * count]
    palette = Image.new("P", (1, 1))
    palette.putpalette(entries)
    return palette


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
    assert stage.sun is not None
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
    stage.image = ImageChops.multiply(stage.image, _grey(shade))


def _paper(stage: Stage, amount: float) -> None:
    tooth = texture.paper(stage.size, stage.seed + 65)
    tooth = tooth.point([round(128 + (v - 128) * amount) for v in range(256)])
    stage.image = ImageChops.soft_light(stage.image, _grey(tooth))


def _grain(stage: Stage, amount: float) -> None:
    noise = texture.white_noise(stage.size, stage.seed + 66)
    noise = noise.filter(ImageFilter.BoxBlur(0.6))
    noise = noise.point([round(128 + (v - 128) * amount) for v in range(256)])
    stage.image = ImageChops.overlay(stage.image, _grey(noise))
