"""Houses, towers and skylines, standing on y = 0."""

import random

from offline.painter.colour import Colour, mix, parse, scale
from offline.painter.curves import shape
from offline.painter.light import Light
from offline.painter.look import Look
from offline.painter.pen import Fill, Pen

WALLS = ("#efe4cf", "#e3cfae", "#d9c3b0", "#cbd3d6", "#e8d7c4", "#c9b6a2", "#dfc9c0")
ROOFS = ("#b0523c", "#8f4a42", "#6f5560", "#a8653f", "#57606e")
LIT = "#ffd680"
DARK_GLASS = "#5c7285"


def pane(
    pen: Pen, light: Light, rng: random.Random, x: float, y: float, wide: float, high: float
) -> None:
    """Draw a window pane, lit or dark at random depending on the time of day."""
    if rng.random() < light.lamps * 0.85:
        pen.light(((x, y), (x + wide, y), (x + wide, y + high), (x, y + high)), LIT)
        if wide * pen.pixels > 3:
            pen.lamp(x + wide / 2, y + high / 2, max(wide, high) * 2.0, LIT, 0.3)
    else:
        with pen.plain():
            pen.box(x, y, x + wide, y + high, DARK_GLASS, -0.1)


def house(
    pen: Pen, rng: random.Random, light: Light, look: Look | None = None, snow: bool = False
) -> None:
    """Draw a gabled house with a chimney."""
    wall: Fill = rng.choice(WALLS)
    roof: Fill = look.accent if look is not None else rng.choice(ROOFS)
    wide, eaves = rng.uniform(0.36, 0.5), rng.uniform(0.5, 0.58)
    side = rng.choice((-1, 1))
    chimney = side * wide * 0.5
    pen.box(chimney - 0.05, 0.6, chimney + 0.05, 0.98, "#8a6a5c", -0.2)
    with pen.group():
        pen.box(-wide, -0.05, wide, eaves, wall, 0.05)
        pen.poly([(-wide, eaves), (0.0, 0.95), (wide, eaves)], wall, 0.05)
    with pen.plain():
        pen.box(wide * 0.3, -0.05, wide, eaves, wall, -0.3)
    with pen.group():
        pen.poly(
            [
                (-wide - 0.07, eaves - 0.05),
                (0.0, 1.0),
                (wide + 0.07, eaves - 0.05),
                (wide + 0.04, eaves - 0.12),
                (0.0, 0.89),
                (-wide - 0.04, eaves - 0.12),
            ],
            roof,
            0.1,
        )
    if snow:
        pen.poly(
            [
                (-wide - 0.07, eaves - 0.05),
                (0.0, 1.04),
                (wide + 0.07, eaves - 0.05),
                (wide, eaves),
                (0.0, 0.95),
                (-wide, eaves),
            ],
            "#f1f5fb",
            0.2,
        )
    pen.box(-0.08, 0.0, 0.08, 0.26, "#7a4f38", -0.1)
    for x in (-wide * 0.72, wide * 0.44):
        pane(pen, light, rng, x, 0.16, 0.13, 0.16)
    pane(pen, light, rng, -0.07, 0.56, 0.14, 0.16)


def tower_block(
    pen: Pen,
    rng: random.Random,
    light: Light,
    wide: float,
    high: float,
    fill: Fill,
    *,
    windows: bool = True,
) -> None:
    """Draw a high-rise `wide` by `high` units with a grid of windows."""
    top = rng.randrange(4)
    with pen.group():
        pen.box(-wide / 2, -0.02, wide / 2, high, fill)
        if top == 1:
            pen.box(-wide * 0.32, high, wide * 0.32, high * 1.07, fill)
            pen.box(-wide * 0.012, high, wide * 0.012, high * 1.2, fill)
        elif top == 2:
            pen.poly([(-wide / 2, high), (wide / 2, high + wide * 0.4), (wide / 2, high)], fill)
        elif top == 3:
            pen.box(-wide * 0.4, high, wide * 0.05, high + wide * 0.18, fill)
    with pen.plain():
        pen.box(wide * 0.18, 0.0, wide / 2, high, fill, -0.35)
    if not windows:
        return
    columns = max(2, round(wide / 0.021))
    rows = max(3, round(high / 0.03))
    step_x, step_y = wide * 0.86 / columns, high * 0.94 / rows
    if step_x * pen.pixels < 4.5:
        columns, step_x = max(2, columns // 2), wide * 0.86 / max(2, columns // 2)
        rows, step_y = max(3, rows // 2), high * 0.94 / max(3, rows // 2)
    glass = scale(parse(fill) if isinstance(fill, str) else fill, 0.72)
    lit = 0.08 + 0.5 * light.lamps
    with pen.plain():
        for i in range(columns):
            for j in range(rows):
                x = -wide * 0.43 + i * step_x + step_x * 0.2
                y = j * step_y + step_y * 0.3
                corners = (
                    (x, y),
                    (x + step_x * 0.6, y),
                    (x + step_x * 0.6, y + step_y * 0.55),
                    (x, y + step_y * 0.55),
                )
                if light.lamps > 0.15 and rng.random() < lit:
                    pen.light(corners, rng.choice(("#ffd680", "#ffe3a6", "#ffc46b", "#e6f0ff")))
                else:
                    pen.poly(corners, glass, 0.0)


def skyline(
    pen: Pen,
    rng: random.Random,
    light: Light,
    *,
    y: float,
    left: float,
    right: float,
    tall: float,
    wide: float,
    fill: Colour,
    windows: bool,
) -> None:
    """Draw a row of high-rises from `left` to `right`, in the pen's units, at height `y`."""
    x = left
    while x < right:
        width = wide * rng.uniform(0.6, 1.3)
        middle = 1 - abs((x - left) / max(1e-6, right - left) - 0.5) * 0.9
        high = tall * rng.uniform(0.4, 1.0) * (0.55 + 0.55 * middle)
        tower_block(
            pen.at(x + width / 2, y),
            rng,
            light,
            width,
            high,
            mix(fill, parse(rng.choice(WALLS)), rng.uniform(0.0, 0.22)),
            windows=windows,
        )
        x += width * rng.uniform(0.92, 1.12)


def tent(pen: Pen, look: Look, light: Light) -> None:
    """Draw a tent with light inside, and a fire before it."""
    with pen.group():
        pen.poly(shape("-0.6,0 0,0.9 0.6,0"), look.main, 0.1)
        pen.poly(shape("0,0.9 0.6,0 0.85,0.04 0.2,0.88"), look.main, -0.35)
    with pen.plain():
        pen.poly(
            shape("-0.2,0 0,0.62 0.2,0"),
            "#ffdf9a" if light.lamps > 0.2 else "#4a3a38",
            0.4,
        )
    if light.lamps > 0.2:
        pen.lamp(0.0, 0.3, 0.9, "#ffcf80", 0.5)


def campfire(pen: Pen) -> None:
    """Draw a small fire."""
    for x in (-0.3, 0.3):
        pen.stroke([(x, 0.04), (-x * 0.4, 0.2)], 0.1, "#5f4030", smooth=False)
    for spread, high, fill in (
        (0.3, 1.0, "#ff7a33"),
        (0.2, 0.7, "#ffb83f"),
        (0.1, 0.42, "#fff1b8"),
    ):
        pen.light(
            [
                (-spread, 0.12),
                (-spread * 0.9, high * 0.4),
                (-spread * 0.3, high * 0.55),
                (0.0, high),
                (spread * 0.4, high * 0.5),
                (spread, high * 0.36),
                (spread * 0.9, 0.12),
            ],
            fill,
        )
    pen.lamp(0.0, 0.4, 2.6, "#ffa850", 0.7)


def lantern_post(pen: Pen, light: Light) -> None:
    """Draw a street lamp."""
    pen.stroke([(0.0, 0.0), (0.0, 0.8)], 0.03, "#2f333d", smooth=False, end=0.02)
    pen.poly(
        shape("-0.06,0.8 0.06,0.8 0.085,0.93 -0.085,0.93"),
        "#ffe6a6" if light.lamps > 0.1 else "#c9d0d4",
        0.5,
    )
    pen.poly(shape("-0.1,0.93 0,1.02 0.1,0.93"), "#2f333d")
    if light.lamps > 0.1:
        pen.lamp(0.0, 0.86, 0.5, "#ffdf94", 0.6 * light.lamps)


def snowman(pen: Pen, look: Look) -> None:
    """Draw a snowman with a scarf."""
    with pen.group():
        pen.disc(0.0, 0.25, 0.28, fill="#f5f8fd", tone=0.1)
        pen.disc(0.0, 0.6, 0.2, fill="#f5f8fd", tone=0.15)
        pen.disc(0.0, 0.86, 0.14, fill="#f5f8fd", tone=0.2)
    for y in (0.5, 0.6, 0.7):
        pen.disc(0.04, y, 0.02, fill="#2f2b33")
    for x in (0.02, 0.1):
        pen.disc(x, 0.9, 0.017, fill="#2f2b33")
    pen.poly(shape("0.06,0.87 0.24,0.84 0.06,0.83"), "#e88a3a", 0.2)
    for side in (-1, 1):
        pen.stroke([(side * 0.18, 0.62), (side * 0.42, 0.74)], 0.022, "#5f4636", smooth=False)
    pen.stroke(shape("-0.13,0.76 0,0.73 0.14,0.76"), 0.06, look.accent, 0.1)
    pen.box(-0.13, 0.96, 0.13, 0.99, look.dark)
    pen.box(-0.09, 0.98, 0.09, 1.14, look.dark)
