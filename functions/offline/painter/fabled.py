"""Fairy-tale creatures, centred on (0, 0.5), about 1 unit tall, facing right."""

import math

from offline.painter.curves import Point, shape
from offline.painter.look import Look
from offline.painter.pen import Pen

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
    """Draw a dragon in flight."""
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
        pen.at(x, y).poly(shape("-0.04,-0.03 -0.03,0.06 0.035,0"), look.accent, 0.1)
    for dx in (0.0, 0.07):
        pen.at(dx, 0.0).stroke(
            shape("0.72,0.86 0.64,0.96 0.56,1"),
            0.045,
            look.light,
            -0.1,
            end=0.01,
        )
    pen.disc(0.83, 0.81, 0.022, 0.026, fill="#ffd257", tone=0.6)
    for x in (-0.05, 0.22):
        pen.at(x, 0.0).stroke(shape("0,0.42 -0.05,0.28 0.05,0.2"), 0.09, body, -0.25, end=0.05)
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


def ghost(pen: Pen, look: Look) -> None:
    """Draw a small friendly ghost."""
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
            pen.disc(side * 0.1 + 0.04, 0.68, 0.045, 0.065, fill="#262238")
            pen.disc(side * 0.19 + 0.03, 0.57, 0.045, 0.025, fill="#f2a6b4")
        pen.disc(0.04, 0.55, 0.04, 0.05, fill="#262238")
    pen.lamp(0.0, 0.5, 0.8, "#cfe0ff", 0.4)
