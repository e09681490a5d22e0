"""Places without people: hills, mountains, forests, deserts, snow, caves."""

import math
import random

from common.providers.image._painter import buildings, land, plants
from common.providers.image._painter.colour import Colour, mix, of_hue, parse
from common.providers.image._painter.land import Shape
from common.providers.image._painter.scenery import Band, Ground, Scenery


def meadow_front(sc: Scenery, own: Colour, *, flowers: bool = True, tall: float = 0.15) -> None:
    """Paint grass and flowers at the lower edge, out of focus where the style says so."""
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0, top=stage.height - tall * 1.7)
    left_heavy = sc.shot.subject_x > 0.5
    clumps = (
        ((0.12, 0.95, 1.25), (0.93, 0.55, 0.8))
        if left_heavy
        else ((0.9, 0.95, 1.25), (0.06, 0.55, 0.8))
    )
    for at, wide, size in clumps:
        pen = layer.pen.at(stage.width * at, stage.height + 0.01, 1.0)
        plants.grass(pen, rng, own, wide=wide, blades=int(150 * wide), tall=tall * size)
    if flowers and sc.shot.season in ("spring", "summer"):
        tones = (
            sc.look.accent,
            parse("#f2d25a"),
            parse("#f4efe6"),
            mix(sc.look.accent, parse("#ffffff"), 0.4),
        )
        for i in range(10):
            at = clumps[0][0] if i % 3 else clumps[1][0]
            x = stage.width * at + rng.uniform(-0.36, 0.36)
            plants.flower(
                layer.pen.at(x, stage.height + 0.03, rng.uniform(0.1, 0.2)),
                rng,
                rng.choice(tones),
                own,
            )
    stage.add(layer, rough=0.4, blur=0.0042 * stage.drawing.blur)


def woods(
    sc: Scenery,
    ground: Shape,
    band: Band,
    depth: float,
    size: float,
    count: int,
    *,
    conifers: bool,
    free: float = 0.3,
) -> None:
    """Plant trees on a ridge, smaller and lighter with distance."""
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(band, depth)
    trees = sorted((ground(x), x) for x in sc.spots(count, free=free))
    for y, x in trees:
        high = size * rng.uniform(0.65, 1.15)
        pen = layer.pen.at(x, y + 0.012, high, flip=rng.random() < 0.5)
        if conifers or sc.snowy:
            plants.fir(pen, rng, snow=sc.snowy, fine=high > 0.07)
        elif rng.random() < 0.2:
            plants.fir(pen, rng, fine=high > 0.07)
        else:
            plants.broadleaf(pen, rng, plants.leaf_colour(rng, sc.shot.season, sc.look.accent))
    stage.add(layer, mist=0.35, rough=0.8)


def hills(sc: Scenery) -> Ground:
    """Rolling hills with trees, perhaps a house or a mill far off."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky()
    far, middle, near = sc.greens()
    shift = sc.shot.variant * 0.9
    blue = mix(far, parse("#6f86a8"), 0.6)
    land.ridge(
        stage,
        Band.FAR,
        0.1,
        horizon - 0.03,
        0.09,
        blue,
        _moved(land.profile(seed + 1, 0.6), shift * 0.3),
    )
    land.ridge(
        stage,
        Band.FAR,
        0.28,
        horizon + 0.015,
        0.07,
        mix(far, blue, 0.45),
        _moved(land.profile(seed + 2, 0.7), shift * 0.5),
    )
    back = land.ridge(
        stage,
        Band.BACK,
        0.45,
        horizon + 0.07,
        0.055,
        far,
        _moved(land.profile(seed + 3, 0.9), shift),
    )
    woods(sc, back, Band.BACK, 0.45, 0.085, 22, conifers=rng.random() < 0.4, free=0.1)
    layer = stage.layer(Band.BACK, 0.5)
    x = stage.width * (0.24 if sc.shot.subject_x > 0.5 else 0.76)
    if sc.shot.variant % 3 == 1 and sc.once("windmill"):
        buildings.windmill(layer.pen.at(x, back(x) + 0.01, 0.19 * sc.grow), sc.look, rng.random())
    elif sc.shot.variant % 3 == 2:
        for i in range(3):
            buildings.house(
                layer.pen.at(x + i * 0.085, back(x + i * 0.085) + 0.012, 0.075),
                rng,
                stage.light,
                snow=sc.snowy,
            )
    stage.add(layer, rough=0.4)
    shape = _moved(land.profile(seed + 4, 1.1), shift)
    ground = land.ridge(
        stage, Band.MIDDLE, 0.66, horizon + 0.15, 0.045, mix(far, middle, 0.6), shape, mist=0.6
    )
    woods(sc, ground, Band.MIDDLE, 0.66, 0.19 * sc.grow, 7, conifers=False, free=0.34)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.8, 1.0),
        horizon + 0.25,
        middle,
        land.profile(seed + 5 + sc.shot.variant, 1.3, 3),
        0.028,
        near=near,
    )
    layer = stage.layer(Band.MAIN, 0.9)
    side = stage.width * (0.1 if sc.shot.subject_x > 0.5 else 0.9)
    if sc.shot.variant % 2 == 0:
        plants.broadleaf(
            layer.pen.at(side, y(side) + 0.03, 0.5 * sc.grow),
            rng,
            plants.leaf_colour(rng, sc.shot.season, sc.look.accent),
        ) if not sc.snowy else plants.bare(layer.pen.at(side, y(side) + 0.03, 0.45 * sc.grow), rng)
    for x in sc.spots(5, free=0.2):
        plants.rock(
            layer.pen.at(x, y(x) + rng.uniform(0.03, 0.1), rng.uniform(0.04, 0.08)),
            rng,
            snow=sc.snowy,
        )
    stage.add(layer)
    return Ground(y, [lambda: meadow_front(sc, near)])


def _moved(shape: Shape, shift: float) -> Shape:
    return lambda x: shape(x + shift)


def mountains(sc: Scenery) -> Ground:
    """Snow-capped mountains, often with a lake before them."""
    stage, seed = sc.stage, sc.shot.world_seed
    horizon = sc.sky()
    far, middle, near = sc.greens()
    shift = sc.shot.variant * 0.55
    rock = of_hue(250 + (seed % 40), 0.55, 0.035)
    snow = 0.75 if sc.snowy else 0.42
    tall = min(0.62, horizon * 0.72)
    land.mountains(stage, Band.FAR, 0.1, horizon, tall, rock, seed, shift * 0.6, snow=snow, count=4)
    land.mountains(
        stage,
        Band.FAR,
        0.3,
        horizon + 0.01,
        tall * 0.52,
        mix(rock, parse("#4f6a62"), 0.4),
        seed + 1,
        shift,
        snow=snow * 0.4,
        count=5,
    )
    lake = sc.shot.variant % 3 != 1
    back = land.ridge(
        stage,
        Band.BACK,
        0.46,
        horizon + (-0.002 if lake else 0.05),
        0.03,
        mix(far, parse("#44644f"), 0.6),
        land.profile(seed + 3, 0.5),
    )
    woods(sc, back, Band.BACK, 0.46, 0.07, 40, conifers=True, free=0.0)
    if lake:
        land.water(stage, Band.BACK, horizon + 0.03, mirror=0.62, waves=0.3)
    shape = land.profile(seed + 4 + sc.shot.variant, 1.0)
    ground = land.ridge(
        stage,
        Band.MIDDLE,
        0.68,
        horizon + (0.24 if lake else 0.16),
        0.05,
        mix(far, middle, 0.5),
        shape,
        mist=0.5,
    )
    woods(sc, ground, Band.MIDDLE, 0.68, 0.22 * sc.grow, 12, conifers=True, free=0.36)
    y = land.plain(
        stage,
        Band.MAIN,
        (0.82, 1.0),
        horizon + 0.3,
        middle,
        land.profile(seed + 5, 1.2, 3),
        0.022,
        near=near,
    )
    _stones(sc, y, 8)
    return Ground(y, [lambda: meadow_front(sc, near, tall=0.11)])


def _stones(sc: Scenery, y: Shape, count: int) -> None:
    layer = sc.stage.layer(Band.MAIN, 0.9)
    for x in sc.spots(count, free=0.2):
        plants.rock(
            layer.pen.at(x, y(x) + sc.rng.uniform(0.02, 0.12), sc.rng.uniform(0.04, 0.11)),
            sc.rng,
            snow=sc.snowy,
        )
    sc.stage.add(layer)


def forest(sc: Scenery) -> Ground:
    """Deep woods: rows of trunks with light and mist between them."""
    return _woods_inside(sc, tropical=False)


def jungle(sc: Scenery) -> Ground:
    """Rain forest with palms, vines and large leaves."""
    return _woods_inside(sc, tropical=True)


def _woods_inside(sc: Scenery, *, tropical: bool) -> Ground:
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky(cover=0.15) + 0.03
    bark = parse("#5c4a40" if not tropical else "#5a4c34")
    floor = sc.greens()[1] if not tropical else parse("#4f8a3f")
    leaf = (
        plants.leaf_colour(sc.world, sc.shot.season, sc.look.accent)
        if not tropical
        else parse("#3f8a4a")
    )
    open_middle = stage.width * sc.shot.subject_x
    for row, (depth, count, wide) in enumerate(
        ((0.08, 30, 0.022), (0.24, 22, 0.034), (0.42, 14, 0.05))
    ):
        y = horizon + 0.015 + row * 0.035
        band = (Band.FAR, Band.FAR, Band.BACK)[row]
        layer = stage.layer(band, depth)
        pen = layer.pen
        for i in range(count):
            x = stage.width * ((i + rng.uniform(0.1, 0.9)) / count)
            if row == 2 and abs(x - open_middle) < 0.22:
                continue
            plants.trunk(pen.at(x, y, 1.0), rng, y + 0.05, wide * rng.uniform(0.7, 1.3), bark, -0.1)
        for i in range(26):  # the crowns close the sky
            x, size = stage.width * (i + rng.random()) / 26, rng.uniform(0.09, 0.2)
            pen.disc(
                x,
                rng.uniform(-0.08, 0.12 - row * 0.04),
                size,
                size * 0.6,
                own=leaf,
                tone=-0.35 + 0.3 * rng.random(),
            )
        stage.add(layer, rough=0.7)
        land.ridge(
            stage,
            band,
            depth + 0.05,
            y,
            0.02,
            mix(floor, bark, 0.2),
            land.profile(seed + row, 0.4),
            mist=1.2,
        )
        land.fog(stage, y, 0.12, 0.34 + 0.5 * stage.drawing.mist, seed + row)
    ground = land.plain(
        stage,
        Band.MIDDLE,
        (0.6, 0.85),
        horizon + 0.13,
        floor,
        land.profile(seed + 7 + sc.shot.variant, 0.8),
        0.025,
        near=mix(floor, bark, 0.45),
    )
    layer = stage.layer(Band.MIDDLE, 0.7)
    for x in sc.spots(5, free=0.32):
        plants.trunk(
            layer.pen.at(x, ground(x) + 0.03, 1.0),
            rng,
            ground(x) + 0.1,
            rng.uniform(0.07, 0.11),
            bark,
        )
    for x in sc.spots(9, free=0.2):
        pen = layer.pen.at(x, ground(x) + 0.02, rng.uniform(0.09, 0.16))
        (plants.fern if rng.random() < 0.6 else plants.bush)(pen, rng, leaf)
    stage.add(layer)
    y_main = land.plain(
        stage,
        Band.MAIN,
        (0.86, 1.0),
        horizon + 0.25,
        mix(floor, bark, 0.15),
        land.profile(seed + 9, 0.9, 3),
        0.02,
        near=mix(floor, parse("#1f2c1f"), 0.55),
    )
    layer = stage.layer(Band.MAIN, 0.92)
    for x in sc.spots(4, free=0.22):
        pen = layer.pen.at(x, y_main(x) + 0.05, rng.uniform(0.06, 0.11))
        plants.mushroom(pen, rng, sc.look.accent) if not tropical else plants.flower(
            pen, rng, sc.look.accent
        )
    stage.add(layer)
    return Ground(y_main, [lambda: _forest_front(sc, bark, leaf, tropical)])


def _forest_front(sc: Scenery, bark: Colour, leaf: Colour, tropical: bool) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0)
    left = sc.shot.subject_x > 0.5
    x = stage.width * (0.05 if left else 0.95)
    plants.trunk(
        layer.pen.at(x, stage.height + 0.03),
        rng,
        stage.height + 0.1,
        0.17,
        mix(bark, parse("#1c1716"), 0.35),
        -0.35,
    )
    for at in (0.02, 0.16, 0.84, 0.97):
        pen = layer.pen.at(stage.width * at, stage.height + 0.03, rng.uniform(0.22, 0.32))
        if tropical:
            plants.palm(pen.at(0, -0.5, 1.3), rng, mix(leaf, parse("#12301f"), 0.4))
        else:
            plants.fern(pen, rng, mix(leaf, parse("#12301f"), 0.45))
    pen = layer.pen.at(stage.width * (1.02 if left else -0.02), 0.06, 0.62, flip=left)
    plants.branch_of_leaves(pen, rng, mix(leaf, parse("#1d3a22"), 0.3))
    stage.add(layer, rough=0.5, blur=0.0045 * stage.drawing.blur)


def desert(sc: Scenery) -> Ground:
    """Dunes under a large sky; rocks, cacti, perhaps an oasis."""
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
        plants.palm(pen, rng) if sc.shot.variant % 3 == 2 else plants.cactus(pen, rng)
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
    _stones(sc, y, 6)
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
    """A white country with firs; a lit cabin in some scenes."""
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
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
        _moved(land.profile(seed + 2, 0.9), sc.shot.variant),
        tone=0.38,
    )
    _firs(sc, back, Band.BACK, 0.5, 0.13, 22)
    if sc.shot.variant % 2:
        layer = stage.layer(Band.BACK, 0.6)
        x = stage.width * (0.22 if sc.shot.subject_x > 0.5 else 0.78)
        buildings.house(
            layer.pen.at(x, back(x) + 0.02, 0.17 * sc.grow), rng, stage.light, sc.look, snow=True
        )
        stage.add(layer)
    ground = land.ridge(
        stage,
        Band.MIDDLE,
        0.7,
        horizon + 0.18,
        0.05,
        white,
        _moved(land.profile(seed + 3, 1.1), sc.shot.variant),
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
        plants.fir(layer.pen.at(x, y + 0.012, high), sc.rng, snow=True, fine=high > 0.06)
    sc.stage.add(layer, mist=0.3)


def _snow_front(sc: Scenery) -> None:
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(Band.NEAR, 1.0)
    left = sc.shot.subject_x > 0.5
    x = stage.width * (0.03 if left else 0.97)
    plants.fir(layer.pen.at(x, stage.height + 0.06, 0.78), rng, snow=True)
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
    """A grotto with glowing crystals and a light at its end."""
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
    own = mix(sc.look.accent, of_hue(200, 0.8, 0.12), 0.5)
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
                own,
                0.5,
            )
            pen.poly(
                [(x + lean * 0.3 * size, y), tip, (x + lean * 0.3 * size + size * 0.16, y)],
                own,
                -0.1,
            )
        pen.lamp(x, y - size * 0.6, size * 2.4, own, 0.5)
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
