"""Gardens and farmland."""

from offline.painter import buildings, land, landmarks, plants, trees
from offline.painter.colour import mix, parse
from offline.painter.places_people import path
from offline.painter.places_wild import meadow_front, woods
from offline.painter.scenery import Band, Ground, Scenery


def garden(sc: Scenery) -> Ground:
    """Draw a garden in blossom."""
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
            trees.leaf_colour(rng, sc.shot.season, sc.look.accent),
            rng.choice(tones),
        )
    if sc.shot.variant % 2:
        x = stage.width * (0.2 if sc.shot.subject_x > 0.5 else 0.8)
        buildings.house(
            layer.pen.at(x, ground(x) + 0.01, 0.3 * sc.grow),
            sc.builder(1),
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
    path(sc, y)
    layer = stage.layer(Band.MAIN, 0.9)
    beds = sorted((y(x) + rng.uniform(0.02, 0.2), x) for x in sc.spots(46, free=0.2))
    for depth_y, x in beds:
        size = 0.05 + 0.28 * (depth_y - y(x))
        plants.flower(layer.pen.at(x, depth_y, size), rng, rng.choice(tones), middle)
    stage.add(layer)
    return Ground(y, [lambda: meadow_front(sc, near, tall=0.18)])


def field(sc: Scenery) -> Ground:
    """Draw farmland with rows of crops to the horizon, a barn and a mill."""
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
        landmarks.windmill(pen, sc.look, rng.random())
    buildings.house(
        layer.pen.at(x + 0.2, horizon + 0.035, 0.13),
        sc.builder(2),
        stage.light,
        sc.look,
        snow=sc.snowy,
    )
    stage.add(layer, mist=0.2)
    crop = {"summer": "#dcb455", "autumn": "#c9903f", "spring": "#8fb84f", "winter": "#e6ecf3"}[
        sc.shot.season
    ]
    land.plain(
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
    return Ground(lambda x: ground(x) + 0.06, [lambda: meadow_front(sc, near)])
