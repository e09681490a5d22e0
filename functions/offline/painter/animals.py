"""Four-legged animals, about 1 unit tall, standing on y = 0, facing right."""

import math

from offline.painter.animal_heads import draw_head
from offline.painter.build import Build, builds
from offline.painter.colour import Colour, mix, parse, scale
from offline.painter.curves import Point, shape
from offline.painter.look import Look
from offline.painter.pen import Pen
from offline.painter.small_animals import rabbit, sitting_cat


def animal(pen: Pen, look: Look, kind: str) -> None:
    """Draw a walking animal of a kind; cats and rabbits may sit."""
    if kind == "rabbit":
        rabbit(pen, look)
    elif kind == "cat" and look.pose != "go":
        sitting_cat(pen, look)
    else:
        four_legs(pen, look, builds()[kind])


def four_legs(pen: Pen, look: Look, build: Build) -> None:
    """Draw a walking animal."""
    coat, shade = look.main, -0.45
    half = build.length / 2
    hip, chest = (
        (-half + build.girth * 0.35, build.back - build.girth * 0.5),
        (half - build.girth * 0.3, build.back - build.girth * 0.5),
    )
    neck_root = (half - build.girth * 0.25, build.back - build.girth * 0.32)
    head = (half + build.reach_head, build.back + build.raise_head)
    swing = math.sin(look.phase * math.tau) * 0.3 if look.pose == "go" else 0.05
    sock = look.dark if build.socks else coat
    _legs(pen, build, hip, chest, swing, coat, sock, shade - 0.2, far=True)
    _tail(pen, look, build, (-half + build.girth * 0.1, build.back - build.girth * 0.22))
    with pen.group():
        _legs(pen, build, hip, chest, -swing, coat, sock, 0.0, far=False)
        pen.stroke(
            [
                neck_root,
                ((neck_root[0] + head[0]) / 2 - 0.01, (neck_root[1] + head[1]) / 2 + 0.015),
                head,
            ],
            build.girth * 0.82,
            coat,
            0.0,
            end=build.neck * 0.85,
        )
        torso = _torso(build, half)
        if build.woolly:
            for x, y in torso:
                pen.disc(x * 0.9, y + 0.02, 0.13, fill=coat, tone=0.05)
        pen.blob(torso, coat, 0.0)
    if build.woolly:
        with pen.plain():
            for i in range(10):
                pen.disc(
                    -half * 0.75 + (i % 5) * half * 0.37,
                    build.back - 0.09 - 0.15 * (i // 5),
                    0.09,
                    fill=coat,
                    tone=0.28,
                )
    else:
        top, g = build.back, build.girth
        with pen.plain():
            if build.belly:
                pen.blob(
                    [
                        (-half * 0.4, top - g * 0.72),
                        (half * 0.3, top - g * 0.8),
                        (half * 0.92, top - g * 0.72),
                        (half * 0.8, top - g * 0.97),
                        (half * 0.3, top - g * 0.95),
                        (-half * 0.3, top - g * 0.76),
                    ],
                    look.light,
                    -0.3,
                )
            pen.blob(
                [
                    (-half * 0.84, top - g * 0.16),
                    (-half * 0.4, top - g * 0.06),
                    (half * 0.2, top - g * 0.16),
                    (half * 0.75, top - g * 0.1),
                    (half * 0.4, top - g * 0.3),
                    (-half * 0.4, top - g * 0.27),
                ],
                coat,
                0.25,
            )
    _marks(pen, look, build, half)
    if build.mane:
        _mane(pen, look, build, neck_root, head)
    draw_head(pen, look, build, head)


def _torso(build: Build, half: float) -> list[Point]:
    top, g = build.back, build.girth
    low = top - g
    return [
        (-half * 1.02, top - g * 0.42),
        (-half * 0.88, top - g * 0.04),
        (-half * 0.45, top + g * 0.02),
        (half * 0.1, top - g * 0.09),
        (half * 0.6, top - g * 0.0),
        (half * 0.95, top - g * 0.1),
        (half * 1.08, top - g * 0.5),
        (half * 0.82, low - g * 0.02),
        (half * 0.3, low + g * 0.02),
        (-half * 0.35, low + g * 0.24),
        (-half * 0.85, low + g * 0.2),
    ]


def _legs(
    pen: Pen,
    build: Build,
    hip: Point,
    chest: Point,
    swing: float,
    coat: Colour,
    sock: Colour,
    tone: float,
    *,
    far: bool,
) -> None:
    shift = 0.07 if far else 0.0
    low = build.back - build.girth
    for root, bend, turn in ((hip, -0.055, 1.0), (chest, 0.02, -1.0)):
        x = root[0] + shift
        foot = (x + swing * low * turn * 0.8 + (0.02 if turn > 0 else 0.0), build.ankle * 0.4)
        knee = ((x + foot[0]) / 2 + bend * (1.3 if turn > 0 else -0.4), low * 0.52)
        pen.stroke(
            [(x, root[1]), (x, low + 0.03), knee],
            build.leg * 1.7,
            coat,
            tone,
            end=build.ankle * 1.2,
        )
        pen.stroke(
            [knee, foot], build.ankle * 1.2, sock, tone - 0.05, end=build.ankle, smooth=False
        )
        pen.blob(
            [
                (foot[0] - build.ankle * 0.6, 0.0),
                (foot[0] - build.ankle * 0.5, build.ankle * 0.9),
                (foot[0] + build.ankle * 0.6, build.ankle * 0.8),
                (foot[0] + build.ankle * 1.15, 0.0),
            ],
            sock,
            tone,
        )


def _tail(pen: Pen, look: Look, build: Build, root: Point) -> None:
    x, y = root
    coat = look.main
    if build.tail == "bush":
        with pen.group():
            pen.at(x, y).blob(
                shape(
                    "0.03,0 -0.14,0.02 -0.34,0.05 -0.52,0.18 -0.44,-0.03 -0.28,-0.14 -0.08,-0.09"
                ),
                coat,
                -0.1,
            )
            pen.at(x, y).blob(
                shape("-0.36,0.055 -0.53,0.185 -0.45,-0.02 -0.36,-0.07 -0.4,0"),
                look.light,
                0.1,
            )
    elif build.tail == "curl":
        pen.at(x, y).stroke(
            shape("0.03,0 -0.12,0.06 -0.2,0.24 -0.14,0.4 -0.2,0.5"),
            0.075,
            coat,
            -0.15,
            end=0.045,
        )
    elif build.tail == "hair":
        pen.at(x, y).blob(
            shape("0.03,0.03 -0.1,0.05 -0.2,-0.12 -0.24,-0.36 -0.14,-0.3 -0.07,-0.1"),
            _mane_colour(look),
            -0.1,
        )
    elif build.tail == "low":
        pen.at(x, y).blob(
            shape("0.03,0.02 -0.12,-0.03 -0.22,-0.26 -0.2,-0.38 -0.1,-0.22 0,-0.1"),
            coat,
            -0.2,
        )
    elif build.tail == "tuft":
        pen.at(x, y).stroke(
            shape("0.02,0 -0.1,-0.03 -0.15,-0.22 -0.12,-0.34"),
            0.03,
            coat,
            -0.2,
        )
        pen.disc(x - 0.12, y - 0.38, 0.035, 0.06, fill=look.dark)
    elif build.tail == "thin":
        pen.at(x, y).stroke(
            shape("0.04,-0.1 -0.2,-0.2 -0.4,-0.1 -0.56,-0.2"),
            0.035,
            mix(coat, parse("#e7a3a0"), 0.6),
            end=0.012,
        )
    elif build.tail == "stub":
        pen.disc(x, y + 0.02, 0.05, 0.04, fill=look.light)
    else:
        pen.at(x, y).stroke(
            shape("0.03,-0.02 -0.1,0.08 -0.14,0.24 -0.09,0.34"),
            0.075,
            coat,
            -0.1,
            end=0.03,
        )


def _mane_colour(look: Look) -> Colour:
    return mix(scale(look.main, 0.5), look.dark, 0.4)


def _mane(pen: Pen, look: Look, build: Build, root: Point, head: Point) -> None:
    fill = _mane_colour(look)
    if build.tail == "hair":
        dx, dy = head[0] - root[0], head[1] - root[1]
        points = [(head[0] + 0.015, head[1] + build.head * 0.95)]
        for i in range(7):
            t = i / 6
            x, y = head[0] - dx * t, head[1] - dy * t
            points.append((x - 0.085 - 0.055 * (i % 2), y + 0.075 - 0.02 * (i % 2)))
        points += [
            (root[0] - 0.07, root[1]),
            (head[0] - dx * 0.4 + 0.01, head[1] - dy * 0.4 + 0.04),
        ]
        pen.blob(points, fill, -0.05)
        return
    with pen.group():
        for i in range(14):
            around = math.tau * i / 14
            pen.disc(
                head[0] - 0.05 + math.cos(around) * 0.17,
                head[1] - 0.03 + math.sin(around) * 0.19,
                0.085,
                fill=fill,
                tone=-0.1 if i % 2 else 0.15,
            )


def _marks(pen: Pen, look: Look, build: Build, half: float) -> None:
    top = build.back
    if build.stripes:
        for i in range(7):
            x = -half * 0.8 + i * half * 0.26
            pen.poly(
                [
                    (x, top - 0.005),
                    (x + 0.045, top - 0.01),
                    (x + 0.0, top - build.girth * (0.5 + 0.2 * (i % 2))),
                ],
                look.dark,
            )
    if build.spots:
        small = build.horns == "antlers"
        marks = (
            (-0.6, 0.25, 0.3),
            (-0.2, 0.4, 0.24),
            (0.25, 0.3, 0.3),
            (-0.42, 0.6, 0.16),
            (0.55, 0.5, 0.18),
        )
        with pen.plain():
            for i, (x, y, r) in enumerate(marks):
                size = r * build.girth * (0.3 if small else 0.62)
                fill = look.light if small else look.dark
                pen.disc(x * half, top - y * build.girth, size * 1.3, size, fill=fill, turn=25 * i)
