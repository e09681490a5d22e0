"""Places that people made: cities, villages, castles, gardens, fields and rooms."""

from PIL import Image, ImageChops

from common.providers.image._painter import buildings, land, plants, texture
from common.providers.image._painter.colour import mix, of_hue, parse, to_rgb
from common.providers.image._painter.places_wild import meadow_front, woods
from common.providers.image._painter.pen import shape
from common.providers.image._painter.scenery import Band, Ground, Scenery
from common.providers.image._painter.sky import gradient


def city(sc: Scenery) -> Ground:
    """High-rises in the haze, with a quay by the water or a park in front."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky() + 0.02
    base = of_hue(240 + seed % 60, 0.6, 0.03)
    tall = min(0.5, horizon * 0.75)
    for row, (depth, high, wide, band) in enumerate(
        ((0.1, 0.72, 0.07, Band.FAR), (0.32, 0.86, 0.09, Band.FAR), (0.55, 1.0, 0.12, Band.BACK))
    ):
        layer = stage.layer(band, depth)
        pen = layer.pen.at(0.0, horizon, 1.0)
        row_rng = sc.world if row == 0 else rng
        buildings.skyline(
            pen,
            row_rng,
            stage.light,
            y=-0.02,
            left=-0.1 - 0.04 * row,
            right=stage.width + 0.1,
            tall=tall * high * (1 - 0.22 * row),
            wide=wide,
            own=mix(base, parse("#8a7f86"), 0.2 * row),
            windows=row > 0,
        )
        stage.add(layer, mist=1.1, rough=0.3)
    water = sc.shot.variant % 2 == 0 or sc.shot.wet_subject
    if water:
        layer = stage.layer(Band.BACK, 0.6)
        layer.pen.box(-0.02, horizon - 0.015, stage.width + 0.02, horizon + 0.02, "#55525c", -0.2)
        for x in (0.1 + 0.21 * i for i in range(int(stage.width / 0.2))):
            plants.broadleaf(
                layer.pen.at(x, horizon, 0.08),
                rng,
                plants.leaf_colour(rng, sc.shot.season, sc.look.accent),
            )
        stage.add(layer)
        land.water(stage, Band.BACK, horizon + 0.02, mirror=0.7, waves=0.45)
        if sc.shot.wet_subject:
            line = horizon + (stage.height - horizon) * 0.45
            return Ground(lambda _x: line, [], water=line)
    else:
        far, middle, _ = sc.greens()
        ground = land.ridge(
            stage,
            Band.MIDDLE,
            0.65,
            horizon + 0.06,
            0.012,
            mix(far, middle, 0.5),
            land.profile(seed + 4, 0.9),
        )
        woods(sc, ground, Band.MIDDLE, 0.66, 0.16 * sc.grow, 11, conifers=False)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.85, 1.0),
        horizon + 0.25,
        parse("#8d8480"),
        land.profile(seed, 2.0, 1),
        0.004,
        near=parse("#544c52"),
        rough=0.4,
    )
    layer = stage.layer(Band.MAIN, 0.9)
    pen = layer.pen
    for i in range(7):  # paving
        line = y(0.0) + 0.012 + 0.028 * i * (1 + 0.35 * i)
        pen.stroke(
            [(-0.02, line), (stage.width + 0.02, line)], 0.002 + 0.001 * i, "#6a6064", smooth=False
        )
    rail = y(0.0) - 0.005
    pen.stroke(
        [(-0.02, rail - 0.085), (stage.width + 0.02, rail - 0.085)], 0.008, "#3a3d48", smooth=False
    )
    for i in range(int(stage.width / 0.06) + 1):
        pen.stroke([(i * 0.06, rail), (i * 0.06, rail - 0.085)], 0.004, "#3a3d48", smooth=False)
    for i in range(3):
        buildings.lantern_post(
            pen.at(stage.width * (0.08 + 0.42 * i), y(0.0) + 0.02, 0.34 * sc.grow), stage.light
        )
    stage.add(layer)
    return Ground(lambda x: y(x) + 0.05, [lambda: _leafy_front(sc)])


def _leafy_front(sc: Scenery) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0)
    left = sc.shot.subject_x > 0.5
    leaf = plants.leaf_colour(rng, sc.shot.season, sc.look.accent)
    pen = layer.pen.at(stage.width * (-0.02 if left else 1.02), 0.04, 0.6, flip=not left)
    plants.branch_of_leaves(pen, rng, mix(leaf, parse("#20301f"), 0.3))
    plants.bush(
        layer.pen.at(stage.width * (0.03 if left else 0.97), stage.height + 0.03, 0.32),
        rng,
        leaf,
        sc.look.accent,
    )
    stage.add(layer, rough=0.4, blur=0.0045 * stage.drawing.blur)


def village(sc: Scenery) -> Ground:
    """Small houses between hills."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky()
    far, middle, near = sc.greens()
    land.ridge(
        stage,
        Band.FAR,
        0.12,
        horizon - 0.04,
        0.1,
        mix(far, parse("#6f86a8"), 0.6),
        land.profile(seed + 1, 0.6),
    )
    back = land.ridge(stage, Band.FAR, 0.34, horizon + 0.03, 0.05, far, land.profile(seed + 2, 0.8))
    layer = stage.layer(Band.FAR, 0.36)
    for x in sc.spots(12, free=0.0):
        buildings.house(
            layer.pen.at(x, back(x) + 0.01, rng.uniform(0.05, 0.075)),
            rng,
            stage.light,
            snow=sc.snowy,
        )
    stage.add(layer, mist=0.4)
    ground = land.ridge(
        stage,
        Band.BACK,
        0.52,
        horizon + 0.1,
        0.03,
        mix(far, middle, 0.4),
        land.profile(seed + 3, 0.9),
    )
    layer = stage.layer(Band.BACK, 0.55)
    for y, x in sorted((ground(x), x) for x in sc.spots(9, free=0.12)):
        if rng.random() < 0.65:
            buildings.house(
                layer.pen.at(x, y + 0.015, rng.uniform(0.12, 0.17) * sc.grow),
                rng,
                stage.light,
                snow=sc.snowy,
            )
        else:
            plants.broadleaf(
                layer.pen.at(x, y + 0.015, rng.uniform(0.12, 0.17) * sc.grow),
                rng,
                plants.leaf_colour(rng, sc.shot.season, sc.look.accent),
            )
    stage.add(layer, mist=0.3, rough=0.5)
    ground = land.ridge(
        stage,
        Band.MIDDLE,
        0.72,
        horizon + 0.19,
        0.03,
        mix(far, middle, 0.7),
        land.profile(seed + 4, 1.1),
        mist=0.4,
    )
    layer = stage.layer(Band.MIDDLE, 0.74)
    left = sc.shot.subject_x > 0.5
    for at, size in ((0.12, 0.36), (0.34, 0.28)):
        x = stage.width * (at if left else 1 - at)
        buildings.house(
            layer.pen.at(x, ground(x) + 0.02, size * sc.grow),
            rng,
            stage.light,
            sc.look if at < 0.2 else None,
            snow=sc.snowy,
        )
    for x in sc.spots(6, free=0.3):
        plants.bush(
            layer.pen.at(x, ground(x) + 0.02, 0.09),
            rng,
            plants.leaf_colour(rng, sc.shot.season, sc.look.accent),
            sc.look.accent,
        )
    stage.add(layer, rough=0.5)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.85, 1.0),
        horizon + 0.27,
        middle,
        land.profile(seed + 5 + sc.shot.variant, 1.2, 3),
        0.022,
        near=near,
    )
    _path(sc, y)
    return Ground(y, [lambda: meadow_front(sc, near)])


def _path(sc: Scenery, y: land.Shape) -> None:
    stage = sc.stage
    x = stage.width * sc.shot.subject_x
    layer = stage.layer(Band.MAIN, 0.9)
    top = y(x)
    with layer.pen.plain():
        layer.pen.blob(
            [
                (x + 0.02, top + 0.004),
                (x + 0.1, top + 0.05),
                (x - 0.02, top + 0.14),
                (x + 0.2, stage.height + 0.1),
                (x - 0.5, stage.height + 0.1),
                (x - 0.2, top + 0.13),
                (x + 0.04, top + 0.05),
            ],
            "#d3b98c",
            -0.1,
        )
    stage.add(layer, relief=0.0)


def castle(sc: Scenery) -> Ground:
    """A castle on a hill over woods and water."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky()
    far, middle, near = sc.greens()
    land.mountains(
        stage,
        Band.FAR,
        0.12,
        horizon,
        0.26,
        parse("#7f8aa0"),
        seed,
        0.4 * sc.shot.variant,
        snow=0.35,
        count=5,
    )
    x = stage.width * (0.32 if sc.shot.subject_x > 0.5 else 0.68)
    layer = stage.layer(Band.BACK, 0.42)
    pen = layer.pen
    pen.blob(
        [
            (x - 0.55, horizon + 0.08),
            (x - 0.3, horizon - 0.06),
            (x - 0.17, horizon - 0.125),
            (x + 0.17, horizon - 0.125),
            (x + 0.32, horizon - 0.04),
            (x + 0.6, horizon + 0.08),
        ],
        mix(far, parse("#7f8878"), 0.4),
    )
    buildings.castle(pen.at(x, horizon - 0.12, 0.4 * sc.grow), sc.world, sc.look, stage.light)
    stage.add(layer, mist=0.8)
    ground = land.ridge(
        stage, Band.BACK, 0.5, horizon + 0.05, 0.03, far, land.profile(seed + 3, 0.7)
    )
    woods(sc, ground, Band.BACK, 0.52, 0.09, 30, conifers=rng.random() < 0.5, free=0.0)
    if sc.shot.variant % 2 == 0:
        land.water(stage, Band.BACK, horizon + 0.08, mirror=0.6, waves=0.3)
    ground = land.ridge(
        stage,
        Band.MIDDLE,
        0.7,
        horizon + 0.2,
        0.04,
        mix(far, middle, 0.6),
        land.profile(seed + 4 + sc.shot.variant, 1.0),
    )
    woods(sc, ground, Band.MIDDLE, 0.72, 0.2 * sc.grow, 8, conifers=False, free=0.34)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.85, 1.0),
        horizon + 0.28,
        middle,
        land.profile(seed + 5, 1.2, 3),
        0.022,
        near=near,
    )
    return Ground(y, [lambda: meadow_front(sc, near)])


def garden(sc: Scenery) -> Ground:
    """A garden in blossom."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky()
    far, middle, near = sc.greens()
    land.ridge(
        stage,
        Band.FAR,
        0.2,
        horizon - 0.02,
        0.07,
        mix(far, parse("#6f86a8"), 0.5),
        land.profile(seed + 1, 0.6),
    )
    back = land.ridge(
        stage, Band.BACK, 0.45, horizon + 0.04, 0.02, far, land.profile(seed + 2, 0.8)
    )
    woods(sc, back, Band.BACK, 0.48, 0.16, 16, conifers=False, free=0.0)
    ground = land.ridge(
        stage,
        Band.MIDDLE,
        0.66,
        horizon + 0.12,
        0.02,
        mix(far, middle, 0.6),
        land.profile(seed + 3, 0.9),
    )
    layer = stage.layer(Band.MIDDLE, 0.7)
    tones = (
        sc.look.accent,
        parse("#f2d25a"),
        parse("#f6f1ea"),
        parse("#c98ad0"),
        mix(sc.look.accent, parse("#ffffff"), 0.45),
    )
    for x in sc.spots(9, free=0.22):
        plants.bush(
            layer.pen.at(x, ground(x) + 0.03, rng.uniform(0.12, 0.2)),
            rng,
            plants.leaf_colour(rng, sc.shot.season, sc.look.accent),
            rng.choice(tones),
        )
    if sc.shot.variant % 2:
        x = stage.width * (0.2 if sc.shot.subject_x > 0.5 else 0.8)
        buildings.house(
            layer.pen.at(x, ground(x) + 0.01, 0.3 * sc.grow),
            rng,
            stage.light,
            sc.look,
            snow=sc.snowy,
        )
    stage.add(layer)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.84, 1.0),
        horizon + 0.22,
        middle,
        land.profile(seed + 5, 1.2, 3),
        0.02,
        near=near,
    )
    _path(sc, y)
    layer = stage.layer(Band.MAIN, 0.9)
    beds = sorted((y(x) + rng.uniform(0.02, 0.2), x) for x in sc.spots(46, free=0.2))
    for depth_y, x in beds:
        size = 0.05 + 0.28 * (depth_y - y(x))
        plants.flower(layer.pen.at(x, depth_y, size), rng, rng.choice(tones), middle)
    stage.add(layer)
    return Ground(y, [lambda: meadow_front(sc, near, tall=0.18)])


def field(sc: Scenery) -> Ground:
    """Farm land: rows of crops that run to the horizon, a barn and a mill."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky()
    far, middle, near = sc.greens()
    land.ridge(
        stage,
        Band.FAR,
        0.15,
        horizon - 0.015,
        0.05,
        mix(far, parse("#6f86a8"), 0.5),
        land.profile(seed + 1, 0.6),
    )
    back = land.ridge(
        stage, Band.BACK, 0.42, horizon + 0.02, 0.015, far, land.profile(seed + 2, 0.8)
    )
    woods(sc, back, Band.BACK, 0.44, 0.08, 18, conifers=False, free=0.0)
    layer = stage.layer(Band.BACK, 0.5)
    x = stage.width * (0.24 if sc.shot.subject_x > 0.5 else 0.76)
    if sc.once("windmill"):
        pen = layer.pen.at(x, horizon + 0.03, 0.3 * sc.grow)
        buildings.windmill(pen, sc.look, rng.random())
    buildings.house(
        layer.pen.at(x + 0.2, horizon + 0.035, 0.13), rng, stage.light, sc.look, snow=sc.snowy
    )
    stage.add(layer, mist=0.2)
    crop = {"summer": "#dcb455", "autumn": "#c9903f", "spring": "#8fb84f", "winter": "#e6ecf3"}[
        sc.shot.season
    ]
    y = land.plain(
        stage,
        Band.MIDDLE,
        (0.6, 0.95),
        horizon + 0.04,
        parse(crop),
        land.profile(seed, 2.0, 1),
        0.003,
        near=mix(parse(crop), parse("#5a3d20"), 0.35),
    )
    layer = stage.layer(Band.MIDDLE, 0.75)
    vanish = stage.width * (0.5 + 0.2 * (0.5 - sc.shot.subject_x))
    with layer.pen.plain():
        for i in range(-16, 17):
            low = vanish + i * 0.26
            layer.pen.poly(
                [
                    (vanish + i * 0.022, horizon + 0.045),
                    (low, stage.height + 0.02),
                    (low + 0.075, stage.height + 0.02),
                ],
                mix(parse(crop), parse("#6a4a25"), 0.3),
                -0.35,
            )
    stage.add(layer, relief=0.0, alpha=0.55)
    ground = land.plain(
        stage,
        Band.MAIN,
        (0.86, 1.0),
        horizon + 0.27,
        middle,
        land.profile(seed + 5, 1.2, 3),
        0.015,
        near=near,
    )
    layer = stage.layer(Band.MAIN, 0.9)
    for i in range(int(stage.width / 0.16) + 1):
        px = i * 0.16
        layer.pen.stroke(
            [(px, ground(px) + 0.03), (px, ground(px) - 0.09)], 0.016, "#7a5a42", smooth=False
        )
    for dy in (0.03, 0.07):
        layer.pen.stroke(
            [(i * 0.16, ground(i * 0.16) - dy) for i in range(int(stage.width / 0.16) + 2)],
            0.01,
            "#7a5a42",
            0.1,
            smooth=False,
        )
    stage.add(layer)
    return Ground(lambda x: ground(x) + 0.06 + y(x) * 0.0, [lambda: meadow_front(sc, near)])


def room(sc: Scenery) -> Ground:
    """A room with a window, shelves and a lamp."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    light = stage.light
    left = sc.shot.subject_x > 0.5
    horizon = stage.height * 0.5
    sc.sky(horizon, cover=0.3)
    far = sc.greens()[0]
    land.ridge(
        stage,
        Band.FAR,
        0.3,
        horizon - 0.02,
        0.07,
        mix(far, parse("#6f86a8"), 0.4),
        land.profile(seed, 0.5),
    )
    woods(sc, lambda _x: horizon + 0.0, Band.FAR, 0.4, 0.12, 14, conifers=False, free=0.0)
    floor = stage.height * 0.74
    wall = of_hue(seed % 360, 0.7, 0.045)
    window = _window_box(sc, left)
    layer = stage.layer(Band.MIDDLE, 0.9)
    pen = layer.pen
    x0, y0, x1, y1 = window
    with pen.plain():
        for x, y, xx, yy in (
            (-0.02, -0.02, stage.width + 0.02, y0),
            (-0.02, y1, stage.width + 0.02, floor),
            (-0.02, y0, x0, y1),
            (x1, y0, stage.width + 0.02, y1),
        ):
            pen.box(x, y, xx, yy, wall, -0.3)
        for i in range(int(stage.width / 0.09) + 1):
            for y, yy in ((-0.02, y0), (y1, floor)) if x0 < i * 0.09 < x1 else ((-0.02, floor),):
                pen.box(i * 0.09, y, i * 0.09 + 0.028, yy, wall, -0.42)
    frame = "#f1e8da"
    for x, y, xx, yy in (
        (x0 - 0.03, y0 - 0.03, x1 + 0.03, y0),
        (x0 - 0.05, y1, x1 + 0.05, y1 + 0.035),
        (x0 - 0.03, y0, x0, y1),
        (x1, y0, x1 + 0.03, y1),
        ((x0 + x1) / 2 - 0.008, y0, (x0 + x1) / 2 + 0.008, y1),
        (x0, (y0 + y1) / 2 - 0.008, x1, (y0 + y1) / 2 + 0.008),
    ):
        pen.box(x, y, xx, yy, frame, 0.1)
    for side in (-1, 1):
        edge = x0 if side < 0 else x1
        pen.blob(
            [
                (edge - side * 0.02, y0 - 0.06),
                (edge + side * 0.13, y0 - 0.06),
                (edge + side * 0.11, (y0 + y1) / 2),
                (edge + side * 0.15, y1 + 0.12),
                (edge + side * 0.03, y1 + 0.12),
                (edge + side * 0.01, (y0 + y1) / 2),
            ],
            sc.look.accent,
            -0.2 if side > 0 else 0.0,
        )
    stage.add(layer, rough=0.35, relief=0.4)
    _shelf(sc, left, floor)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.92, 1.0),
        floor,
        parse("#a8764e"),
        lambda _x: 0.0,
        0.0,
        near=parse("#5f3f2c"),
        rough=0.5,
    )
    layer = stage.layer(Band.MAIN, 0.95)
    with layer.pen.plain():
        middle = stage.width / 2
        for i in range(-9, 10):
            layer.pen.stroke(
                [(middle + i * 0.13, floor), (middle + i * 0.24, stage.height + 0.02)],
                0.004,
                "#6b452d",
                smooth=False,
            )
        layer.pen.disc(
            stage.width * sc.shot.subject_x, floor + 0.13, 0.42, 0.075, own=sc.look.main, tone=-0.2
        )
        layer.pen.disc(
            stage.width * sc.shot.subject_x, floor + 0.13, 0.34, 0.055, own=sc.look.light, tone=-0.3
        )
    stage.add(layer, relief=0.2)
    _sunbeam(sc, window, floor)
    if light.lamps < 0.1:
        rng.random()
    return Ground(lambda x: y(x) + 0.13, [])


def _window_box(sc: Scenery, left: bool) -> tuple[float, float, float, float]:
    stage = sc.stage
    wide, high = min(0.56, stage.width * 0.4), 0.4 * sc.grow
    middle = stage.width * (0.36 if left else 0.64)
    top = stage.height * 0.13
    return (middle - wide / 2, top, middle + wide / 2, top + high)


def _shelf(sc: Scenery, left: bool, floor: float) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.MIDDLE, 0.93)
    x = stage.width * (0.88 if left else 0.12)
    pen = layer.pen.at(x, floor, 0.62 * sc.grow)
    with pen.group():
        pen.box(-0.28, 0.0, 0.28, 0.98, "#7a5238", -0.2)
    for row in range(4):
        low = 0.04 + row * 0.24
        with pen.plain():
            pen.box(-0.25, low, 0.25, low + 0.2, "#4a3226", -0.4)
        at = -0.24
        while at < 0.2:
            wide, high = rng.uniform(0.025, 0.05), rng.uniform(0.12, 0.18)
            pen.box(
                at,
                low,
                at + wide,
                low + high,
                rng.choice(("#b5523f", "#4f7a8a", "#d9b25a", "#6f8f5a", "#8a6a9a", "#e3d6bf")),
                rng.uniform(-0.2, 0.2),
            )
            at += wide + 0.004 if rng.random() < 0.85 else 0.1
    lamp = layer.pen.at(stage.width * (0.68 if left else 0.32), floor, 0.6 * sc.grow)
    lamp.stroke([(0.0, 0.0), (0.0, 0.8)], 0.02, "#4a4048", smooth=False)
    lamp.disc(0.0, 0.01, 0.1, 0.02, own="#4a4048")
    lamp.poly(shape("-0.09,1 0.09,1 0.16,0.76 -0.16,0.76"), "#ffe2a8", 0.6)
    lamp.lamp(0.0, 0.85, 0.8, "#ffd28a", 0.25 + 0.4 * stage.light.lamps)
    stage.add(layer, rough=0.4)


def _sunbeam(sc: Scenery, window: tuple[float, float, float, float], floor: float) -> None:
    stage = sc.stage
    if stage.light.disc != "sun":
        return
    from PIL import ImageDraw, ImageFilter

    half = (stage.size[0] // 2, stage.size[1] // 2)
    canvas = Image.new("L", half)
    scale = stage.unit / 2
    x0, y0, x1, y1 = (v * scale for v in window)
    slide = 0.35 * scale * (1 if sc.shot.sun_x < 0.5 else -1)
    bottom = (floor + 0.16) * scale
    ImageDraw.Draw(canvas).polygon(
        [(x0, y0), (x1, y0), (x1 + slide * 1.5, bottom), (x0 + slide * 1.1, bottom)], fill=70
    )
    canvas = canvas.filter(ImageFilter.GaussianBlur(stage.unit * 0.012)).resize(
        stage.size, Image.Resampling.BICUBIC
    )
    dust = texture.stretched(texture.clouded(half, stage.seed + 3, (60, 60), 3), 60, 200).resize(
        stage.size
    )
    stage.screen(to_rgb(stage.light.glow), ImageChops.multiply(canvas, dust), (0, 0), 0.9)


__all__ = ["castle", "city", "field", "garden", "gradient", "room", "village"]
