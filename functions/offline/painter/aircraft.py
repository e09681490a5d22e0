"""Aircraft and other flying objects, about 1 unit tall, on or above y = 0, facing right."""

from offline.painter.colour import mix, parse, scale
from offline.painter.curves import shape
from offline.painter.look import Look
from offline.painter.pen import Pen
from offline.painter.vehicles import GLASS


def balloon(pen: Pen, look: Look) -> None:
    """Draw a hot-air balloon with striped gores."""
    for x in (-0.1, 0.1):
        pen.stroke([(x * 0.7, 0.12), (x * 1.6, 0.34)], 0.01, look.dark, smooth=False)
    with pen.group():
        pen.blob(
            shape(
                "0,0.3 -0.12,0.36 -0.33,0.58 -0.36,0.78 -0.22,0.96 0,1.02 0.22,0.96 "
                "0.36,0.78 0.33,0.58 0.12,0.36"
            ),
            look.main,
        )
    with pen.plain():
        for i, (inner, outer) in enumerate(
            ((-1.0, -0.68), (-0.68, -0.32), (-0.32, 0.06), (0.06, 0.42), (0.42, 0.74), (0.74, 1.0))
        ):
            fill = (look.main, look.light, look.accent)[i % 3]
            tone = 0.35 - 0.16 * i
            left = [(x * inner, y) for x, y in _GORE]
            right = [(x * outer, y) for x, y in reversed(_GORE)]
            pen.poly([*left, *right], fill, tone)
        pen.poly(shape("-0.12,0.36 0.12,0.36 0.075,0.3 -0.075,0.3"), look.dark)
    pen.disc(0.0, 0.25, 0.03, 0.04, fill="#ffd98a", tone=0.9)
    pen.lamp(0.0, 0.3, 0.3, "#ffc870", 0.5)
    with pen.group():
        pen.panel(-0.08, 0.0, 0.08, 0.13, 0.02, "#9a6a42")
    pen.box(-0.085, 0.11, 0.085, 0.14, "#6f4a2e")


_GORE = [
    (0.02, 1.0),
    (0.2, 0.95),
    (0.32, 0.85),
    (0.355, 0.74),
    (0.33, 0.6),
    (0.24, 0.47),
    (0.12, 0.36),
]


def airplane(pen: Pen, look: Look) -> None:
    """Draw a small propeller plane."""
    pen.blob(shape("-0.2,0.46 -0.45,0.66 -0.3,0.66 0.12,0.5"), look.accent, -0.4)
    with pen.group():
        pen.blob(shape("-0.95,0.86 -0.72,0.5 -0.62,0.46 -0.82,0.5 -1.05,0.84"), look.accent)
        pen.blob(
            shape("-0.95,0.5 -0.5,0.36 0.1,0.28 0.6,0.32 0.8,0.45 0.7,0.58 0.3,0.66 -0.3,0.6"),
            look.main,
        )
    with pen.plain():
        pen.blob(
            shape("-0.9,0.48 -0.4,0.36 0.2,0.29 0.7,0.36 0.3,0.4 -0.4,0.46"),
            look.light,
            -0.1,
        )
        pen.blob(shape("0.1,0.6 0.14,0.74 0.34,0.74 0.46,0.6"), GLASS, 0.3)
    with pen.group():
        pen.blob(
            shape("0.26,0.44 0.06,0.2 -0.2,0.04 -0.34,0.06 -0.16,0.3 -0.02,0.46"),
            look.accent,
            0.1,
        )
    pen.disc(0.84, 0.45, 0.02, 0.26, fill="#d5d9de", tone=0.3)
    pen.disc(0.82, 0.45, 0.05, fill=look.dark)


def rocket(pen: Pen, look: Look) -> None:
    """Draw a rocket with its engine lit, upright."""
    for spread, fill in ((0.13, "#ff7a3a"), (0.085, "#ffc94d"), (0.045, "#fff6d5")):
        pen.light(
            [
                (-spread, 0.16),
                (-spread * 1.1, 0.02),
                (0.0, -0.32 * spread / 0.13),
                (spread * 1.1, 0.02),
                (spread, 0.16),
            ],
            fill,
        )
    pen.lamp(0.0, 0.0, 0.55, "#ffb45a", 0.75)
    for side in (-1, 1):
        with pen.group():
            pen.blob(
                [(side * 0.12, 0.42), (side * 0.3, 0.2), (side * 0.3, 0.08), (side * 0.13, 0.16)],
                look.accent,
                -0.2 * side,
            )
    with pen.group():
        pen.blob(
            shape("-0.13,0.15 -0.18,0.45 -0.12,0.78 0,1.02 0.12,0.78 0.18,0.45 0.13,0.15"),
            look.light,
            0.15,
        )
    with pen.plain():
        pen.blob(
            shape("-0.13,0.15 -0.18,0.45 -0.12,0.78 0,1.02 -0.06,0.7 -0.07,0.3"),
            look.light,
            -0.4,
        )
        pen.blob(shape("-0.105,0.82 0,1.02 0.105,0.82 0,0.78"), look.main)
        pen.poly(shape("-0.17,0.36 0.17,0.36 0.175,0.42 -0.175,0.42"), look.main)
    pen.disc(0.02, 0.6, 0.075, fill=look.dark)
    pen.disc(0.02, 0.6, 0.055, fill="#9be3f5", tone=0.5)
    pen.blob(shape("-0.03,0.22 -0.03,0.08 0.03,0.08 0.03,0.22"), look.accent, 0.1)


def saucer(pen: Pen, look: Look) -> None:
    """Draw a flying saucer."""
    pen.lamp(0.0, 0.3, 0.8, "#9ff5d0", 0.35)
    pen.blob(shape("-0.3,0.6 -0.24,0.86 0,0.98 0.24,0.86 0.3,0.6"), "#aeeaf2", 0.3)
    with pen.group():
        pen.blob(
            shape("-0.8,0.48 -0.4,0.64 0,0.68 0.4,0.64 0.8,0.48 0.35,0.32 -0.35,0.32"),
            mix(look.main, parse("#aab2bd"), 0.5),
        )
    with pen.plain():
        pen.blob(shape("-0.7,0.46 0,0.5 0.7,0.46 0.3,0.34 -0.3,0.34"), look.main, -0.4)
    for i in range(5):
        x = -0.5 + i * 0.25
        pen.disc(x, 0.47, 0.045, fill="#fff2a8", tone=1.0)
        pen.lamp(x, 0.47, 0.16, "#ffe98a", 0.5)


def kite(pen: Pen, look: Look) -> None:
    """Draw a kite with a tail."""
    pen.stroke(shape("0,0.35 -0.1,0.15 0.06,0 -0.06,-0.2"), 0.014, look.dark)
    for x, y in ((-0.06, 0.18), (0.03, 0.02), (-0.04, -0.14)):
        pen.at(x, y).poly(
            shape("-0.07,0.04 0.07,-0.04 0.07,0.04 -0.07,-0.04"),
            look.accent,
        )
    with pen.group():
        pen.poly(shape("0,1 -0.28,0.68 0,0.34 0.28,0.68"), look.main)
    with pen.plain():
        pen.poly(shape("0,1 -0.28,0.68 0,0.68"), look.accent, 0.2)
        pen.poly(shape("0,0.34 0.28,0.68 0,0.68"), scale(look.accent, 0.85), -0.1)
