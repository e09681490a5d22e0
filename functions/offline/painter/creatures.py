"""Birds and butterflies, centred on (0, 0.5), about 1 unit tall."""

import math

from offline.painter.colour import mix
from offline.painter.curves import Point, shape
from offline.painter.look import Look
from offline.painter.pen import Pen


def bird(pen: Pen, look: Look) -> None:
    """Draw a bird in flight; `phase` sets the position of the wings."""
    beat = math.sin(look.phase * math.tau)
    tip = 0.5 + 0.42 * beat
    _wing(pen, look, (0.04, 0.56), (-0.12, tip + 0.06), 0.24, -0.4)
    with pen.group():
        pen.blob(
            shape(
                "-0.62,0.44 -0.34,0.44 -0.1,0.4 0.18,0.44 0.32,0.53 0.3,0.62 "
                "0.16,0.64 -0.1,0.58 -0.36,0.52 -0.66,0.54"
            ),
            look.main,
        )
        pen.disc(0.28, 0.6, 0.1, fill=look.main)
    with pen.plain():
        pen.blob(shape("-0.2,0.43 0.1,0.42 0.3,0.5 0.2,0.55 -0.05,0.5"), look.light, -0.15)
    pen.poly(shape("0.36,0.63 0.5,0.59 0.36,0.56"), "#e9a63a", 0.2)
    pen.disc(0.31, 0.63, 0.018, fill="#231c22")
    _wing(pen, look, (0.02, 0.58), (-0.26, tip), 0.28, 0.1)


def _wing(pen: Pen, look: Look, root: Point, tip: Point, width: float, tone: float) -> None:
    x, y = root
    dx, dy = tip[0] - x, tip[1] - y
    with pen.group():
        pen.blob(
            [
                (x + 0.12, y),
                (x + 0.08 + dx * 0.4, y + dy * 0.65),
                (tip[0], tip[1]),
                (x + dx * 0.8 - width * 0.5, y + dy * 0.72),
                (x + dx * 0.4 - width * 0.7, y + dy * 0.4),
                (x - width * 0.75, y + dy * 0.1),
                (x - 0.1, y - 0.04),
            ],
            look.main,
            tone,
        )
    with pen.plain():
        pen.blob(
            [
                (tip[0], tip[1]),
                (x + dx * 0.8 - width * 0.5, y + dy * 0.72),
                (x + dx * 0.4 - width * 0.7, y + dy * 0.4),
                (x + dx * 0.55 - width * 0.2, y + dy * 0.6),
            ],
            look.dark,
            tone - 0.1,
        )


def owl(pen: Pen, look: Look) -> None:
    """Draw an owl on a branch, facing the viewer."""
    pen.stroke(shape("-0.75,0.02 0,-0.02 0.8,0.05"), 0.07, "#5f4333", -0.2, end=0.04)
    with pen.group():
        pen.blob(
            shape(
                "-0.3,0.15 -0.34,0.5 -0.3,0.85 -0.28,1.02 -0.14,0.93 0.14,0.93 "
                "0.28,1.02 0.3,0.85 0.34,0.5 0.3,0.15 0,0.02"
            ),
            look.main,
        )
    with pen.plain():
        pen.blob(
            shape("-0.18,0.15 -0.2,0.45 0,0.56 0.2,0.45 0.18,0.15 0,0.07"),
            look.light,
            -0.1,
        )
        for row in range(3):
            for i in range(4 - row % 2):
                x = -0.12 + i * 0.08 + 0.04 * (row % 2)
                pen.poly(
                    [
                        (x - 0.025, 0.4 - row * 0.1),
                        (x + 0.025, 0.4 - row * 0.1),
                        (x, 0.36 - row * 0.1),
                    ],
                    look.main,
                    -0.2,
                )
        for side in (-1, 1):
            pen.blob(
                [
                    (side * 0.34, 0.5),
                    (side * 0.36, 0.35),
                    (side * 0.24, 0.08),
                    (side * 0.2, 0.3),
                    (side * 0.24, 0.55),
                ],
                look.main,
                -0.4,
            )
            pen.disc(side * 0.13, 0.75, 0.14, fill=look.light, tone=0.1)
            pen.disc(side * 0.12, 0.75, 0.095, fill="#f5b93c", tone=0.4)
            pen.disc(side * 0.12, 0.75, 0.055, fill="#1d181c")
            pen.disc(side * 0.12 - 0.02, 0.775, 0.018, fill="#ffffff", tone=0.8)
            for dx in (-0.04, 0.04):
                pen.stroke(
                    [(side * 0.12 + dx, 0.08), (side * 0.12 + dx, -0.03)],
                    0.035,
                    "#e0a13a",
                    smooth=False,
                )
    pen.poly(shape("-0.045,0.7 0.045,0.7 0,0.58"), "#e0a13a", 0.1)


def penguin(pen: Pen, look: Look) -> None:
    """Draw a penguin."""
    for side in (-1, 1):
        pen.disc(side * 0.1 + 0.05, 0.03, 0.1, 0.04, fill="#e59a35")
    with pen.group():
        pen.blob(
            shape(
                "-0.22,0.04 -0.27,0.4 -0.2,0.75 -0.08,0.96 0.1,1 0.22,0.88 "
                "0.22,0.65 0.27,0.35 0.2,0.04"
            ),
            mix(look.dark, look.main, 0.3),
        )
    with pen.plain():
        pen.blob(
            shape("0,0.05 -0.06,0.4 0.02,0.66 0.18,0.64 0.25,0.35 0.18,0.05"),
            look.light,
            0.1,
        )
        pen.disc(0.13, 0.85, 0.09, 0.085, fill=look.light, tone=0.1)
        pen.disc(0.14, 0.86, 0.022, fill="#1d181c")
    pen.poly(shape("0.2,0.85 0.36,0.81 0.2,0.78"), "#e59a35", 0.1)
    pen.blob(shape("-0.15,0.68 -0.34,0.45 -0.36,0.25 -0.24,0.36 -0.12,0.5"), look.dark, -0.05)
    pen.stroke(shape("-0.18,0.7 0.04,0.66 0.22,0.7"), 0.08, look.accent, 0.1)


def butterfly(pen: Pen, look: Look) -> None:
    """Draw a butterfly with open wings."""
    fold = 0.6 + 0.4 * abs(math.sin(look.phase * math.tau))
    for side, tone in ((-1, -0.2), (1, 0.15)):
        s = side * fold
        with pen.group():
            pen.blob(
                [
                    (0.02 * s, 0.55),
                    (0.2 * s, 0.95),
                    (0.5 * s, 1.0),
                    (0.55 * s, 0.75),
                    (0.3 * s, 0.55),
                ],
                look.main,
                tone,
            )
            pen.blob(
                [
                    (0.02 * s, 0.5),
                    (0.3 * s, 0.52),
                    (0.42 * s, 0.3),
                    (0.28 * s, 0.08),
                    (0.1 * s, 0.2),
                ],
                look.accent,
                tone,
            )
        with pen.plain():
            pen.disc(0.36 * s, 0.82, 0.07 * fold, 0.08, fill=look.light, tone=0.3)
            pen.disc(0.25 * s, 0.3, 0.05 * fold, 0.06, fill=look.light, tone=0.3)
    pen.stroke([(0.0, 0.22), (0.0, 0.68)], 0.05, look.dark, end=0.06)
    for side in (-1, 1):
        pen.stroke([(0.0, 0.68), (side * 0.06, 0.82), (side * 0.14, 0.9)], 0.014, look.dark)


def flock(pen: Pen, look: Look) -> None:
    """Draw distant birds."""
    for i in range(7):
        x, y = -0.8 + i * 0.27, 0.5 + 0.22 * math.sin(i * 1.9 + look.phase * 5)
        s = 0.1 + 0.035 * (i % 3)
        lift = 0.05 * math.sin(i * 2.3 + look.phase * 6)
        wing = 0.07 + lift * 0.6
        pen.poly(
            [
                (x - s, y + wing * 0.1),
                (x - s * 0.5, y + wing * 0.72),
                (x, y),
                (x + s * 0.5, y + wing * 0.72),
                (x + s, y + wing * 0.1),
                (x + s * 0.45, y + wing * 0.4),
                (x, y - 0.03),
                (x - s * 0.45, y + wing * 0.4),
            ],
            look.dark,
            -0.2,
            lined=False,
        )
