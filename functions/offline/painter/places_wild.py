"""Hills and mountains."""

from offline.painter import buildings, land, landmarks, plants, trees, water
from offline.painter.colour import Colour, mix, of_hue, parse
from offline.painter.land import Shape
from offline.painter.scenery import Band, Ground, Scenery


def meadow_front(sc: Scenery, fill: Colour, *, flowers: bool = True, tall: float = 0.15) -> None:
    """Paint grass and flowers at the lower edge, out of focus if the style has blur."""
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
        plants.grass(pen, rng, fill, wide=wide, blades=int(150 * wide), tall=tall * size)
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
                fill,
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
    """Draw trees on a ridge, smaller and lighter with distance."""
    stage, rng = sc.stage, sc.rng
    layer = stage.layer(band, depth)
    spots = sorted((ground(x), x) for x in sc.spots(count, free=free))
    for y, x in spots:
        high = size * rng.uniform(0.65, 1.15)
        pen = layer.pen.at(x, y + 0.012, high, flip=rng.random() < 0.5)
        if conifers or sc.snowy:
            trees.fir(pen, rng, snow=sc.snowy, fine=high > 0.07)
        elif rng.random() < 0.2:
            trees.fir(pen, rng, fine=high > 0.07)
        else:
            trees.broadleaf(pen, rng, trees.leaf_colour(rng, sc.shot.season, sc.look.accent))
    stage.add(layer, mist=0.35, rough=0.8)


def hills(sc: Scenery) -> Ground:
    """Draw rolling hills with trees and sometimes a distant house or mill."""
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
        moved(land.profile(seed + 1, 0.6), shift * 0.3),
    )
    land.ridge(
        stage,
        Band.FAR,
        0.28,
        horizon + 0.015,
        0.07,
        mix(far, blue, 0.45),
        moved(land.profile(seed + 2, 0.7), shift * 0.5),
    )
    back = land.ridge(
        stage,
        Band.BACK,
        0.45,
        horizon + 0.07,
        0.055,
        far,
        moved(land.profile(seed + 3, 0.9), shift),
    )
    woods(sc, back, Band.BACK, 0.45, 0.085, 22, conifers=rng.random() < 0.4, free=0.1)
    layer = stage.layer(Band.BACK, 0.5)
    x = stage.width * (0.24 if sc.shot.subject_x > 0.5 else 0.76)
    if sc.shot.variant % 3 == 1 and sc.once("windmill"):
        landmarks.windmill(layer.pen.at(x, back(x) + 0.01, 0.19 * sc.grow), sc.look, rng.random())
    elif sc.shot.variant % 3 == 2:
        for i in range(3):
            buildings.house(
                layer.pen.at(x + i * 0.085, back(x + i * 0.085) + 0.012, 0.075),
                rng,
                stage.light,
                snow=sc.snowy,
            )
    stage.add(layer, rough=0.4)
    shape = moved(land.profile(seed + 4, 1.1), shift)
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
        trees.broadleaf(
            layer.pen.at(side, y(side) + 0.03, 0.5 * sc.grow),
            rng,
            trees.leaf_colour(rng, sc.shot.season, sc.look.accent),
        ) if not sc.snowy else trees.bare(layer.pen.at(side, y(side) + 0.03, 0.45 * sc.grow), rng)
    for x in sc.spots(5, free=0.2):
        plants.rock(
            layer.pen.at(x, y(x) + rng.uniform(0.03, 0.1), rng.uniform(0.04, 0.08)),
            rng,
            snow=sc.snowy,
        )
    stage.add(layer)
    return Ground(y, [lambda: meadow_front(sc, near)])


def moved(shape: Shape, shift: float) -> Shape:
    """Return a horizontally shifted skyline."""
    return lambda x: shape(x + shift)


def mountains(sc: Scenery) -> Ground:
    """Draw snow-capped mountains, often with a lake in front."""
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
        water.water(stage, Band.BACK, horizon + 0.03, mirror=0.62, waves=0.3)
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
    stones(sc, y, 8)
    return Ground(y, [lambda: meadow_front(sc, near, tall=0.11)])


def stones(sc: Scenery, y: Shape, count: int) -> None:
    """Draw stones on the ground."""
    layer = sc.stage.layer(Band.MAIN, 0.9)
    for x in sc.spots(count, free=0.2):
        plants.rock(
            layer.pen.at(x, y(x) + sc.rng.uniform(0.02, 0.12), sc.rng.uniform(0.04, 0.11)),
            sc.rng,
            snow=sc.snowy,
        )
    sc.stage.add(layer)
