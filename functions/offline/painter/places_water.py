"""Coasts, open water and rivers."""

import math
import random

from offline.painter import buildings, creatures, land, landmarks, plants, trees, water
from offline.painter.colour import Colour, mix, parse, to_rgb
from offline.painter.curves import Point
from offline.painter.pen import Pen
from offline.painter.places_wild import meadow_front
from offline.painter.scenery import Band, Ground, Scenery


def sea(sc: Scenery) -> Ground:
    """Draw a coast with islands, cliffs and a lighthouse, or open water if the subject swims."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky() - 0.02
    shift = sc.shot.variant * 0.6
    left = sc.shot.subject_x > 0.5
    if sc.shot.variant % 3 != 2:
        shape = land.profile(seed + 1, 0.5)
        layer = stage.layer(Band.FAR, 0.22)
        start = stage.width * (0.0 if left else 0.55)
        points = [
            (
                start + i * 0.02,
                horizon
                - max(0.0, math.sin(math.pi * i / 24)) ** 0.7
                * (0.06 + 0.04 * shape(i * 0.02 + shift)),
            )
            for i in range(25)
        ]
        layer.pen.poly(
            [*points, (points[-1][0], horizon + 0.01), (points[0][0], horizon + 0.01)], "#6d8a8a"
        )
        stage.add(layer)
    if rng.random() < 0.6:
        layer = stage.layer(Band.FAR, 0.6)
        creatures.flock(
            layer.pen.at(stage.width * (0.7 if left else 0.3), horizon * 0.45, 0.26), sc.look
        )
        stage.add(layer)
    choppy = 0.85 if sc.shot.weather in ("wind", "rain") or sc.shot.time == "storm" else 0.55
    water.water(stage, Band.FAR, horizon, mirror=0.4, waves=choppy)
    _sea_rows(sc, horizon, choppy)
    _cliff(sc, horizon, left)
    if sc.shot.wet_subject:
        line = horizon + (stage.height - horizon) * 0.42
        return Ground(lambda _x: line, [lambda: _near_waves(sc, line, choppy)], water=line)
    sand = parse("#e6cf9f")
    y = land.plain(
        stage,
        Band.MAIN,
        (0.86, 1.0),
        horizon + 0.23,
        sand,
        land.profile(seed + 6, 1.4, 2),
        0.025,
        near=parse("#b5905c"),
        rough=0.5,
    )
    layer = stage.layer(Band.MAIN, 0.9)
    foam = [
        (x, y(x) - 0.004 + 0.006 * math.sin(x * 21))
        for x in (i * 0.03 for i in range(int(stage.width / 0.03) + 3))
    ]
    layer.pen.stroke(foam, 0.012, "#f6fbfb", 0.4, smooth=False)
    for x in sc.spots(7, free=0.2):
        plants.rock(layer.pen.at(x, y(x) + rng.uniform(0.03, 0.12), rng.uniform(0.03, 0.08)), rng)
    stage.add(layer)
    return Ground(y, [lambda: _beach_front(sc)])


def _sea_rows(sc: Scenery, horizon: float, choppy: float) -> None:
    stage = sc.stage
    deep = mix(stage.light.seen(parse("#2d6f8f"), 0.9), stage.light.zenith, 0.3)
    for row in range(2):
        y = horizon + (stage.height - horizon) * (0.16 + 0.2 * row)
        depth = 0.5 + 0.2 * row
        band = (Band.BACK, Band.MIDDLE)[row]
        layer = stage.layer(band, depth, top=y - 0.08)
        layer.pen.sheet.ink = lambda fill, _tone: to_rgb(fill)
        shape = land.profile(sc.shot.world_seed + 20 + row + sc.shot.variant, 0.14 + 0.1 * row, 2)
        _crests(sc, layer.pen, y, 0.008 + 0.014 * choppy * (row + 0.4), shape, deep, row)
        stage.add(layer, rough=0.2, relief=0.3, alpha=0.55)


def _crests(
    sc: Scenery,
    pen: Pen,
    y: float,
    tall: float,
    shape: land.Shape,
    deep: tuple[float, float, float],
    row: int,
) -> None:
    stage = sc.stage
    points = land.outline(stage, shape, y, tall, 0.012)
    pen.poly(
        [*points, (stage.width + 0.02, y + 0.2), (-0.02, y + 0.2)],
        mix(deep, stage.light.shade, 0.2),
    )
    with pen.plain():
        crest = mix(stage.light.horizon, (1.0, 1.0, 1.0), 0.3)
        _foam(pen, points, y - tall * 0.1, 0.004 + 0.002 * row, crest, sc.rng)


def _foam(
    pen: Pen,
    points: list[Point],
    above: float,
    thick: float,
    fill: Colour,
    rng: random.Random,
) -> None:
    """Draw broken white lines along the crests of a wave row."""
    i = 2
    while i < len(points) - 4:
        length = rng.randrange(3, 14)
        run = [p for p in points[i : i + length] if p[1] < above]
        if len(run) > 2:
            middle = len(run) // 2
            pen.stroke(run[: middle + 1], thick * 0.15, fill, end=thick, smooth=False)
            pen.stroke(run[middle:], thick, fill, end=thick * 0.15, smooth=False)
        i += length + rng.randrange(2, 9)


def _near_waves(sc: Scenery, line: float, choppy: float) -> None:
    stage = sc.stage
    deep = mix(stage.light.seen(parse("#24607f"), 1.0, -0.2), stage.light.zenith, 0.35)
    for row, band in ((0, Band.MAIN), (1, Band.NEAR)):
        y = line + 0.035 + row * (stage.height - line) * 0.5
        layer = stage.layer(band, 0.9, top=y - 0.1)
        layer.pen.sheet.ink = lambda fill, _tone: to_rgb(fill)
        shape = land.profile(stage.seed + 30 + row, 0.3 + 0.15 * row, 2)
        tall = (0.014 + 0.02 * row) * (0.5 + choppy)
        points = land.outline(stage, shape, y, tall, 0.012)
        fill = mix(deep, parse("#0c2233"), 0.18 + 0.2 * row)
        layer.pen.poly(
            [*points, (stage.width + 0.02, stage.height + 0.1), (-0.02, stage.height + 0.1)], fill
        )
        bright = mix(stage.light.horizon, (1.0, 1.0, 1.0), 0.35)
        with layer.pen.plain():
            _foam(layer.pen, points, y, 0.006 + 0.003 * row, bright, sc.rng)
        stage.add(layer, rough=0.3, relief=0.4, alpha=0.9)


def _cliff(sc: Scenery, horizon: float, left: bool) -> None:
    stage = sc.stage
    if sc.shot.variant % 2 == 1 and not sc.shot.wet_subject:
        return
    rng = random.Random(sc.shot.world_seed + 51)
    layer = stage.layer(Band.MIDDLE, 0.62)
    high = 0.2 * sc.grow
    edge = 0.0 if left else stage.width
    # Units above the horizon at the edge of the image; the cliff extends inwards.
    pen = layer.pen.at(edge, horizon, 1.0, flip=not left)
    top = [(-0.06, high), (0.15, high * 0.97), (0.25, high * 0.84)]
    side = land.craggy(rng, (0.25, high * 0.84), (0.43, -0.12), 4, 0.03)
    foot = [(0.34, -0.15), (0.16, -0.165), (-0.06, -0.16)]
    with pen.group():
        pen.poly([*top, *side, *foot], "#80746a", 0.05)
    with pen.plain():
        for i in range(9):  # facets, darker away from the light
            x = -0.04 + i * 0.046
            crown = high * (0.9 - 0.045 * i) - 0.02 * (i % 3)
            drop = rng.uniform(0.12, 0.24)
            facet = land.craggy(rng, (x, crown), (x + 0.02, crown - drop), 2, 0.015)
            facet += [(x + rng.uniform(0.045, 0.075), crown - drop * 0.6), (x + 0.05, crown - 0.02)]
            pen.poly(facet, "#80746a", (-0.55, 0.3, -0.3)[i % 3])
        for i in range(5):
            x = 0.04 + i * 0.08
            pen.blob(
                [(x - 0.06, -0.15), (x - 0.03, -0.09), (x + 0.04, -0.1), (x + 0.07, -0.15)],
                "#6d645e",
                -0.35 + 0.15 * (i % 2),
            )
    turf = [(x, y + 0.014) for x, y in top]
    pen.blob(
        [*turf, (0.28, high * 0.76), (0.2, high * 0.8), (0.1, high * 0.9), (-0.06, high * 0.88)],
        sc.greens()[0],
        0.1,
    )
    if sc.once("lighthouse"):
        landmarks.lighthouse(pen.at(0.1, high * 0.97, 0.34 * sc.grow), sc.look, stage.light)
    if rng.random() < 0.6:
        buildings.house(pen.at(0.215, high * 0.84, 0.08), rng, stage.light, sc.look)
    stage.add(layer, mist=0.2)


def _beach_front(sc: Scenery) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0)
    left = sc.shot.subject_x > 0.5
    x = stage.width * (0.06 if left else 0.94)
    if sc.shot.season == "summer" and stage.light.ambient > 0.55 and sc.shot.world_seed % 2:
        trees.palm(layer.pen.at(x, stage.height + 0.05, 0.95, flip=not left), rng)
    plants.grass(
        layer.pen.at(x, stage.height + 0.01), rng, parse("#8f9a55"), wide=0.6, blades=90, tall=0.17
    )
    stage.add(layer, rough=0.4, blur=0.0042 * stage.drawing.blur)


def river(sc: Scenery) -> Ground:
    """Draw calm water between green banks."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky()
    far, middle, near = sc.greens()
    land.ridge(
        stage,
        Band.FAR,
        0.15,
        horizon - 0.02,
        0.08,
        mix(far, parse("#6f86a8"), 0.55),
        land.profile(seed + 1, 0.6),
    )
    bank = land.ridge(
        stage, Band.BACK, 0.45, horizon + 0.02, 0.03, far, land.profile(seed + 2, 0.7)
    )
    layer = stage.layer(Band.BACK, 0.47)
    for y, x in sorted((bank(x), x) for x in sc.spots(26, free=0.0)):
        high = rng.uniform(0.07, 0.15)
        trees.broadleaf(
            layer.pen.at(x, y + 0.015, high),
            rng,
            trees.leaf_colour(rng, sc.shot.season, sc.look.accent),
        )
    if sc.shot.variant % 2:
        x = stage.width * (0.25 if sc.shot.subject_x > 0.5 else 0.75)
        buildings.house(
            layer.pen.at(x, bank(x) + 0.02, 0.12),
            sc.builder(4),
            stage.light,
            sc.look,
            snow=sc.snowy,
        )
    stage.add(layer, mist=0.3)
    water.water(stage, Band.BACK, horizon + 0.045, mirror=0.66, waves=0.35)
    if sc.shot.wet_subject:
        line = horizon + (stage.height - horizon) * 0.45
        return Ground(lambda _x: line, [lambda: _reeds_front(sc, near)], water=line)
    meadow = land.plain(
        stage,
        Band.MAIN,
        (0.84, 1.0),
        horizon + 0.25,
        middle,
        land.profile(seed + 6 + sc.shot.variant, 1.1, 3),
        0.035,
        near=near,
    )
    layer = stage.layer(Band.MAIN, 0.9)
    for x in sc.spots(6, free=0.22):
        plants.reeds(layer.pen.at(x, meadow(x) + 0.01, rng.uniform(0.1, 0.18)), rng)
    stage.add(layer)
    return Ground(meadow, [lambda: meadow_front(sc, near)])


def _reeds_front(sc: Scenery, near: tuple[float, float, float]) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0)
    for at in (0.03, 0.1, 0.92, 0.98):
        plants.reeds(
            layer.pen.at(stage.width * at, stage.height + 0.02, rng.uniform(0.25, 0.36)),
            rng,
            mix(near, parse("#6f7d45"), 0.5),
        )
    stage.add(layer, blur=0.004 * stage.drawing.blur)
