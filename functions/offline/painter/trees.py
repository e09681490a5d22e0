"""Trees, about 1 unit tall, standing on y = 0."""

import math
import random

from offline.painter.colour import Colour, mix, parse
from offline.painter.curves import Point
from offline.painter.pen import Fill, Pen

LEAF = "#5b9344"
FIR = "#2f5b46"


TRUNK = "#6b4a36"


def fir(
    pen: Pen, rng: random.Random, fill: Fill = FIR, snow: bool = False, fine: bool = True
) -> None:
    """Draw a conifer with separate tiers if `fine`, otherwise as a silhouette."""
    wide = rng.uniform(0.2, 0.27)
    if not fine:
        points: list[Point] = [(0.0, 1.0)]
        tiers = 5
        for side in (1, -1):
            for i in range(tiers) if side > 0 else range(tiers - 1, -1, -1):
                reach = wide * (i + 1) / tiers * rng.uniform(0.85, 1.1)
                y = 1.0 - 0.94 * (i + 1) / tiers
                pair = [(side * reach, y), (side * reach * 0.5, y + 0.03)]
                points.extend(pair if side > 0 else reversed(pair))
        pen.poly(points, fill, -0.1)
        return
    tiers = rng.randrange(6, 9)
    with pen.group():
        pen.box(-0.022, 0.0, 0.022, 0.2, TRUNK, -0.5)
        for i in range(tiers, 0, -1):
            share = i / tiers
            reach = wide * share**0.85 * rng.uniform(0.9, 1.1)
            low = 1.0 - 0.9 * share
            high = low + 0.24 + 0.06 * share
            jag = [
                (reach * t, low + 0.035 * (abs(t) - 0.4) * -1 + (0.022 if n % 2 else -0.012))
                for n, t in enumerate((-1, -0.72, -0.45, -0.2, 0.08, 0.36, 0.62, 0.82, 1))
            ]
            pen.poly([(0.0, min(1.0, high)), *reversed(jag)], fill, -0.35 + 0.35 * (1 - share))
            pen.poly(
                [(0.0, min(1.0, high)), *jag[1:5], (-reach * 0.05, low + 0.07)],
                fill,
                0.12 + 0.3 * (1 - share),
            )
            if snow:
                _snow_on_tier(pen, rng, reach, low, min(1.0, high))


def _snow_on_tier(pen: Pen, rng: random.Random, reach: float, low: float, high: float) -> None:
    edge: list[Point] = []
    for i in range(7):
        t = -0.86 + 1.5 * i / 6
        sink = 0.075 if i % 2 else 0.035
        edge.append((reach * t, low + sink + rng.uniform(-0.012, 0.012) + 0.05 * (1 - abs(t))))
    with pen.plain():
        pen.poly([(0.0, high), *edge], "#f0f4fb", 0.35)
        pen.poly([(0.0, high), *edge[4:], (reach * 0.1, low + 0.12)], "#dfe7f3", -0.25)


def broadleaf(pen: Pen, rng: random.Random, fill: Fill = LEAF, trunk: Fill = TRUNK) -> None:
    """Draw a deciduous tree with a round crown."""
    lean = rng.uniform(-0.05, 0.05)
    with pen.group():
        pen.stroke([(0.0, 0.0), (lean * 0.5, 0.25), (lean, 0.6)], 0.085, trunk, -0.3, end=0.03)
        pen.stroke([(lean * 0.5, 0.28), (0.12, 0.46), (0.2, 0.6)], 0.035, trunk, -0.3, end=0.014)
        pen.stroke([(lean * 0.5, 0.33), (-0.12, 0.5), (-0.18, 0.62)], 0.032, trunk, -0.3, end=0.012)
    puffs = [(lean + 0.02, 0.76, 0.22)]
    for i in range(8):
        around = math.tau * i / 8 + rng.uniform(-0.25, 0.25)
        puffs.append(
            (
                lean + math.cos(around) * 0.23,
                0.68 + math.sin(around) * 0.17,
                rng.uniform(0.11, 0.16),
            )
        )
    with pen.group():
        for x, y, r in puffs:
            pen.disc(x, y, r, fill=fill, tone=-0.45)
        for x, y, r in puffs:
            pen.disc(x - 0.03, y + 0.035, r * 0.82, fill=fill, tone=-0.05)
        for x, y, r in puffs:
            pen.disc(x - 0.06, y + 0.07, r * 0.5, fill=fill, tone=0.35)
        for _ in range(14):
            x, y, r = rng.choice(puffs)
            around = rng.uniform(0, math.tau)
            size = rng.uniform(0.02, 0.04)
            pen.disc(
                x + math.cos(around) * r * 0.7 - 0.02,
                y + math.sin(around) * r * 0.7,
                size,
                fill=fill,
                tone=rng.choice((-0.25, 0.15, 0.5)),
            )


def palm(pen: Pen, rng: random.Random, fill: Fill = "#4f8f4a") -> None:
    """Draw a leaning palm."""
    lean = rng.uniform(0.1, 0.28) * rng.choice((-1, 1))
    top = (lean, 0.82)
    with pen.group():
        pen.stroke(
            [(0.0, 0.0), (lean * 0.25, 0.35), (lean * 0.7, 0.65), top],
            0.05,
            "#8a6a4a",
            -0.1,
            end=0.028,
        )
    for i in range(9):
        around = math.pi * (i / 8) * 1.15 - 0.25
        reach = rng.uniform(0.3, 0.38)
        end = (
            top[0] + math.cos(around) * reach,
            top[1] + math.sin(around) * reach * 0.62 - 0.1 * abs(math.cos(around)) - 0.06,
        )
        bend = (
            top[0] + math.cos(around) * reach * 0.55,
            top[1] + math.sin(around) * reach * 0.6 + 0.06,
        )
        frond(pen, top, bend, end, fill, -0.25 if i % 2 else 0.2)
    for x in (-0.02, 0.02):
        pen.disc(top[0] + x, top[1] - 0.02, 0.018, fill="#6d4a2c")


def frond(pen: Pen, start: Point, bend: Point, end: Point, fill: Fill, tone: float) -> None:
    """Draw a pinnate leaf along a curved rib."""
    upper: list[Point] = []
    lower: list[Point] = []
    steps = 12
    for i in range(steps + 1):
        t = i / steps
        x = (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t * t * end[0]
        y = (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t * t * end[1]
        half = 0.05 * math.sin(math.pi * min(1.0, t * 0.9 + 0.12)) * (0.55 if i % 2 else 1.0)
        upper.append((x, y + half * 0.4))
        lower.append((x + 0.012, y - half))
    pen.poly([*upper, *reversed(lower)], fill, tone)


def bare(pen: Pen, rng: random.Random, fill: Fill = "#4b3d3a") -> None:
    """Draw a leafless tree."""

    def branch(x: float, y: float, angle: float, length: float, width: float, level: int) -> None:
        x1, y1 = x + math.cos(angle) * length, y + math.sin(angle) * length
        bend = angle + rng.uniform(-0.25, 0.25)
        mid = (x + math.cos(bend) * length * 0.5, y + math.sin(bend) * length * 0.5)
        pen.stroke([(x, y), mid, (x1, y1)], width, fill, -0.2, end=width * 0.55)
        if level == 0:
            return
        for side in (-1, 1) if level < 4 else (-1, 0.1, 1):
            turn = side * rng.uniform(0.3, 0.62)
            branch(x1, y1, angle + turn, length * rng.uniform(0.62, 0.8), width * 0.58, level - 1)

    with pen.group():
        branch(0.0, 0.0, math.pi / 2 + rng.uniform(-0.08, 0.08), 0.3, 0.06, 4)


def trunk(
    pen: Pen, rng: random.Random, tall: float, width: float, fill: Fill, tone: float = 0.0
) -> None:
    """Draw a trunk with roots and branches that extends beyond the upper edge."""
    lean = rng.uniform(-0.06, 0.06)
    half = width / 2
    with pen.group():
        pen.poly(
            [
                (-half * 2.1, -0.02),
                (-half * 1.15, 0.06),
                (-half + lean * 0.3, tall * 0.4),
                (-half * 0.8 + lean, tall),
                (half * 0.8 + lean, tall),
                (half + lean * 0.3, tall * 0.4),
                (half * 1.15, 0.06),
                (half * 2.3, -0.02),
            ],
            fill,
            tone,
        )
        for _ in range(3):
            y = rng.uniform(0.35, 0.9) * tall
            side = rng.choice((-1, 1))
            reach = rng.uniform(0.12, 0.25)
            pen.stroke(
                [(lean * y / tall, y), (side * reach * 0.6, y + 0.06), (side * reach, y + 0.14)],
                width * 0.28,
                fill,
                tone,
                end=width * 0.06,
            )
    pen.poly(
        [
            (half * 0.25, 0.02),
            (half * 0.3 + lean * 0.3, tall * 0.4),
            (half * 0.2 + lean, tall),
            (half * 0.8 + lean, tall),
            (half + lean * 0.3, tall * 0.4),
            (half * 1.1, 0.04),
        ],
        fill,
        tone - 0.35,
    )


def branch_of_leaves(pen: Pen, rng: random.Random, fill: Fill = LEAF) -> None:
    """Draw a branch that enters the image from the side, growing to the right."""
    path = [(0.0, 0.0), (0.35, -0.02), (0.7, -0.12), (1.0, -0.26)]
    pen.stroke(path, 0.035, TRUNK, -0.5, end=0.008)
    for i in range(26):
        t = 0.08 + 0.92 * i / 25
        x, y = t, -0.02 - 0.24 * max(0.0, t - 0.3)
        around = rng.uniform(-2.6, 0.6)
        long = rng.uniform(0.09, 0.16)
        cx, cy = math.cos(around), math.sin(around)
        pen.blob(
            [
                (x, y),
                (x + cx * long * 0.5 - cy * 0.028, y + cy * long * 0.5 + cx * 0.028),
                (x + cx * long, y + cy * long),
                (x + cx * long * 0.5 + cy * 0.028, y + cy * long * 0.5 - cx * 0.028),
            ],
            fill,
            rng.choice((-0.6, -0.3, 0.05)),
        )


def leaf_colour(rng: random.Random, season: str, accent: Colour) -> Colour:
    """Return a leaf colour for the season."""
    choices = {
        "autumn": ("#d07a2d", "#c4532f", "#dba53c", "#a8642f"),
        "spring": ("#7fb04c", "#e3a0b8", "#8fc25a", "#f0bfcf"),
        "winter": ("#8c8f86", "#a9adab", "#77807a", "#9a9d96"),
        "summer": ("#5b9344", "#4b8443", "#6fa04a", "#3f7a4b"),
    }
    base = parse(rng.choice(choices.get(season, choices["summer"])))
    return mix(base, accent, 0.06)
