"""Underwater, cloud and space scenes."""

import random

from PIL import Image, ImageDraw, ImageFilter

from offline.painter import buildings, cosmos, land, plants, swimmers, trees
from offline.painter.colour import mix, of_hue, parse, to_rgb
from offline.painter.curves import shape
from offline.painter.scenery import Band, Ground, Scenery
from offline.painter.sky import gradient


def underwater(sc: Scenery) -> Ground:
    """Draw an underwater scene with light shafts, corals, weeds, fish and bubbles."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    light = stage.light
    stage.image.paste(
        gradient(stage.size, [(0.0, light.zenith), (0.28, light.middle), (1.0, light.horizon)])
    )
    stage.sun = (stage.width * sc.shot.sun_x, 0.0)
    _shafts(sc)
    floor = stage.height * 0.78
    for row, (depth, band) in enumerate(((0.2, Band.FAR), (0.45, Band.BACK))):
        shape = land.profile(seed + row + sc.shot.variant, 0.35)
        land.ridge(
            stage,
            band,
            depth,
            floor - 0.16 + 0.1 * row,
            0.16 - 0.06 * row,
            "#3f6a78",
            shape,
            mist=1.0,
        )
    layer = stage.layer(Band.BACK, 0.5)
    for i in range(9):
        x, y = stage.width * rng.random(), stage.height * rng.uniform(0.15, 0.6)
        swimmers.fish(layer.pen.at(x, y, rng.uniform(0.03, 0.055), flip=i % 2 == 0), sc.look)
    stage.add(layer)
    y_floor = land.plain(
        stage,
        Band.MIDDLE,
        (0.62, 0.8),
        floor,
        parse("#d8c9a0"),
        land.profile(seed + 5, 0.8),
        0.03,
        near=parse("#8fa08a"),
    )
    layer = stage.layer(Band.MIDDLE, 0.72)
    for x in sc.spots(9, free=0.26):
        tone = turned_hue(sc, rng)
        plants.coral(layer.pen.at(x, y_floor(x) + 0.02, rng.uniform(0.12, 0.22)), rng, tone)
    for x in sc.spots(6, free=0.3):
        plants.kelp(layer.pen.at(x, y_floor(x) + 0.02, rng.uniform(0.3, 0.6)), rng)
    stage.add(layer, mist=0.1)
    sand = land.plain(
        stage,
        Band.MAIN,
        (0.85, 1.0),
        floor + 0.1,
        parse("#dccb9c"),
        land.profile(seed + 8, 1.0, 3),
        0.02,
        near=parse("#6f8f8a"),
    )
    return Ground(sand, [lambda: _reef_front(sc)], water=stage.height * 0.5)


def turned_hue(sc: Scenery, rng: random.Random) -> tuple[float, float, float]:
    """Return a coral colour close to the video's accent colour."""
    return mix(of_hue(rng.choice((10, 35, 340, 60, 310)), 0.66, 0.17), sc.look.accent, 0.3)


def _shafts(sc: Scenery) -> None:
    stage, rng = sc.stage, sc.rng
    width, height = stage.size[0] // 2, stage.size[1] // 2
    canvas = Image.new("L", (width, height))
    draw = ImageDraw.Draw(canvas)
    for _ in range(9):
        x = rng.uniform(-0.1, 1.0) * width
        wide, lean = rng.uniform(0.02, 0.09) * width, rng.uniform(0.05, 0.3) * width
        draw.polygon(
            [
                (x, -4),
                (x + wide * 0.5, -4),
                (x + wide + lean, height),
                (x + lean - wide * 0.4, height),
            ],
            fill=rng.randrange(40, 110),
        )
    canvas = canvas.filter(ImageFilter.GaussianBlur(stage.unit * 0.01))
    fade = (
        Image.linear_gradient("L")
        .transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        .resize((width, height))
    )
    from PIL import ImageChops

    canvas = ImageChops.multiply(canvas, fade).resize(stage.size, Image.Resampling.BICUBIC)
    stage.screen(to_rgb(stage.light.glow), canvas, (0, 0), 0.8)


def _reef_front(sc: Scenery) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0)
    for at in (0.02, 0.12, 0.9, 0.99):
        plants.kelp(
            layer.pen.at(stage.width * at, stage.height + 0.03, rng.uniform(0.5, 0.9)),
            rng,
            "#1f5a4a",
        )
    for at in (0.07, 0.95):
        plants.coral(
            layer.pen.at(stage.width * at, stage.height + 0.04, 0.32), rng, turned_hue(sc, rng)
        )
    for _ in range(34):
        x, y, r = stage.width * rng.random(), stage.height * rng.random(), rng.uniform(0.003, 0.011)
        layer.pen.disc(x, y, r, fill="#d9fbf6", tone=0.6)
        layer.pen.disc(x + r * 0.15, y + r * 0.15, r * 0.78, fill="#4fb3c4", tone=0.2)
    stage.add(layer, rough=0.1, blur=0.0035 * stage.drawing.blur)


def above_clouds(sc: Scenery) -> Ground:
    """Draw a sea of clouds with floating islands."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky(stage.height * 0.66, cover=0.35)
    white = mix((1.0, 1.0, 1.0), stage.light.glow, 0.2)
    for row, (depth, band) in enumerate(((0.15, Band.FAR), (0.4, Band.BACK), (0.62, Band.MIDDLE))):
        if row == 1:
            _island(
                sc,
                band,
                stage.width * (0.24 if sc.shot.subject_x > 0.5 else 0.76),
                horizon - 0.16,
                0.22,
            )
        _cloud_bank(
            sc, band, depth, horizon + 0.02 + row * 0.085, 0.05 + 0.03 * row, white, seed + row
        )
    y = stage.height * 0.86
    if not sc.shot.air_subject:
        _island(sc, Band.MAIN, stage.width * sc.shot.subject_x, horizon + 0.06, 0.5)
        y = horizon + 0.06
    return Ground(
        lambda _x: y,
        [
            lambda: _cloud_bank(
                sc, Band.NEAR, 1.0, stage.height - 0.02, 0.12, white, rng.randrange(999)
            )
        ],
    )


def _cloud_bank(
    sc: Scenery,
    band: Band,
    depth: float,
    y: float,
    size: float,
    white: tuple[float, float, float],
    seed: int,
) -> None:
    stage = sc.stage
    rng = random.Random(seed)
    layer = stage.layer(band, depth, top=y - size * 2.6)
    pen = layer.pen
    puffs = [
        (
            stage.width * i / 22 + rng.uniform(-0.04, 0.04),
            y + rng.uniform(-0.5, 0.3) * size,
            size * rng.uniform(0.6, 1.4),
        )
        for i in range(24)
    ]
    with pen.group():
        pen.box(-0.02, y, stage.width + 0.02, stage.height + 0.02, white, -0.25)
        for x, py, r in puffs:
            pen.disc(x, py, r * 1.25, r, fill=white, tone=-0.25)
    with pen.plain():
        for x, py, r in puffs:
            pen.disc(x - r * 0.1, py - r * 0.16, r * 1.05, r * 0.8, fill=white, tone=0.1)
        for x, py, r in puffs:
            pen.disc(x - r * 0.2, py - r * 0.34, r * 0.72, r * 0.5, fill=white, tone=0.5)
    stage.add(layer, mist=0.8, rough=0.1, relief=0.5, blur=0.003 if band == Band.NEAR else 0.0)


def _island(sc: Scenery, band: Band, x: float, y: float, wide: float) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(band, 0.45 if band == Band.BACK else 0.88)
    pen = layer.pen.at(x, y, wide)
    with pen.group():
        pen.poly(
            shape(
                "-0.8,0 -0.6,-0.2 -0.35,-0.5 -0.12,-0.62 0.02,-0.95 0.2,-0.6 "
                "0.42,-0.45 0.62,-0.18 0.8,0"
            ),
            "#8a7062",
            -0.2,
        )
    with pen.plain():
        pen.poly(
            shape("0.1,0 0.02,-0.95 0.2,-0.6 0.42,-0.45 0.62,-0.18 0.8,0"),
            "#8a7062",
            -0.6,
        )
    with pen.group():
        pen.blob(
            shape(
                "-0.84,0.02 -0.5,0.1 0,0.08 0.5,0.1 0.84,0.02 0.5,-0.1 0.2,-0.06 "
                "-0.1,-0.12 -0.5,-0.07"
            ),
            sc.greens()[1],
            0.1,
        )
    for at, size in ((-0.55, 0.5), (0.6, 0.4)):
        trees.broadleaf(
            pen.at(at, 0.04, size), rng, trees.leaf_colour(rng, sc.shot.season, sc.look.accent)
        )
    if band == Band.BACK:
        buildings.house(pen.at(0.05, 0.06, 0.36), rng, stage.light, sc.look)
    stage.add(layer, mist=0.2)


def space(sc: Scenery) -> Ground:
    """Draw space with a nebula, a planet and, to stand on, the ground of a moon."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    hue = float(seed % 360)
    cosmos.paint_space(stage, hue)
    left = sc.shot.subject_x > 0.5
    x = stage.width * (0.2 if left else 0.8)
    radius = 0.2 + 0.12 * ((seed + sc.shot.variant) % 3) / 2
    cosmos.paint_planet(
        stage,
        x,
        stage.height * rng.uniform(0.24, 0.36),
        radius,
        hue + 120,
        ring=(seed + sc.shot.variant) % 2 == 0,
    )
    if sc.shot.air_subject:
        return Ground(lambda _x: stage.height * 0.8)
    soil = mix(of_hue(hue + 30, 0.6, 0.06), parse("#b5aaa0"), 0.4)
    floor = stage.height * (0.72 if sc.shot.framing != "low" else 0.8)
    land.ridge(
        stage, Band.BACK, 0.55, floor - 0.02, 0.06, soil, land.profile(seed + 3, 0.4), tone=-0.2
    )
    y = land.plain(
        stage,
        Band.MAIN,
        (0.82, 1.0),
        floor + 0.06,
        soil,
        land.profile(seed + 4, 1.0, 3),
        0.03,
        near=mix(soil, parse("#2a2438"), 0.5),
    )
    layer = stage.layer(Band.MAIN, 0.92)
    for x in sc.spots(7, free=0.22):
        r, cy = rng.uniform(0.03, 0.1), y(x) + rng.uniform(0.05, 0.16)
        with layer.pen.plain():
            layer.pen.disc(x, cy, r, r * 0.3, fill=soil, tone=0.25)
            layer.pen.disc(x, cy + r * 0.04, r * 0.88, r * 0.24, fill=soil, tone=-0.7)
    stage.add(layer)
    return Ground(y, [lambda: _moon_front(sc, soil)])


def _moon_front(sc: Scenery, soil: tuple[float, float, float]) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0, top=stage.height * 0.7)
    for at, size in ((0.03, 0.3), (0.14, 0.16), (0.95, 0.24)):
        plants.rock(
            layer.pen.at(stage.width * at, stage.height + 0.02, size),
            rng,
            mix(soil, parse("#1a1626"), 0.45),
        )
    stage.add(layer, blur=0.004 * stage.drawing.blur)
