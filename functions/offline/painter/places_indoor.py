"""Interiors."""

from PIL import Image, ImageChops

from offline.painter import land, texture
from offline.painter.colour import mix, of_hue, parse, to_rgb
from offline.painter.curves import shape
from offline.painter.places_wild import woods
from offline.painter.scenery import Band, Ground, Scenery


def room(sc: Scenery) -> Ground:
    """Draw a room with a window, shelves and a lamp."""
    stage, seed = sc.stage, sc.shot.world_seed
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
    boards = land.plain(
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
            stage.width * sc.shot.subject_x, floor + 0.13, 0.42, 0.075, fill=sc.look.main, tone=-0.2
        )
        layer.pen.disc(
            stage.width * sc.shot.subject_x,
            floor + 0.13,
            0.34,
            0.055,
            fill=sc.look.light,
            tone=-0.3,
        )
    stage.add(layer, relief=0.2)
    _sunbeam(sc, window, floor)
    return Ground(lambda x: boards(x) + 0.13, [])


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
    lamp.disc(0.0, 0.01, 0.1, 0.02, fill="#4a4048")
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
    x0, y0, x1, _ = (v * scale for v in window)
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
