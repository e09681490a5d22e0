"""Plants, corals and stones, about 1 unit tall, standing on y = 0."""

import math
import random

from offline.painter.colour import Colour, parse, scale
from offline.painter.curves import shape
from offline.painter.pen import Fill, Pen
from offline.painter.trees import LEAF, frond


def _colour(fill: Fill) -> Colour:
    return parse(fill) if isinstance(fill, str) else fill


def bush(pen: Pen, rng: random.Random, fill: Fill = LEAF, dots: Fill | None = None) -> None:
    """Draw a low bush, sometimes with blossoms."""
    puffs = [
        (rng.uniform(-0.42, 0.42), rng.uniform(0.12, 0.4), rng.uniform(0.2, 0.3)) for _ in range(7)
    ]
    with pen.group():
        for x, y, r in puffs:
            pen.disc(x, y, r, fill=fill, tone=-0.5)
        for x, y, r in puffs:
            pen.disc(x - 0.04, y + 0.06, r * 0.74, fill=fill, tone=-0.1)
        for x, y, r in puffs:
            pen.disc(x - 0.07, y + 0.11, r * 0.4, fill=fill, tone=0.3)
        if dots is not None:
            for _ in range(16):
                x, y, r = rng.choice(puffs)
                around = rng.uniform(0, math.tau)
                pen.disc(
                    x + math.cos(around) * r * 0.8,
                    y + math.sin(around) * r * 0.8,
                    0.035,
                    fill=dots,
                    tone=0.3,
                )


def grass(
    pen: Pen, rng: random.Random, fill: Fill, *, wide: float, blades: int, tall: float = 1.0
) -> None:
    """Draw blades of grass along `wide` units, bent by the wind."""
    wind = rng.uniform(0.05, 0.3)
    for _ in range(blades):
        x = rng.uniform(-wide / 2, wide / 2)
        high = tall * rng.uniform(0.35, 1.0)
        bend = high * (wind + rng.uniform(-0.25, 0.3))
        half = 0.022 * tall * rng.uniform(0.6, 1.3)
        tone = rng.choice((-0.6, -0.35, -0.1, 0.15, 0.35))
        pen.poly(
            [
                (x - half, -0.05),
                (x - half * 0.4 + bend * 0.25, high * 0.5),
                (x + bend, high),
                (x + half * 0.7 + bend * 0.3, high * 0.5),
                (x + half, -0.05),
            ],
            fill,
            tone,
            lined=False,
        )


def flower(pen: Pen, rng: random.Random, fill: Fill, stem: Fill = LEAF) -> None:
    """Draw a flower on a stem."""
    bend = rng.uniform(-0.15, 0.15)
    pen.stroke([(0.0, 0.0), (bend * 0.3, 0.5), (bend, 0.86)], 0.03, stem, -0.2, end=0.02)
    pen.blob(shape("0,0.18 0.1,0.34 0.2,0.4 0.1,0.24"), stem, 0.1)
    kind = rng.randrange(3)
    x, y = bend, 0.88
    if kind == 0:
        for i in range(7):
            around = math.tau * i / 7
            pen.disc(
                x + math.cos(around) * 0.085,
                y + math.sin(around) * 0.075,
                0.058,
                0.04,
                fill=fill,
                tone=0.15 if i % 2 else -0.1,
                turn=math.degrees(around),
            )
        pen.disc(x, y, 0.045, fill="#f3c64a", tone=0.2)
    elif kind == 1:
        pen.at(x, y).blob(
            shape("-0.08,0 -0.09,0.12 -0.03,0.08 0,0.14 0.03,0.08 0.09,0.12 0.08,0 0,-0.06"),
            fill,
            0.1,
        )
    else:
        for i in range(5):
            around = math.tau * i / 5 + 0.3
            pen.disc(
                x + math.cos(around) * 0.06,
                y + math.sin(around) * 0.055,
                0.062,
                fill=fill,
                tone=0.1 if i % 2 else -0.15,
            )
        pen.disc(x, y, 0.035, fill=scale(_colour(fill), 0.55))


def reeds(pen: Pen, rng: random.Random, fill: Fill = "#6f7d45") -> None:
    """Draw a tuft of reeds."""
    for _ in range(9):
        x, high = rng.uniform(-0.25, 0.25), rng.uniform(0.6, 1.0)
        bend = rng.uniform(-0.12, 0.12)
        pen.stroke(
            [(x, -0.03), (x + bend * 0.3, high * 0.5), (x + bend, high)],
            0.022,
            fill,
            rng.uniform(-0.5, 0.1),
            end=0.008,
        )
        if rng.random() < 0.5:
            pen.stroke(
                [(x + bend, high - 0.02), (x + bend * 1.1, high + 0.12)], 0.045, "#6d4a2f", -0.2
            )


def fern(pen: Pen, rng: random.Random, fill: Fill = "#3f7a45") -> None:
    """Draw arching fronds from a common root."""
    for i in range(7):
        around = math.pi * (0.1 + 0.8 * i / 6)
        reach = rng.uniform(0.7, 1.0)
        bend = (math.cos(around) * reach * 0.4, math.sin(around) * reach * 0.85)
        end = (math.cos(around) * reach, math.sin(around) * reach * 0.55)
        frond(pen, (0.0, 0.0), bend, end, fill, rng.choice((-0.45, -0.15, 0.15)))


def cactus(pen: Pen, rng: random.Random, fill: Fill = "#5a8a55") -> None:
    """Draw a tall cactus with arms."""
    with pen.group():
        for points, width in (
            ([(0.0, 0.0), (0.0, 0.5), (0.0, 0.94)], 0.17),
            ([(0.0, 0.4), (0.2, 0.42), (0.23, 0.72)], 0.11),
            ([(0.0, 0.3), (-0.2, 0.32), (-0.22, 0.55)], 0.1),
        ):
            pen.stroke(points, width, fill, -0.1)
        for x in (-0.045, 0.0, 0.045):
            pen.stroke([(x, 0.02), (x, 0.9)], 0.012, fill, -0.5)
        pen.stroke([(-0.065, 0.05), (-0.065, 0.88)], 0.02, fill, 0.35)


def mushroom(pen: Pen, rng: random.Random, fill: Fill = "#c9473d") -> None:
    """Draw a toadstool."""
    with pen.group():
        pen.blob(
            shape("-0.1,0 -0.08,0.4 -0.1,0.6 0.1,0.6 0.08,0.4 0.12,0"),
            "#efe6d2",
            -0.1,
        )
        pen.blob(
            shape("-0.42,0.52 -0.3,0.85 0,1 0.3,0.85 0.42,0.52 0,0.46"),
            fill,
            0.0,
        )
        for x, y, r in (
            (-0.2, 0.7, 0.06),
            (0.05, 0.85, 0.07),
            (0.22, 0.65, 0.05),
            (-0.02, 0.6, 0.04),
        ):
            pen.disc(x, y, r, r * 0.8, fill="#f6f0e2", tone=0.2)


def kelp(pen: Pen, rng: random.Random, fill: Fill = "#3f8a62") -> None:
    """Draw a long waving weed with broad leaves."""
    phase = rng.uniform(0, 6)

    def stem(t: float) -> float:
        return math.sin(phase + t * 5.2) * 0.055

    for i in range(13):
        t = 0.06 + i / 13.5
        side = 1 if i % 2 else -1
        x, long = stem(t), 0.2 * (1.15 - t)
        pen.blob(
            [
                (x, t - 0.015),
                (x + side * long * 0.35, t - 0.005),
                (x + side * long * 0.8, t + 0.07),
                (x + side * long, t + 0.13),
                (x + side * long * 0.5, t + 0.075),
            ],
            fill,
            (-0.45, 0.0, 0.3)[i % 3],
        )
    pen.stroke([(stem(i / 8), i / 8) for i in range(9)], 0.03, fill, -0.3, end=0.008)


def coral(pen: Pen, rng: random.Random, fill: Fill) -> None:
    """Draw a branching or round coral."""
    if rng.random() < 0.35:
        with pen.group():
            pen.blob(shape("-0.5,0 -0.45,0.4 -0.1,0.62 0.3,0.5 0.5,0"), fill, -0.15)
            for _ in range(9):
                pen.disc(
                    rng.uniform(-0.35, 0.35),
                    rng.uniform(0.1, 0.42),
                    0.07,
                    fill=fill,
                    tone=rng.choice((0.1, 0.35)),
                )
        return

    def branch(x: float, y: float, angle: float, length: float, level: int) -> None:
        x1, y1 = x + math.cos(angle) * length, y + math.sin(angle) * length
        pen.stroke(
            [(x, y), (x1, y1)],
            0.05 + 0.022 * level,
            fill,
            0.1 * (3 - level) - 0.2,
            end=0.045 + 0.016 * level,
        )
        if level:
            for side in (-1, 1):
                branch(x1, y1, angle + side * rng.uniform(0.25, 0.6), length * 0.78, level - 1)

    with pen.group():
        for start in (1.2, 1.57, 1.95):
            branch((start - 1.57) * -0.3, 0.0, start, 0.3, 3)


def rock(pen: Pen, rng: random.Random, fill: Fill = "#84807b", snow: bool = False) -> None:
    """Draw a stone with a lit face."""
    top = [
        (-0.5, 0.0),
        (-0.44, 0.3),
        (-0.2, 0.52 * rng.uniform(0.8, 1.2)),
        (0.14, 0.6 * rng.uniform(0.7, 1.1)),
        (0.42, 0.32),
        (0.52, 0.0),
    ]
    with pen.group():
        pen.poly([*top, (0.3, -0.05), (-0.3, -0.05)], fill, -0.4)
        pen.poly([top[1], top[2], top[3], (0.05, 0.26), (-0.25, 0.16)], fill, 0.3)
        pen.poly([top[0], top[1], (-0.25, 0.16), (-0.2, -0.04)], fill, 0.0)
    if snow:
        pen.blob([top[1], top[2], top[3], top[4], (0.1, 0.4), (-0.2, 0.36)], "#f1f5fb", 0.2)
