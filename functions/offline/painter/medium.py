"""Artistic media: watercolour, pencil, pixel art, paper and hand-drawn wobble."""

import math
import random

from PIL import Image, ImageChops, ImageFilter, ImageOps, ImageStat

from offline.painter import texture
from offline.painter.colour import parse, to_rgb
from offline.painter.stage import Band, Stage


def _keep_colours(stage: Stage, image: Image.Image, position: tuple[int, int]) -> None:
    """Restore colours of the reference image in a medium without colours."""
    box = (*position, position[0] + image.width, position[1] + image.height)
    stage.image.paste(Image.blend(stage.image.crop(box), image, 0.6), position)


def wobble(stage: Stage, amount: float) -> None:
    """Distort the image like an unsteady hand; `amount` is in 1/1000 of the short side."""
    width, height = stage.size
    reach = amount * stage.unit / 1000
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


def wash(stage: Stage, amount: float) -> None:
    """Apply the watercolour effect."""
    size, unit = stage.size, stage.unit
    image = stage.image
    half = (size[0] // 2, size[1] // 2)
    # Bleeding: the image is softer where the paper was wet.
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
    # Pigment accumulates at the edges of a wash.
    grey = image.convert("L")
    edges = ImageChops.subtract(grey.filter(ImageFilter.BoxBlur(unit * 0.006)), grey, 1.0, 0)
    edges = edges.point([255 - min(130, round(v * 4.5 * amount)) for v in range(256)])
    image = ImageChops.multiply(image, texture.rgb(edges))
    # Uneven washes: soft variations of brightness.
    pools = texture.clouded(half, stage.seed + 64, (unit * 0.2, unit * 0.16), 5).resize(
        size, Image.Resampling.BICUBIC
    )
    pools = pools.point([round(128 + (v - 128) * 1.15 * amount) for v in range(256)])
    image = ImageChops.soft_light(image, texture.rgb(pools))
    # Thin paint: the paper shows through, especially in highlights.
    lift = [
        round(255 * min(1.0, 0.05 + 1.04 * (v / 255) ** (1 - 0.26 * amount))) for v in range(256)
    ]
    image = image.point(lift * 3)
    stage.image = ImageChops.multiply(
        image, Image.new("RGB", size, to_rgb(parse(stage.drawing.paper)))
    )


def _paper_bright(grey: Image.Image) -> Image.Image:
    """Brighten the grey image to the level of a pencil drawing, which is mostly paper."""
    grey = ImageOps.autocontrast(grey, cutoff=1)
    mean = max(8.0, ImageStat.Stat(grey).mean[0]) / 255
    gamma = min(1.0, math.log(0.7) / math.log(min(0.98, mean)))
    return grey.point([round(255 * (v / 255) ** gamma) for v in range(256)])


def hatch(stage: Stage, amount: float) -> None:
    """Apply the pencil effect; the reference image keeps its colours."""
    size, unit = stage.size, stage.unit
    grey = _paper_bright(stage.image.convert("L"))
    soft = grey.filter(ImageFilter.BoxBlur(unit * 0.0022))
    lines = ImageChops.subtract(soft, grey, 0.17)
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
        if seed == 71:  # strokes of the sky: flat, sparse and faint
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
    tint = ImageChops.lighter(stage.image, texture.rgb(light)).point(
        [round(255 - (255 - v) * 0.6) for v in range(256)] * 3
    )
    sheet = ImageChops.multiply(
        sheet, Image.blend(Image.new("RGB", size, (255, 255, 255)), tint, 0.62)
    )
    sheet.paste(to_rgb(parse(stage.drawing.line_colour)), (0, 0), ink)
    stage.image = sheet
    if stage.keep is not None:
        _keep_colours(stage, *stage.keep)


_BAYER = (0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5)


def rows(stage: Stage, amount: float) -> None:
    """Apply the pixel art effect with `amount` rows, and a palette if the style has one."""
    colours = stage.drawing.colours
    block = max(2, round(stage.unit / amount))
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
        image = ImageChops.add(image, texture.rgb(pattern), 1.0, -128)
        image = image.quantize(palette=palette, dither=Image.Dither.NONE).convert("RGB")
    big = (small[0] * block, small[1] * block)
    box = (0, 0, *stage.size)
    stage.image = image.resize(big, Image.Resampling.NEAREST).crop(box)
    labels = stage.labels.resize(small, Image.Resampling.NEAREST)
    stage.labels = labels.resize(big, Image.Resampling.NEAREST).crop(box)


def _fixed_palette(image: Image.Image, colours: int) -> Image.Image:
    """Return a palette for the image: mostly by area, with some small bright accents."""
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
        fill = part.getpalette() or []
        entries += fill[: 3 * count]
    palette = Image.new("P", (1, 1))
    palette.putpalette(entries)
    return palette


def paper(stage: Stage, amount: float) -> None:
    """Add the texture of rough paper."""
    tooth = texture.paper(stage.size, stage.seed + 65)
    tooth = tooth.point([round(128 + (v - 128) * amount) for v in range(256)])
    stage.image = ImageChops.soft_light(stage.image, texture.rgb(tooth))
