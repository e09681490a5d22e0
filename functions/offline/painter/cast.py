"""Placement of the characters and the reference image in the scene."""

import random

from PIL import Image, ImageOps

from offline.painter.colour import mix, parse
from offline.painter.look import Look
from offline.painter.pen import Pen
from offline.painter.plan import World
from offline.painter.scenery import Band, Ground, Scenery
from offline.painter.stage import Layer
from offline.painter.subjects import SUBJECTS, Subject

_SIZE = {"wide": 0.27, "medium": 0.36, "close": 0.54, "high": 0.23, "low": 0.43}


def place_cast(sc: Scenery, ground: Ground, world: World, *, smaller: bool) -> None:
    """Draw the characters of the scene; `smaller` leaves space for a reference image."""
    stage, shot = sc.stage, sc.shot
    base = _SIZE[shot.framing] * sc.grow * (0.72 if smaller else 1.0)
    side = -1 if shot.faces_left else 1
    narrow = 0.75 if stage.width < 1.2 else 1.0
    for number, name in reversed(list(enumerate(world.cast))):  # the main character last, in front
        subject = SUBJECTS[name]
        rng = random.Random(f"{stage.seed} {name}")
        size = min(base * subject.tall, 0.8 if subject.tall > 1.2 else 0.62)
        x = stage.width * shot.subject_x
        look = sc.look
        if number:
            if name in sc.drawn:
                continue
            look = _companion(sc.look, subject)
            size *= 0.85 * narrow
            away = 0.16 + 0.7 * base * number if subject.alive else -0.42 * stage.width
            x = min(stage.width - 0.1, max(0.1, x - side * away))
        _place_one(sc, ground, subject, name, x, size, look, rng)


def _companion(look: Look, subject: Subject) -> Look:
    return Look(
        main=parse(subject.colour),
        accent=mix(look.accent, look.main, 0.4),
        hair=look.hair,
        skin=look.skin,
        phase=look.phase + 0.4,
        pose=look.pose,
    )


def _place_one(
    sc: Scenery,
    ground: Ground,
    subject: Subject,
    name: str,
    x: float,
    size: float,
    look: Look,
    rng: random.Random,
) -> None:
    stage = sc.stage
    y, size = _height(sc, ground, subject, x, size, rng)
    if subject.home == "rails":
        _embankment(sc, y)
    reach = size * (3.2 if subject.home == "rails" else 1.6)
    layer = stage.layer(
        Band.MAIN,
        0.94,
        left=max(0.0, x - reach),
        right=x + reach,
        factor=3 if size < 0.5 else 2,
    )
    # Characters are a little brighter than their surroundings, so that they stand out.
    layer.pen.sheet.ink = lambda fill, tone: stage.light.ink(fill, 0.94, tone + 0.2)
    if name == sc.main:
        sc.focus = (x / stage.width, (y - size * 0.55) / stage.height)
    pen = layer.pen.at(x, y, size, flip=sc.shot.faces_left, turn=_tilt(subject.home, rng))
    subject.draw(pen, look, stage.light, rng)
    if ground.water is not None and sc.shot.place != "underwater":
        if subject.home == "water":
            _mirror(sc, layer, y)
        elif subject.home == "deep":
            _sink(sc, layer, ground.water)
    stage.add(layer, rough=0.35)


def _height(
    sc: Scenery, ground: Ground, subject: Subject, x: float, size: float, rng: random.Random
) -> tuple[float, float]:
    """Return the subject's lower edge and height, which depend on its habitat."""
    stage, shot, home = sc.stage, sc.shot, subject.home
    close, below = shot.framing == "close", shot.place == "underwater"
    afloat = ground.water is not None and not below
    if home == "deep" and below:
        return stage.height * (0.62 if close else 0.52) + size * 0.3, size
    if ground.water is not None and afloat and home in ("deep", "water"):
        return ground.water + (size * 0.42 if home == "deep" else 0.02), size
    weightless = shot.place == "space" and shot.air_subject
    if home in ("air", "deep") or weightless:
        size *= 1.1
        low = stage.height * (0.42 + 0.1 * rng.random()) + size * 0.5
        return min(stage.height * 0.66, low), size
    y = ground.y(x) + (0.1 if close else 0.05)
    y = min(y, stage.height * (0.92 if close else 0.9))
    size = min(size, y - 0.06 * stage.height)
    _contact(sc, x, y, size * (0.75 if subject.home == "rails" else 0.34))
    return y, size


def _tilt(home: str, rng: random.Random) -> float:
    return {
        "air": rng.uniform(-5, 8),
        "deep": rng.uniform(-8, 10),
        "water": rng.uniform(-3, 3),
    }.get(home, 0.0)


def _contact(sc: Scenery, x: float, y: float, wide: float) -> None:
    stage = sc.stage
    shade = stage.layer(
        Band.MAIN,
        0.9,
        left=max(0.0, x - wide * 2),
        right=x + wide * 2,
        top=y - 0.08,
        bottom=y + 0.1,
    )
    with shade.pen.plain():
        shade.pen.disc(x, y + 0.004, wide, wide * 0.13, fill="#15121d", tone=-1.0)
    stage.add(shade, alpha=0.42, blur=0.006, rough=0.0, relief=0.0, label_from=300)


def _embankment(sc: Scenery, y: float) -> None:
    stage = sc.stage
    layer = stage.layer(Band.MAIN, 0.92, top=y - 0.04)
    low = stage.height + 0.02
    layer.pen.poly(
        [(-0.02, y), (stage.width + 0.02, y), (stage.width + 0.02, low), (-0.02, low)],
        sc.greens()[2],
        -0.1,
    )
    layer.pen.poly(
        [
            (-0.02, y - 0.002),
            (stage.width + 0.02, y - 0.002),
            (stage.width + 0.02, y + 0.035),
            (-0.02, y + 0.05),
        ],
        "#8a8078",
        -0.1,
    )
    stage.add(layer)


def _sink(sc: Scenery, layer: Layer, line: float) -> None:
    """Erase the part of a swimming animal that is below the water line."""
    cut = (round(line * sc.stage.unit) - layer.box[1]) * layer.factor
    width, height = layer.canvas.size
    if 0 <= cut < height:
        layer.canvas.paste((0, 0, 0, 0), (0, cut, width, height))


def _mirror(sc: Scenery, layer: Layer, y: float) -> None:
    """Paint the reflection of a layer in a water line at height y."""
    line = round(y * sc.stage.unit)
    left, top, *_ = layer.box
    flat = layer.canvas.reduce(layer.factor)
    upper = flat.crop((0, 0, flat.width, max(1, line - top)))
    flipped = upper.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    flipped = flipped.resize((flipped.width, max(1, round(flipped.height * 0.7))))
    alpha = flipped.getchannel("A").point([round(v * 0.32) for v in range(256)])
    sc.stage.image.paste(flipped.convert("RGB"), (left, line), alpha)


# -- the reference image ---------------------------------------------------------------------------
def place_reference(sc: Scenery, ground: Ground, reference: Image.Image) -> None:
    """Draw the whole reference image, framed, on the side opposite the main character."""
    stage, shot = sc.stage, sc.shot
    left = shot.subject_x > 0.5
    grow = (1.0, 0.86, 1.12)[shot.variant % 3]
    max_size = (
        round(min(stage.width * 0.46, 0.74) * stage.unit * grow),
        round(min(stage.height * 0.44, 0.5 * sc.grow) * stage.unit * grow),
    )
    fitted = ImageOps.contain(reference.convert("RGB"), max_size, Image.Resampling.LANCZOS)
    wide, high = fitted.width / stage.unit, fitted.height / stage.unit
    x = stage.width * (0.29 if left else 0.71)
    x = min(stage.width - wide / 2 - 0.07, max(wide / 2 + 0.07, x))
    floats = shot.place in ("space", "underwater", "clouds") or ground.water is not None
    base = stage.height * 0.6 if floats else min(ground.y(x) + 0.02, stage.height * 0.8)
    bottom = base if floats or shot.place == "room" else base - 0.1
    bottom = max(bottom, high + 0.08)
    layer = stage.layer(Band.MAIN, 0.9, factor=3)
    pen = layer.pen
    if not floats and shot.place != "room":
        for dx in (-0.36, 0.36):
            pen.poly(
                [
                    (x + dx * wide - 0.014, bottom - 0.05),
                    (x + dx * wide + 0.014, bottom - 0.05),
                    (x + dx * wide * 1.12 + 0.016, base + 0.05),
                    (x + dx * wide * 1.12 - 0.016, base + 0.05),
                ],
                "#6a4a34",
                -0.1,
            )
    _frame(pen, x, bottom, wide, high, sc)
    if floats:
        pen.lamp(x, bottom - high / 2, max(wide, high) * 0.95, stage.light.glow, 0.35)
    stage.add(layer, rough=0.3)
    position = (round(x * stage.unit - fitted.width / 2), round((bottom - high) * stage.unit))
    stage.image.paste(fitted, position)
    stage.keep = (fitted, position)


def _frame(pen: Pen, x: float, bottom: float, wide: float, high: float, sc: Scenery) -> None:
    wood = mix(parse("#8a6340"), sc.look.accent, 0.25)
    for margin, tone in ((0.036, -0.35), (0.029, 0.2), (0.012, -0.3)):
        pen.box(
            x - wide / 2 - margin,
            bottom - high - margin,
            x + wide / 2 + margin,
            bottom + margin,
            wood,
            tone,
        )
    pen.box(
        x - wide / 2 - 0.007,
        bottom - high - 0.007,
        x + wide / 2 + 0.007,
        bottom + 0.007,
        "#f3ecdf",
        0.3,
    )
