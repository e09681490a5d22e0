"""Deserts, snow landscapes and caves."""

import math
import random

from offline.painter import buildings, land, plants, trees
from offline.painter.colour import mix, of_hue, parse
from offline.painter.land import Shape
from offline.painter.places_wild import moved, stones
from offline.painter.scenery import Band, Ground, Scenery


def desert(sc: Scenery) -> Ground:
    """Draw dunes with rocks, cacti and sometimes an oasis."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky(cover=0.12)
    sand = parse("#e0b074")
    if sc.shot.variant % 2:
        land.mountains(
            stage,
            Band.FAR,
            0.16,
            horizon + 0.01,
            0.2,
            parse("#b5704f"),
            seed,
            0.2 * sc.shot.variant,
            snow=0.0,
            count=6,
        )
    else:
        layer = stage.layer(Band.FAR, 0.2)
        for i in range(3):
            x, high = (
                stage.width * (0.2 + 0.28 * i + 0.05 * sc.world.random()),
                0.1 + 0.09 * ((i + seed) % 3),
            )
            layer.pen.poly(
                [
                    (x - high * 0.75, horizon + 0.02),
                    (x, horizon - high),
                    (x + high * 0.95, horizon + 0.02),
                ],
                sand,
                0.1,
            )
            layer.pen.poly(
                [
                    (x, horizon - high),
                    (x + high * 0.95, horizon + 0.02),
                    (x + high * 0.25, horizon + 0.02),
                ],
                sand,
                -0.6,
            )
        stage.add(layer)
    land.dunes(stage, Band.FAR, 0.3, horizon + 0.03, 0.03, sand, seed + 1)
    land.dunes(
        stage,
        Band.BACK,
        0.48,
        horizon + 0.09,
        0.05,
        mix(sand, parse("#d08a52"), 0.3),
        seed + 2 + sc.shot.variant,
    )
    ground = land.dunes(
        stage,
        Band.MIDDLE,
        0.68,
        horizon + 0.18,
        0.06,
        mix(sand, parse("#c97f4a"), 0.4),
        seed + 3 + sc.shot.variant,
    )
    layer = stage.layer(Band.MIDDLE, 0.7)
    for x in sc.spots(4, free=0.36):
        pen = layer.pen.at(x, ground(x) + 0.02, rng.uniform(0.13, 0.26) * sc.grow)
        trees.palm(pen, rng) if sc.shot.variant % 3 == 2 else plants.cactus(pen, rng)
    stage.add(layer)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.84, 1.0),
        horizon + 0.27,
        mix(sand, parse("#d99a5c"), 0.4),
        land.profile(seed + 6, 1.1, 3),
        0.03,
        near=parse("#a8683a"),
    )
    stones(sc, y, 6)
    return Ground(y, [lambda: _dry_front(sc)])


def _dry_front(sc: Scenery) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0, top=stage.height * 0.7)
    left = sc.shot.subject_x > 0.5
    for at, size in ((0.06, 0.3), (0.2, 0.16)):
        x = stage.width * (at if left else 1 - at)
        plants.rock(layer.pen.at(x, stage.height + 0.02, size), rng, parse("#9a6544"))
    plants.grass(
        layer.pen.at(stage.width * (0.16 if left else 0.84), stage.height + 0.01),
        rng,
        parse("#a88a4a"),
        wide=0.5,
        blades=60,
        tall=0.12,
    )
    stage.add(layer, blur=0.004 * stage.drawing.blur)


def snow(sc: Scenery) -> Ground:
    """Draw a snow landscape with firs and, in some scenes, a lit cabin."""
    stage, seed = sc.stage, sc.shot.world_seed
    horizon = sc.sky()
    white = parse("#f3f7fd")
    land.mountains(
        stage,
        Band.FAR,
        0.12,
        horizon,
        min(0.45, horizon * 0.6),
        parse("#8b9bb3"),
        seed,
        0.5 * sc.shot.variant,
        snow=0.8,
        count=4,
    )
    back = land.ridge(
        stage, Band.FAR, 0.32, horizon + 0.03, 0.04, white, land.profile(seed + 1, 0.6), tone=0.3
    )
    _firs(sc, back, Band.FAR, 0.32, 0.07, 46)
    back = land.ridge(
        stage,
        Band.BACK,
        0.5,
        horizon + 0.1,
        0.05,
        white,
        moved(land.profile(seed + 2, 0.9), sc.shot.variant),
        tone=0.38,
    )
    _firs(sc, back, Band.BACK, 0.5, 0.13, 22)
    if sc.shot.variant % 2:
        layer = stage.layer(Band.BACK, 0.6)
        x = stage.width * (0.22 if sc.shot.subject_x > 0.5 else 0.78)
        buildings.house(
            layer.pen.at(x, back(x) + 0.02, 0.17 * sc.grow),
            sc.builder(3),
            stage.light,
            sc.look,
            snow=True,
        )
        stage.add(layer)
    ground = land.ridge(
        stage,
        Band.MIDDLE,
        0.7,
        horizon + 0.18,
        0.05,
        white,
        moved(land.profile(seed + 3, 1.1), sc.shot.variant),
        tone=0.44,
        mist=0.4,
    )
    _firs(sc, ground, Band.MIDDLE, 0.72, 0.3 * sc.grow, 8)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.85, 1.0),
        horizon + 0.27,
        white,
        land.profile(seed + 5, 1.2, 2),
        0.03,
        near=parse("#c3d2ea"),
        tone=0.5,
        rough=0.4,
    )
    return Ground(y, [lambda: _snow_front(sc)])


def _firs(sc: Scenery, ground: Shape, band: Band, depth: float, size: float, count: int) -> None:
    layer = sc.stage.layer(band, depth)
    for y, x in sorted((ground(x), x) for x in sc.spots(count, free=0.02 if size < 0.2 else 0.34)):
        high = size * sc.rng.uniform(0.6, 1.2)
        trees.fir(layer.pen.at(x, y + 0.012, high), sc.rng, snow=True, fine=high > 0.06)
    sc.stage.add(layer, mist=0.3)


def _snow_front(sc: Scenery) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0)
    left = sc.shot.subject_x > 0.5
    x = stage.width * (0.03 if left else 0.97)
    trees.fir(layer.pen.at(x, stage.height + 0.06, 0.78), rng, snow=True)
    x = stage.width * (0.9 if left else 0.1)
    layer.pen.blob(
        [
            (x - 0.4, stage.height + 0.05),
            (x - 0.2, stage.height - 0.06),
            (x + 0.05, stage.height - 0.08),
            (x + 0.35, stage.height + 0.05),
        ],
        "#f2f6fc",
        0.1,
    )
    stage.add(layer, rough=0.2, blur=0.0042 * stage.drawing.blur)


def cave(sc: Scenery) -> Ground:
    """Draw a cave with glowing crystals and a light at its end."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky(cover=0.1)
    stone = parse("#54506a")
    middle = stage.width * (0.62 if sc.shot.subject_x < 0.5 else 0.38)
    for row, (depth, reach) in enumerate(((0.3, 0.26), (0.55, 0.45), (0.8, 0.7))):
        band = (Band.FAR, Band.BACK, Band.MIDDLE)[row]
        layer = stage.layer(band, depth)
        hole = []
        jag = random.Random(seed + row)
        for i in range(26):
            around = math.pi * 2 * i / 26
            r = reach * jag.uniform(0.85, 1.15)
            hole.append(
                (
                    middle + math.cos(around) * r * 1.25,
                    horizon - 0.02 + math.sin(around) * r * (0.8 if math.sin(around) < 0 else 0.5),
                )
            )
        edge = [
            (-0.02, -0.02),
            (stage.width + 0.02, -0.02),
            (stage.width + 0.02, stage.height + 0.02),
            (-0.02, stage.height + 0.02),
            (-0.02, -0.02),
        ]
        layer.pen.poly(
            [*edge, hole[0], *reversed(hole)],
            mix(stone, parse("#15131f"), 0.25 * row),
            -0.5,
            lined=False,
        )
        stage.add(layer, mist=0.3)
        _crystals(sc, band, depth, 5, horizon + 0.1 + 0.08 * row)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.85, 1.0),
        horizon + 0.26,
        mix(stone, parse("#2a2636"), 0.4),
        land.profile(seed + 5, 0.6),
        0.03,
        near=parse("#1c1926"),
    )
    _crystals(sc, Band.MAIN, 0.9, 4, horizon + 0.3)
    return Ground(y, [lambda: _cave_front(sc, rng)])


def _crystals(sc: Scenery, band: Band, depth: float, count: int, y: float) -> None:
    layer = sc.stage.layer(band, depth)
    pen = layer.pen
    fill = mix(sc.look.accent, of_hue(200, 0.7, 0.15), 0.45)
    for x in sc.spots(count, free=0.34):
        size = sc.rng.uniform(0.07, 0.16) * depth
        for lean in (-0.5, 0.0, 0.45):
            tip = (x + lean * size, y - size * (1.3 - abs(lean)))
            pen.poly(
                [
                    (x + lean * 0.3 * size - size * 0.16, y),
                    tip,
                    (x + lean * 0.3 * size + size * 0.16, y),
                ],
                fill,
                0.5,
            )
            pen.poly(
                [(x + lean * 0.3 * size, y), tip, (x + lean * 0.3 * size + size * 0.16, y)],
                fill,
                -0.1,
            )
        pen.lamp(x, y - size * 0.6, size * 2.2, fill, 0.36)
    sc.stage.add(layer, rough=0.2)


def _cave_front(sc: Scenery, rng: random.Random) -> None:
    stage = sc.stage
    layer = stage.layer(Band.NEAR, 1.0)
    for i in range(9):
        x, long = stage.width * (i + rng.random()) / 9, rng.uniform(0.06, 0.24)
        wide = long * 0.22
        layer.pen.poly([(x - wide, -0.01), (x, long), (x + wide, -0.01)], "#1d1a28", -0.4)
    for at in (0.05, 0.94):
        plants.rock(layer.pen.at(stage.width * at, stage.height + 0.03, 0.34), rng, "#262233")
    stage.add(layer, blur=0.004 * stage.drawing.blur)
