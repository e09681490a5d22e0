"""Landmark buildings, about 1 unit tall, standing on y = 0."""

import math
import random

from offline.painter.buildings import DARK_GLASS, pane
from offline.painter.curves import shape
from offline.painter.light import Light
from offline.painter.look import Look
from offline.painter.pen import Fill, Pen


def lighthouse(pen: Pen, look: Look, light: Light) -> None:
    """Draw a striped lighthouse on a rock."""
    with pen.group():
        pen.blob(
            shape("-0.4,-0.1 -0.32,0.06 -0.1,0.12 0.12,0.1 0.34,0.05 0.45,-0.1"),
            "#7a746f",
            -0.1,
        )
    with pen.group():
        pen.poly(shape("-0.13,0.08 -0.08,0.74 0.08,0.74 0.13,0.08"), "#f3efe6", 0.15)
    with pen.plain():
        for low in (0.2, 0.46):
            t0, t1 = (low - 0.08) / 0.66, (low + 0.13 - 0.08) / 0.66
            pen.poly(
                [
                    (-0.13 + 0.05 * t0, low),
                    (-0.13 + 0.05 * t1, low + 0.13),
                    (0.13 - 0.05 * t1, low + 0.13),
                    (0.13 - 0.05 * t0, low),
                ],
                look.accent,
                0.05,
            )
        for y in (0.38, 0.62):
            pen.box(-0.02, y, 0.02, y + 0.05, "#3f4a5c")
    pen.box(-0.12, 0.735, 0.12, 0.765, "#3c4350")
    with pen.group():
        pen.box(-0.065, 0.765, 0.065, 0.88, "#ffe9ae", 0.8)
        pen.blob(shape("-0.095,0.88 0,0.99 0.095,0.88"), look.accent, -0.1)
    pen.stroke([(0.0, 0.96), (0.0, 1.03)], 0.012, "#3c4350", smooth=False)
    if light.lamps > 0.1:
        pen.lamp(0.0, 0.82, 0.5, "#fff0b8", 0.5 + 0.4 * light.lamps)


def windmill(pen: Pen, look: Look, phase: float) -> None:
    """Draw a windmill."""
    with pen.group():
        pen.poly(shape("-0.18,0 -0.11,0.6 0.11,0.6 0.18,0"), "#efe6d3", 0.05)
    with pen.plain():
        pen.poly(shape("0.05,0 0.03,0.6 0.11,0.6 0.18,0"), "#efe6d3", -0.4)
        pen.box(-0.05, 0.0, 0.05, 0.14, "#6f4a34")
        pen.box(-0.03, 0.34, 0.03, 0.42, DARK_GLASS)
    with pen.group():
        pen.blob(shape("-0.14,0.58 -0.1,0.7 0,0.76 0.1,0.7 0.14,0.58"), look.accent)
    for i in range(4):
        angle = math.radians(phase * 360 + 20 + 90 * i)
        cos, sin = math.cos(angle), math.sin(angle)
        tip = (cos * 0.44, 0.65 + sin * 0.44)
        pen.stroke([(0.0, 0.65), tip], 0.02, "#5f4533", smooth=False)
        start = (cos * 0.1, 0.65 + sin * 0.1)
        pen.poly(
            [
                start,
                tip,
                (tip[0] - sin * 0.09, tip[1] + cos * 0.09),
                (start[0] - sin * 0.08, start[1] + cos * 0.08),
            ],
            look.light,
            0.15,
        )
    pen.disc(0.0, 0.65, 0.03, fill="#5f4533")


def castle(pen: Pen, rng: random.Random, look: Look, light: Light) -> None:
    """Draw a castle with many towers and flags."""
    stone = "#cfc3b6"
    for x, wide, high in ((-0.2, 0.1, 0.82), (0.26, 0.085, 0.7)):
        _turret(pen, look, x, wide, high, stone, -0.25)
    with pen.group():
        pen.box(-0.5, -0.05, 0.5, 0.3, stone, -0.05)
        for i in range(9):
            pen.box(-0.5 + i * 0.117, 0.3, -0.44 + i * 0.117, 0.345, stone, -0.05)
    with pen.group():
        pen.box(-0.24, 0.0, 0.26, 0.52, stone, 0.05)
        for i in range(5):
            pen.box(-0.24 + i * 0.11, 0.52, -0.18 + i * 0.11, 0.565, stone, 0.05)
    for x, wide, high in (
        (-0.5, 0.12, 0.52),
        (0.5, 0.12, 0.56),
        (0.02, 0.11, 0.98),
        (-0.26, 0.08, 0.64),
    ):
        _turret(pen, look, x, wide, high, stone, 0.12)
    with pen.plain():
        pen.blob(shape("-0.075,-0.02 -0.075,0.15 0,0.22 0.075,0.15 0.075,-0.02"), "#4f3a30")
    for x, y in (
        (-0.14, 0.38),
        (0.14, 0.38),
        (0.02, 0.72),
        (-0.5, 0.34),
        (0.5, 0.36),
        (-0.32, 0.16),
        (0.32, 0.16),
        (-0.2, 0.6),
    ):
        pane(pen, light, rng, x - 0.016, y, 0.032, 0.06)


def _turret(
    pen: Pen, look: Look, x: float, wide: float, high: float, stone: Fill, tone: float
) -> None:
    half = wide / 2
    with pen.group():
        pen.box(x - half, -0.02, x + half, high * 0.74, stone, tone)
        pen.box(x - half * 1.25, high * 0.7, x + half * 1.25, high * 0.76, stone, tone + 0.1)
    with pen.plain():
        pen.box(x + half * 0.2, 0.0, x + half, high * 0.7, stone, tone - 0.35)
    with pen.group():
        pen.poly(
            [
                (x - half * 1.5, high * 0.76),
                (x, high * 0.76 + wide * 1.7),
                (x + half * 1.5, high * 0.76),
            ],
            look.main,
            0.1,
        )
    with pen.plain():
        pen.poly(
            [
                (x + half * 0.2, high * 0.76),
                (x, high * 0.76 + wide * 1.7),
                (x + half * 1.5, high * 0.76),
            ],
            look.main,
            -0.35,
        )
    tip = high * 0.76 + wide * 1.7
    pen.stroke([(x, tip), (x, tip + 0.09)], 0.008, "#4a4048", smooth=False)
    pen.at(x, tip).poly(shape("0,0.09 0.08,0.07 0,0.045"), look.accent, 0.2)
