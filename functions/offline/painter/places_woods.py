"""Forests and jungles."""

from offline.painter import land, plants, trees
from offline.painter.colour import Colour, mix, parse
from offline.painter.scenery import Band, Ground, Scenery


def forest(sc: Scenery) -> Ground:
    """Draw a forest of trunks with light and mist between them."""
    return _woods_inside(sc, tropical=False)


def jungle(sc: Scenery) -> Ground:
    """Draw a rainforest with palms, vines and large leaves."""
    return _woods_inside(sc, tropical=True)


def _woods_inside(sc: Scenery, *, tropical: bool) -> Ground:
    stage, rng, seed = sc.stage, sc.rng, sc.shot.world_seed
    horizon = sc.sky(cover=0.15) + 0.03
    bark = parse("#5c4a40" if not tropical else "#5a4c34")
    floor = sc.greens()[1] if not tropical else parse("#4f8a3f")
    leaf = (
        trees.leaf_colour(sc.world, sc.shot.season, sc.look.accent)
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
            trees.trunk(pen.at(x, y, 1.0), rng, y + 0.05, wide * rng.uniform(0.7, 1.3), bark, -0.1)
        for i in range(26):  # tree crowns cover the sky
            x, size = stage.width * (i + rng.random()) / 26, rng.uniform(0.09, 0.2)
            pen.disc(
                x,
                rng.uniform(-0.08, 0.12 - row * 0.04),
                size,
                size * 0.6,
                fill=leaf,
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
        trees.trunk(
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
    trees.trunk(
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
            trees.palm(pen.at(0, -0.5, 1.3), rng, mix(leaf, parse("#12301f"), 0.4))
        else:
            plants.fern(pen, rng, mix(leaf, parse("#12301f"), 0.45))
    pen = layer.pen.at(stage.width * (1.02 if left else -0.02), 0.06, 0.62, flip=left)
    trees.branch_of_leaves(pen, rng, mix(leaf, parse("#1d3a22"), 0.3))
    stage.add(layer, rough=0.5, blur=0.0045 * stage.drawing.blur)
