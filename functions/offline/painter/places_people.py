"""Cities, villages and castles."""

from offline.painter import buildings, land, landmarks, plants, trees, water
from offline.painter.colour import mix, of_hue, parse
from offline.painter.places_wild import meadow_front, woods
from offline.painter.scenery import Band, Ground, Scenery


def city(sc: Scenery) -> Ground:
    """Draw a city with high-rises in the haze, and a waterfront or a park in front."""
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
            fill=mix(base, parse("#8a7f86"), 0.2 * row),
            windows=row > 0,
        )
        stage.add(layer, mist=1.1, rough=0.3)
    by_water = sc.shot.variant % 2 == 0 or sc.shot.wet_subject
    if by_water:
        layer = stage.layer(Band.BACK, 0.6)
        layer.pen.box(-0.02, horizon - 0.015, stage.width + 0.02, horizon + 0.02, "#55525c", -0.2)
        for x in (0.1 + 0.21 * i for i in range(int(stage.width / 0.2))):
            trees.broadleaf(
                layer.pen.at(x, horizon, 0.08),
                rng,
                trees.leaf_colour(rng, sc.shot.season, sc.look.accent),
            )
        stage.add(layer)
        water.water(stage, Band.BACK, horizon + 0.02, mirror=0.7, waves=0.45)
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
    leaf = trees.leaf_colour(rng, sc.shot.season, sc.look.accent)
    pen = layer.pen.at(stage.width * (-0.02 if left else 1.02), 0.04, 0.6, flip=not left)
    trees.branch_of_leaves(pen, rng, mix(leaf, parse("#20301f"), 0.3))
    plants.bush(
        layer.pen.at(stage.width * (0.03 if left else 0.97), stage.height + 0.03, 0.32),
        rng,
        leaf,
        sc.look.accent,
    )
    stage.add(layer, rough=0.4, blur=0.0045 * stage.drawing.blur)


def village(sc: Scenery) -> Ground:
    """Draw a village of small houses between hills."""
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
            trees.broadleaf(
                layer.pen.at(x, y + 0.015, rng.uniform(0.12, 0.17) * sc.grow),
                rng,
                trees.leaf_colour(rng, sc.shot.season, sc.look.accent),
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
            sc.builder(int(at * 100)),
            stage.light,
            sc.look if at < 0.2 else None,
            snow=sc.snowy,
        )
    for x in sc.spots(6, free=0.3):
        plants.bush(
            layer.pen.at(x, ground(x) + 0.02, 0.09),
            rng,
            trees.leaf_colour(rng, sc.shot.season, sc.look.accent),
            sc.look.accent,
        )
    stage.add(layer, rough=0.5)
    meadow = land.plain(
        stage,
        Band.MAIN,
        (0.85, 1.0),
        horizon + 0.27,
        middle,
        land.profile(seed + 5 + sc.shot.variant, 1.2, 3),
        0.022,
        near=near,
    )
    path(sc, meadow)
    return Ground(meadow, [lambda: meadow_front(sc, near)])


def path(sc: Scenery, y: land.Shape) -> None:
    """Paint a path that leads from the lower edge to the main character."""
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
    """Draw a castle on a hill above woods and water."""
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
    landmarks.castle(pen.at(x, horizon - 0.12, 0.4 * sc.grow), sc.world, sc.look, stage.light)
    stage.add(layer, mist=0.8)
    ground = land.ridge(
        stage, Band.BACK, 0.5, horizon + 0.05, 0.03, far, land.profile(seed + 3, 0.7)
    )
    woods(sc, ground, Band.BACK, 0.52, 0.09, 30, conifers=rng.random() < 0.5, free=0.0)
    if sc.shot.variant % 2 == 0:
        water.water(stage, Band.BACK, horizon + 0.08, mirror=0.6, waves=0.3)
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
