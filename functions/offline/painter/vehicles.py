"""Boats and land vehicles, about 1 unit tall, standing on y = 0, facing right."""

import math

from offline.painter.colour import mix
from offline.painter.curves import shape
from offline.painter.look import Look
from offline.painter.pen import Pen

GLASS = "#bfe3ee"
METAL = "#5b616b"


def sailboat(pen: Pen, look: Look) -> None:
    """Draw a sailing boat; the water line is y = 0."""
    pen.stroke([(0.02, 0.14), (0.02, 1.0)], 0.022, "#6d4b34", smooth=False)
    with pen.group():
        pen.blob(shape("0.05,0.95 0.05,0.26 0.46,0.26 0.36,0.55 0.2,0.8"), look.light, 0.15)
    with pen.group():
        pen.blob(
            shape("-0.02,0.98 -0.02,0.22 -0.4,0.22 -0.28,0.55 -0.1,0.85"),
            look.accent,
            -0.05,
        )
    with pen.plain():
        pen.poly(shape("-0.02,0.42 -0.34,0.42 -0.3,0.52 -0.02,0.52"), look.light, -0.05)
    pen.poly(shape("0.02,1 0.16,0.97 0.02,0.93"), look.main, 0.2)
    with pen.group():
        pen.blob(
            shape("-0.56,0.18 -0.42,0 -0.1,-0.035 0.3,-0.03 0.54,0.06 0.7,0.2 0.1,0.16"),
            look.main,
        )
    with pen.plain():
        pen.blob(shape("-0.52,0.12 -0.42,0 0.3,-0.03 0.52,0.04 0.1,0.03"), look.main, -0.5)
        pen.stroke(shape("-0.54,0.16 0.1,0.13 0.67,0.185"), 0.022, look.light, 0.2)


def ship(pen: Pen, look: Look) -> None:
    """Draw a steamer with lit portholes; the water line is y = 0."""
    for x, high in ((-0.22, 0.92), (0.06, 0.96)):
        with pen.group():
            pen.poly([(x, 0.4), (x + 0.02, high), (x + 0.15, high), (x + 0.17, 0.4)], look.accent)
        pen.at(x, high).poly(
            shape("0.018,-0.1 0.02,0 0.15,0 0.152,-0.1"),
            look.dark,
        )
        for i in range(4):
            pen.disc(
                x - 0.02 - i * 0.13,
                high + 0.1 + i * 0.07,
                0.07 + i * 0.025,
                fill="#e7e9ec",
                tone=0.1 - 0.1 * i,
            )
    with pen.group():
        pen.panel(-0.55, 0.3, 0.45, 0.46, 0.03, look.light, 0.1)
        pen.panel(-0.4, 0.44, 0.3, 0.58, 0.03, look.light, 0.2)
    for i in range(9):
        _window(pen, -0.48 + i * 0.105, 0.35, 0.05, 0.055)
    with pen.group():
        pen.blob(
            shape(
                "-0.8,0.32 -0.74,0.05 -0.6,-0.03 0.6,-0.03 0.78,0.1 0.96,0.36 0.4,0.29 -0.4,0.29"
            ),
            look.main,
        )
    with pen.plain():
        pen.poly(shape("-0.74,0.04 -0.66,-0.03 0.62,-0.03 0.7,0.04"), look.accent, -0.3)
        for i in range(8):
            pen.disc(-0.55 + i * 0.15, 0.18, 0.025, fill="#ffe7a8", tone=0.5)


def _window(pen: Pen, x: float, y: float, wide: float, high: float, fill: str = "#ffdf94") -> None:
    pen.panel(x, y, x + wide, y + high, wide * 0.2, fill, 0.6)


def train(pen: Pen, look: Look) -> None:
    """Draw a steam train with two coaches, on rails."""
    pen.box(-2.6, -0.02, 1.2, 0.03, METAL, -0.3)
    for i in range(18):
        pen.box(-2.6 + i * 0.215, -0.06, -2.5 + i * 0.215, -0.015, "#5f4a3c", -0.3)
    for i in range(6):
        pen.disc(
            0.42 - i * 0.3,
            1.08 + i * 0.11 + 0.03 * (i % 2),
            0.1 + i * 0.045,
            fill="#eef0f3",
            tone=0.25 - i * 0.1,
        )
    for k in range(2):
        left = -1.42 - k * 1.1
        with pen.group():
            pen.panel(
                left,
                0.2,
                left + 1.0,
                0.72,
                0.05,
                look.accent if k else mix(look.main, look.accent, 0.6),
            )
            pen.panel(left - 0.02, 0.68, left + 1.02, 0.78, 0.04, look.dark)
        pen.box(left, 0.3, left + 1.0, 0.345, look.light, 0.1)
        for i in range(5):
            _window(pen, left + 0.08 + i * 0.18, 0.44, 0.12, 0.17)
        pen.lamp(left + 0.5, 0.52, 0.55, "#ffd98a", 0.28)
        for x in (left + 0.2, left + 0.8):
            _wheel(pen, x, 0.11, 0.11)
    with pen.group():
        pen.panel(-0.36, 0.24, 0.08, 0.92, 0.04, look.main)
        pen.panel(-0.42, 0.88, 0.14, 0.97, 0.04, look.dark)
    _window(pen, -0.26, 0.58, 0.22, 0.2)
    with pen.group():
        pen.panel(0.02, 0.28, 0.86, 0.66, 0.1, look.main, 0.1)
        pen.poly(
            shape("0.6,0.62 0.57,0.94 0.52,1 0.78,1 0.73,0.94 0.7,0.62"),
            look.dark,
            0.1,
        )
        pen.disc(0.3, 0.68, 0.08, fill="#d9b25a", tone=0.1)
    with pen.plain():
        pen.panel(0.02, 0.28, 0.84, 0.38, 0.05, look.main, -0.45)
        for x in (0.2, 0.44, 0.68):
            pen.box(x, 0.28, x + 0.025, 0.66, "#d9b25a", 0.1)
    pen.disc(0.87, 0.52, 0.075, fill="#fff3c4", tone=1.0)
    pen.lamp(0.9, 0.52, 0.6, "#ffe9a8", 0.6)
    pen.poly(shape("0.74,0.26 0.92,0.26 1.1,0.03 0.74,0.03"), look.accent, -0.1)
    for x, r in ((-0.16, 0.19), (0.26, 0.19), (0.6, 0.12)):
        _wheel(pen, x, r, r)
    pen.stroke([(-0.16, 0.2), (0.26, 0.2)], 0.03, METAL, 0.5, smooth=False)


def _wheel(pen: Pen, x: float, y: float, r: float) -> None:
    pen.disc(x, y, r, fill="#3a3337", tone=-0.2)
    with pen.plain():
        pen.disc(x, y, r * 0.68, fill="#8b5a4a", tone=-0.1)
        pen.disc(x, y, r * 0.25, fill="#d9b25a", tone=0.1)


def car(pen: Pen, look: Look) -> None:
    """Draw a small round car."""
    with pen.group():
        pen.blob(
            shape("-0.62,0.5 -0.42,0.9 -0.1,1 0.26,0.96 0.5,0.56 0,0.46"),
            look.main,
            0.1,
        )
        pen.blob(
            shape("-0.98,0.2 -0.98,0.48 -0.7,0.6 0,0.6 0.6,0.58 0.94,0.46 1,0.2 0,0.16"),
            look.main,
        )
    with pen.plain():
        pen.poly(shape("-0.5,0.56 -0.36,0.84 -0.08,0.91 -0.08,0.56"), GLASS, 0.2)
        pen.poly(shape("0,0.56 0,0.91 0.24,0.87 0.4,0.56"), GLASS, 0.3)
        pen.poly(shape("-0.97,0.3 0.98,0.3 0.98,0.24 -0.97,0.24"), look.light, 0.0)
        pen.box(-0.16, 0.46, -0.06, 0.49, look.light, 0.2)
    for x in (-0.52, 0.54):
        pen.disc(x, 0.17, 0.2, fill="#2c282e")
        pen.disc(x, 0.17, 0.1, fill="#cfd3d8", tone=0.1)
    pen.disc(0.93, 0.42, 0.06, fill="#fff3c4", tone=1.0)
    pen.lamp(0.96, 0.42, 0.45, "#ffe9a8", 0.45)
    pen.panel(-0.4, 1.0, 0.14, 1.14, 0.04, "#9a6a42", 0.0)


def bicycle(pen: Pen, look: Look) -> None:
    """Draw a rider on a bicycle."""
    for x in (-0.32, 0.34):
        points = [
            (x + math.cos(a * math.tau / 24) * 0.2, 0.2 + math.sin(a * math.tau / 24) * 0.2)
            for a in range(25)
        ]
        pen.stroke(points, 0.026, look.dark, smooth=False)
        for k in range(4):
            a = k * math.pi / 4 + look.phase
            pen.stroke(
                [
                    (x - math.cos(a) * 0.19, 0.2 - math.sin(a) * 0.19),
                    (x + math.cos(a) * 0.19, 0.2 + math.sin(a) * 0.19),
                ],
                0.006,
                "#c9ccd2",
                smooth=False,
            )
    for path in (
        [(-0.32, 0.2), (-0.04, 0.2), (0.24, 0.44), (-0.12, 0.44), (-0.32, 0.2)],
        [(-0.04, 0.2), (-0.14, 0.5)],
        [(0.34, 0.2), (0.22, 0.55), (0.3, 0.58)],
    ):
        pen.stroke(path, 0.03, look.accent, smooth=False)
    pen.stroke(shape("-0.1,0.52 0.08,0.42 -0.02,0.22"), 0.085, look.dark, -0.2, end=0.06)
    with pen.group():
        pen.blob(
            shape("-0.2,0.5 -0.12,0.7 0.04,0.8 0.12,0.74 0.02,0.54 -0.08,0.46"),
            look.main,
        )
        pen.stroke(shape("0.06,0.74 0.16,0.62 0.28,0.58"), 0.06, look.main, 0.2, end=0.045)
    with pen.group():
        pen.disc(0.12, 0.88, 0.085, fill=look.skin)
        pen.blob(shape("0.2,0.93 0.1,0.99 0.02,0.93 0.02,0.84 0.08,0.9"), look.hair)
    pen.stroke(shape("0.02,0.79 -0.1,0.84 -0.22,0.78 -0.32,0.84"), 0.05, look.accent, 0.1)


def submarine(pen: Pen, look: Look) -> None:
    """Draw a round submarine with lit windows."""
    with pen.group():
        pen.panel(-0.15, 0.66, 0.2, 0.95, 0.06, look.main, 0.05)
        pen.stroke(shape("0.05,0.9 0.05,1.12 0.18,1.12"), 0.045, look.dark, smooth=False)
        pen.blob(
            shape("-0.85,0.44 -0.5,0.72 0.1,0.78 0.65,0.68 0.88,0.44 0.65,0.2 0.1,0.1 -0.5,0.16"),
            look.main,
        )
        pen.blob(shape("-0.8,0.44 -1.05,0.66 -1,0.44 -1.05,0.22"), look.accent)
    with pen.plain():
        pen.blob(
            shape("-0.7,0.3 0.1,0.3 0.8,0.34 0.6,0.18 0.1,0.1 -0.5,0.16"),
            look.main,
            -0.5,
        )
    for x, r in ((-0.3, 0.09), (0.05, 0.09), (0.45, 0.14)):
        pen.disc(x, 0.47, r * 1.3, fill="#d9b25a")
        pen.disc(x, 0.47, r, fill="#fff0b8", tone=0.8)
        pen.lamp(x, 0.47, r * 3.2, "#ffe6a0", 0.5)
