"""Animals that fly and swim, and beings of fairy tales. Centred on (0, 0.5), about 1 tall."""

import math

from common.providers.image._painter.colour import mix, scale
from common.providers.image._painter.look import Look
from common.providers.image._painter.pen import Pen, Point, shape


def bird(pen: Pen, look: Look) -> None:
    """A bird in flight; the wings beat with the phase."""
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
        pen.disc(0.28, 0.6, 0.1, own=look.main)
    with pen.plain():
        pen.blob(shape("-0.2,0.43 0.1,0.42 0.3,0.5 0.2,0.55 -0.05,0.5"), look.light, -0.15)
    pen.poly(shape("0.36,0.63 0.5,0.59 0.36,0.56"), "#e9a63a", 0.2)
    pen.disc(0.31, 0.63, 0.018, own="#231c22")
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
    """An owl on a branch, looking at you."""
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
            pen.disc(side * 0.13, 0.75, 0.14, own=look.light, tone=0.1)
            pen.disc(side * 0.12, 0.75, 0.095, own="#f5b93c", tone=0.4)
            pen.disc(side * 0.12, 0.75, 0.055, own="#1d181c")
            pen.disc(side * 0.12 - 0.02, 0.775, 0.018, own="#ffffff", tone=0.8)
            for dx in (-0.04, 0.04):
                pen.stroke(
                    [(side * 0.12 + dx, 0.08), (side * 0.12 + dx, -0.03)],
                    0.035,
                    "#e0a13a",
                    smooth=False,
                )
    pen.poly(shape("-0.045,0.7 0.045,0.7 0,0.58"), "#e0a13a", 0.1)


def penguin(pen: Pen, look: Look) -> None:
    """A penguin."""
    for side in (-1, 1):
        pen.disc(side * 0.1 + 0.05, 0.03, 0.1, 0.04, own="#e59a35")
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
        pen.disc(0.13, 0.85, 0.09, 0.085, own=look.light, tone=0.1)
        pen.disc(0.14, 0.86, 0.022, own="#1d181c")
    pen.poly(shape("0.2,0.85 0.36,0.81 0.2,0.78"), "#e59a35", 0.1)
    pen.blob(shape("-0.15,0.68 -0.34,0.45 -0.36,0.25 -0.24,0.36 -0.12,0.5"), look.dark, -0.05)
    pen.stroke(shape("-0.18,0.7 0.04,0.66 0.22,0.7"), 0.08, look.accent, 0.1)


def butterfly(pen: Pen, look: Look) -> None:
    """A butterfly with open wings."""
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
            pen.disc(0.36 * s, 0.82, 0.07 * fold, 0.08, own=look.light, tone=0.3)
            pen.disc(0.25 * s, 0.3, 0.05 * fold, 0.06, own=look.light, tone=0.3)
    pen.stroke([(0.0, 0.22), (0.0, 0.68)], 0.05, look.dark, end=0.06)
    for side in (-1, 1):
        pen.stroke([(0.0, 0.68), (side * 0.06, 0.82), (side * 0.14, 0.9)], 0.014, look.dark)


_SPINE = (
    (0.5, 0.76),
    (0.34, 0.64),
    (0.1, 0.6),
    (-0.2, 0.52),
    (-0.45, 0.53),
    (-0.65, 0.55),
    (-0.8, 0.46),
)


def _along(path: tuple[Point, ...], share: float) -> Point:
    position = share * (len(path) - 1)
    index = min(int(position), len(path) - 2)
    (x0, y0), (x1, y1) = path[index], path[index + 1]
    return (x0 + (x1 - x0) * (position - index), y0 + (y1 - y0) * (position - index))


def dragon(pen: Pen, look: Look) -> None:
    """A dragon in flight."""
    beat = math.sin(look.phase * math.tau) * 0.12
    _membrane(pen, look, (0.05, 0.55), (-0.2, 1.12 + beat), -0.5)
    body = look.main
    with pen.group():
        pen.stroke(
            shape("0.2,0.5 -0.2,0.42 -0.6,0.5 -0.9,0.34 -1.15,0.45"),
            0.24,
            body,
            -0.05,
            end=0.02,
        )
        pen.stroke(shape("0.1,0.48 0.42,0.58 0.56,0.74 0.74,0.78"), 0.24, body, 0.0, end=0.1)
        pen.blob(
            shape("-0.1,0.4 0.05,0.34 0.28,0.38 0.36,0.52 0.2,0.62 -0.06,0.58"),
            body,
        )
        pen.blob(
            shape("0.66,0.84 0.8,0.9 0.96,0.8 1.04,0.74 0.98,0.68 0.82,0.7 0.68,0.7"),
            body,
            0.08,
        )
    pen.poly(shape("-1.12,0.47 -1.3,0.56 -1.2,0.42 -1.28,0.32"), look.accent)
    with pen.plain():
        pen.stroke(
            shape("0.56,0.66 0.36,0.49 0.1,0.39 -0.2,0.37"),
            0.05,
            look.light,
            -0.05,
            end=0.02,
        )
    for i in range(9):
        t = i / 8
        x, y = _along(_SPINE, t)
        pen.poly([(x - 0.04, y - 0.03), (x - 0.03, y + 0.06), (x + 0.035, y)], look.accent, 0.1)
    for dx in (0.0, 0.07):
        pen.stroke(
            [(0.72 + dx, 0.86), (0.64 + dx, 0.96), (0.56 + dx, 1.0)],
            0.045,
            look.light,
            -0.1,
            end=0.01,
        )
    pen.disc(0.83, 0.81, 0.022, 0.026, own="#ffd257", tone=0.6)
    for x in (-0.05, 0.22):
        pen.stroke([(x, 0.42), (x - 0.05, 0.28), (x + 0.05, 0.2)], 0.09, body, -0.25, end=0.05)
    _membrane(pen, look, (0.12, 0.58), (-0.35, 1.2 + beat), 0.0)


def _membrane(pen: Pen, look: Look, root: Point, tip: Point, tone: float) -> None:
    x, y = root
    elbow = (x + 0.12, (y + tip[1]) / 2 + 0.12)
    with pen.group():
        pen.poly(
            [
                root,
                elbow,
                tip,
                (tip[0] - 0.2, tip[1] - 0.24),
                (tip[0] - 0.02, tip[1] - 0.3),
                (tip[0] - 0.16, tip[1] - 0.52),
                (x - 0.22, y + 0.08),
                (x - 0.16, y - 0.06),
            ],
            look.accent,
            tone,
        )
        pen.stroke([root, elbow, tip], 0.05, look.main, tone, end=0.02)
    with pen.plain():
        for end in ((tip[0] - 0.2, tip[1] - 0.24), (tip[0] - 0.16, tip[1] - 0.52)):
            pen.stroke([elbow, end], 0.022, look.main, tone - 0.1, end=0.008)


def fish(pen: Pen, look: Look) -> None:
    """A fish."""
    wag = 0.08 * math.sin(look.phase * math.tau)
    with pen.group():
        pen.blob(
            [(-0.34, 0.52), (-0.62, 0.78 + wag), (-0.56, 0.5), (-0.62, 0.24 + wag)],
            look.accent,
            -0.1,
        )
        pen.blob(shape("-0.1,0.72 0.05,0.98 0.26,0.74"), look.accent, 0.1)
        pen.blob(
            shape(
                "-0.42,0.5 -0.15,0.74 0.2,0.78 0.48,0.62 0.56,0.5 0.46,0.36 0.15,0.24 -0.15,0.28"
            ),
            look.main,
        )
    with pen.plain():
        pen.blob(shape("-0.2,0.36 0.2,0.26 0.46,0.38 0.3,0.42 0,0.4"), look.light, 0.0)
        for x in (-0.12, 0.12):
            pen.blob(
                [
                    (x, 0.72),
                    (x + 0.07, 0.5),
                    (x, 0.3),
                    (x + 0.06, 0.28),
                    (x + 0.13, 0.5),
                    (x + 0.06, 0.74),
                ],
                look.light,
                0.1,
            )
        pen.disc(0.38, 0.55, 0.06, own="#ffffff", tone=0.4)
        pen.disc(0.4, 0.55, 0.034, own="#1d181c")
    pen.blob(shape("0.1,0.46 -0.06,0.36 -0.02,0.54"), look.accent, -0.15)


def whale(pen: Pen, look: Look) -> None:
    """A whale."""
    with pen.group():
        pen.blob(
            shape("-0.72,0.7 -1.02,1.02 -0.84,1.06 -0.7,0.9 -0.5,1 -0.44,0.86 -0.58,0.68"),
            look.main,
            -0.15,
        )
        pen.blob(
            shape(
                "-0.76,0.76 -0.5,0.66 -0.1,0.78 0.4,0.86 0.82,0.7 0.96,0.46 "
                "0.8,0.22 0.3,0.1 -0.2,0.2 -0.56,0.46 -0.78,0.7"
            ),
            look.main,
        )
    with pen.plain():
        pen.blob(
            shape("-0.3,0.3 0.2,0.4 0.7,0.4 0.95,0.46 0.82,0.24 0.3,0.11 -0.1,0.17"),
            look.light,
            -0.15,
        )
        for i in range(5):
            y = 0.18 + i * 0.045
            pen.stroke(
                [(0.1 + i * 0.05, y), (0.5, y + 0.01), (0.84 - i * 0.005, y + 0.06)],
                0.01,
                look.main,
                -0.2,
            )
        pen.disc(0.62, 0.48, 0.03, own="#1d181c")
        pen.disc(0.63, 0.49, 0.01, own="#ffffff", tone=0.8)
    pen.blob(shape("0.28,0.3 0.16,0.02 0,-0.1 0.04,0.14 0.12,0.32"), look.main, -0.25)


def dolphin(pen: Pen, look: Look) -> None:
    """A dolphin in a leap."""
    with pen.group():
        pen.blob(
            shape("-0.82,0.1 -1,0.16 -0.9,0.02 -0.86,-0.14 -0.7,0.06"),
            look.main,
            -0.2,
        )
        pen.blob(
            shape(
                "-0.8,0.1 -0.45,0.5 -0.05,0.72 0.4,0.72 0.7,0.54 0.94,0.4 0.9,0.34 "
                "0.6,0.36 0.2,0.42 -0.3,0.32"
            ),
            look.main,
        )
        pen.blob(shape("-0.12,0.68 -0.2,0.98 0.12,0.72"), look.main, -0.1)
    with pen.plain():
        pen.blob(
            shape("-0.3,0.34 0.1,0.52 0.5,0.46 0.88,0.36 0.6,0.35 0.2,0.41"),
            look.light,
            0.1,
        )
        pen.disc(0.58, 0.53, 0.025, own="#1d181c")
    pen.blob(shape("0.2,0.48 0,0.22 0.12,0.24 0.34,0.44"), look.main, -0.3)


def turtle(pen: Pen, look: Look) -> None:
    """A sea turtle."""
    pen.blob(shape("0.3,0.45 0.25,0.1 0,-0.02 0.1,0.3"), look.main, -0.3)
    pen.blob(shape("-0.5,0.42 -0.75,0.22 -0.6,0.5"), look.main, -0.3)
    with pen.group():
        pen.blob(shape("0.45,0.52 0.7,0.68 0.86,0.6 0.8,0.46 0.55,0.4"), look.main, 0.1)
    with pen.group():
        pen.blob(
            shape("-0.62,0.42 -0.4,0.74 0,0.88 0.38,0.74 0.56,0.44 0,0.34"),
            look.accent,
            -0.1,
        )
    with pen.plain():
        for x, y, r in (
            (-0.32, 0.58, 0.1),
            (-0.08, 0.68, 0.12),
            (0.18, 0.62, 0.11),
            (-0.12, 0.48, 0.09),
            (0.36, 0.5, 0.07),
        ):
            pen.disc(x, y, r, r * 0.8, own=scale(look.accent, 1.25), tone=0.2)
        pen.disc(0.74, 0.58, 0.025, own="#1d181c")


def octopus(pen: Pen, look: Look) -> None:
    """An octopus."""
    with pen.group():
        for i in range(6):
            x = -0.4 + i * 0.16
            curl = 0.05 * math.sin(i * 2.1 + look.phase * math.tau)
            side = 1 if x > 0 else -1
            pen.stroke(
                [
                    (x * 0.5, 0.45),
                    (x * 0.9, 0.24),
                    (x * 1.2 + curl, 0.08),
                    (x * 1.3 + curl + side * 0.12, 0.02),
                    (x * 1.3 + curl + side * 0.2, 0.1),
                ],
                0.13,
                look.main,
                -0.3 if i % 2 else 0.05,
                end=0.035,
            )
        pen.blob(
            shape("-0.3,0.42 -0.34,0.75 0,1.02 0.34,0.75 0.3,0.42 0,0.34"),
            look.main,
            0.1,
        )
    with pen.plain():
        for side in (-1, 1):
            pen.disc(side * 0.12, 0.56, 0.08, own="#ffffff", tone=0.4)
            pen.disc(side * 0.11, 0.56, 0.04, own="#1d181c")
        for x, y in ((-0.16, 0.82), (0.1, 0.86), (0.2, 0.74)):
            pen.disc(x, y, 0.04, own=look.accent, tone=0.1)


def ghost(pen: Pen, look: Look) -> None:
    """A small friendly ghost."""
    with pen.group():
        pen.blob(
            shape(
                "-0.3,0.08 -0.34,0.5 -0.22,0.88 0,1 0.22,0.88 0.34,0.5 0.3,0.08 "
                "0.2,0.2 0.1,0.06 0,0.2 -0.1,0.06 -0.2,0.2"
            ),
            "#f3f6ff",
            0.5,
        )
    with pen.plain():
        for side in (-1, 1):
            pen.disc(side * 0.1 + 0.04, 0.68, 0.045, 0.065, own="#262238")
            pen.disc(side * 0.19 + 0.03, 0.57, 0.045, 0.025, own="#f2a6b4")
        pen.disc(0.04, 0.55, 0.04, 0.05, own="#262238")
    pen.lamp(0.0, 0.5, 0.8, "#cfe0ff", 0.4)


def flock(pen: Pen, look: Look) -> None:
    """Birds far away."""
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
