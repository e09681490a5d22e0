"""Four-legged animals. Each stands on y = 0, is about 1 tall and looks to the right."""

import math
from dataclasses import dataclass

from common.providers.image._painter.colour import Colour, mix, parse, scale
from common.providers.image._painter.look import Look
from common.providers.image._painter.pen import Pen, Point, shape


@dataclass(frozen=True, slots=True)
class Build:
    """Body of a four-legged animal, in units of its height at the top of the head."""

    back: float = 0.62
    length: float = 0.62
    girth: float = 0.27
    leg: float = 0.085
    ankle: float = 0.05
    neck: float = 0.16
    raise_head: float = 0.2
    reach_head: float = 0.16
    head: float = 0.13
    snout: float = 0.16
    snout_girth: float = 0.085
    ears: str = "point"
    tail: str = "up"
    mane: bool = False
    horns: str = ""
    socks: float = 0.0
    stripes: bool = False
    spots: bool = False
    belly: bool = True
    woolly: bool = False


BUILDS: dict[str, Build] = {
    "cat": Build(
        back=0.6,
        length=0.64,
        girth=0.25,
        leg=0.085,
        ankle=0.06,
        neck=0.15,
        raise_head=0.17,
        reach_head=0.13,
        head=0.165,
        snout=0.055,
        snout_girth=0.085,
        tail="curl",
    ),
    "dog": Build(ears="flop", snout=0.15, snout_girth=0.1, head=0.14, girth=0.28, tail="up"),
    "fox": Build(
        back=0.56,
        length=0.67,
        girth=0.22,
        leg=0.07,
        ankle=0.042,
        head=0.14,
        snout=0.17,
        snout_girth=0.06,
        tail="bush",
        socks=0.5,
        raise_head=0.17,
    ),
    "wolf": Build(
        back=0.62,
        length=0.71,
        girth=0.27,
        leg=0.085,
        head=0.14,
        snout=0.17,
        snout_girth=0.08,
        tail="low",
        raise_head=0.14,
    ),
    "bear": Build(
        back=0.68,
        length=0.74,
        girth=0.42,
        leg=0.17,
        ankle=0.14,
        neck=0.3,
        raise_head=0.06,
        reach_head=0.2,
        head=0.18,
        snout=0.11,
        snout_girth=0.1,
        ears="round",
        tail="stub",
    ),
    "lion": Build(
        back=0.62,
        length=0.72,
        girth=0.3,
        leg=0.1,
        ankle=0.075,
        neck=0.2,
        raise_head=0.14,
        head=0.16,
        snout=0.1,
        snout_girth=0.1,
        ears="round",
        tail="tuft",
        mane=True,
    ),
    "tiger": Build(
        back=0.62,
        length=0.77,
        girth=0.3,
        leg=0.1,
        ankle=0.075,
        neck=0.2,
        raise_head=0.1,
        head=0.16,
        snout=0.09,
        snout_girth=0.1,
        ears="round",
        tail="curl",
        stripes=True,
    ),
    "horse": Build(
        back=0.58,
        length=0.55,
        girth=0.24,
        leg=0.075,
        ankle=0.035,
        neck=0.17,
        raise_head=0.26,
        reach_head=0.2,
        head=0.085,
        snout=0.17,
        snout_girth=0.065,
        ears="small",
        tail="hair",
        mane=True,
        belly=False,
    ),
    "unicorn": Build(
        back=0.56,
        length=0.53,
        girth=0.23,
        leg=0.07,
        ankle=0.035,
        neck=0.16,
        raise_head=0.26,
        reach_head=0.19,
        head=0.085,
        snout=0.16,
        snout_girth=0.06,
        ears="small",
        tail="hair",
        mane=True,
        belly=False,
        horns="one",
    ),
    "deer": Build(
        back=0.5,
        length=0.45,
        girth=0.18,
        leg=0.05,
        ankle=0.026,
        neck=0.1,
        raise_head=0.22,
        reach_head=0.15,
        head=0.07,
        snout=0.1,
        snout_girth=0.045,
        ears="side",
        tail="stub",
        horns="antlers",
        spots=True,
    ),
    "sheep": Build(
        back=0.68,
        length=0.62,
        girth=0.42,
        leg=0.07,
        ankle=0.06,
        neck=0.16,
        raise_head=0.1,
        reach_head=0.14,
        head=0.12,
        snout=0.1,
        snout_girth=0.08,
        ears="side",
        tail="stub",
        woolly=True,
    ),
    "cow": Build(
        back=0.7,
        length=0.79,
        girth=0.38,
        leg=0.09,
        ankle=0.06,
        neck=0.22,
        raise_head=0.08,
        reach_head=0.18,
        head=0.13,
        snout=0.14,
        snout_girth=0.1,
        ears="side",
        tail="tuft",
        horns="short",
        spots=True,
    ),
    "elephant": Build(
        back=0.8,
        length=0.74,
        girth=0.52,
        leg=0.19,
        ankle=0.16,
        neck=0.34,
        raise_head=0.0,
        reach_head=0.2,
        head=0.24,
        snout=0.0,
        ears="fan",
        tail="tuft",
        horns="tusk",
    ),
    "mouse": Build(
        back=0.5,
        length=0.60,
        girth=0.34,
        leg=0.06,
        ankle=0.05,
        neck=0.16,
        raise_head=0.14,
        reach_head=0.12,
        head=0.18,
        snout=0.13,
        snout_girth=0.07,
        ears="big",
        tail="thin",
    ),
    "pig": Build(
        back=0.68,
        length=0.72,
        girth=0.44,
        leg=0.09,
        ankle=0.07,
        neck=0.3,
        raise_head=0.04,
        reach_head=0.14,
        head=0.17,
        snout=0.11,
        snout_girth=0.1,
        ears="small",
        tail="stub",
    ),
}


def animal(pen: Pen, look: Look, kind: str) -> None:
    """Draw the animal of that kind, walking; cats and rabbits may sit."""
    if kind == "rabbit":
        rabbit(pen, look)
    elif kind == "cat" and look.pose != "go":
        sitting_cat(pen, look)
    else:
        four_legs(pen, look, BUILDS[kind])


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
                pen.disc(x * 0.9, y + 0.02, 0.13, own=coat, tone=0.05)
        pen.blob(torso, coat, 0.0)
    if build.woolly:
        with pen.plain():
            for i in range(10):
                pen.disc(
                    -half * 0.75 + (i % 5) * half * 0.37,
                    build.back - 0.09 - 0.15 * (i // 5),
                    0.09,
                    own=coat,
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
    _head(pen, look, build, head)


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
            pen.blob(
                [
                    (x + 0.03, y),
                    (x - 0.14, y + 0.02),
                    (x - 0.34, y + 0.05),
                    (x - 0.52, y + 0.18),
                    (x - 0.44, y - 0.03),
                    (x - 0.28, y - 0.14),
                    (x - 0.08, y - 0.09),
                ],
                coat,
                -0.1,
            )
            pen.blob(
                [
                    (x - 0.36, y + 0.055),
                    (x - 0.53, y + 0.185),
                    (x - 0.45, y - 0.02),
                    (x - 0.36, y - 0.07),
                    (x - 0.4, y),
                ],
                look.light,
                0.1,
            )
    elif build.tail == "curl":
        pen.stroke(
            [
                (x + 0.03, y),
                (x - 0.12, y + 0.06),
                (x - 0.2, y + 0.24),
                (x - 0.14, y + 0.4),
                (x - 0.2, y + 0.5),
            ],
            0.075,
            coat,
            -0.15,
            end=0.045,
        )
    elif build.tail == "hair":
        pen.blob(
            [
                (x + 0.03, y + 0.03),
                (x - 0.1, y + 0.05),
                (x - 0.2, y - 0.12),
                (x - 0.24, y - 0.36),
                (x - 0.14, y - 0.3),
                (x - 0.07, y - 0.1),
            ],
            _mane_colour(look),
            -0.1,
        )
    elif build.tail == "low":
        pen.blob(
            [
                (x + 0.03, y + 0.02),
                (x - 0.12, y - 0.03),
                (x - 0.22, y - 0.26),
                (x - 0.2, y - 0.38),
                (x - 0.1, y - 0.22),
                (x, y - 0.1),
            ],
            coat,
            -0.2,
        )
    elif build.tail == "tuft":
        pen.stroke(
            [(x + 0.02, y), (x - 0.1, y - 0.03), (x - 0.15, y - 0.22), (x - 0.12, y - 0.34)],
            0.03,
            coat,
            -0.2,
        )
        pen.disc(x - 0.12, y - 0.38, 0.035, 0.06, own=look.dark)
    elif build.tail == "thin":
        pen.stroke(
            [(x + 0.04, y - 0.1), (x - 0.2, y - 0.2), (x - 0.4, y - 0.1), (x - 0.56, y - 0.2)],
            0.035,
            mix(coat, parse("#e7a3a0"), 0.6),
            end=0.012,
        )
    elif build.tail == "stub":
        pen.disc(x, y + 0.02, 0.05, 0.04, own=look.light)
    else:
        pen.stroke(
            [(x + 0.03, y - 0.02), (x - 0.1, y + 0.08), (x - 0.14, y + 0.24), (x - 0.09, y + 0.34)],
            0.075,
            coat,
            -0.1,
            end=0.03,
        )


def _mane_colour(look: Look) -> Colour:
    return mix(scale(look.main, 0.5), look.dark, 0.4)


def _mane(pen: Pen, look: Look, build: Build, root: Point, head: Point) -> None:
    own = _mane_colour(look)
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
        pen.blob(points, own, -0.05)
        return
    with pen.group():
        for i in range(14):
            around = math.tau * i / 14
            pen.disc(
                head[0] - 0.05 + math.cos(around) * 0.17,
                head[1] - 0.03 + math.sin(around) * 0.19,
                0.085,
                own=own,
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
                own = look.light if small else look.dark
                pen.disc(x * half, top - y * build.girth, size * 1.3, size, own=own, turn=25 * i)


def _head(pen: Pen, look: Look, build: Build, head: Point) -> None:
    x, y = head
    r = build.head
    coat = look.main
    if build.woolly:
        coat = mix(look.dark, coat, 0.25)
    _horns(pen, look, build, x, y, behind=True)
    _ears(pen, look, build, x, y, behind=True)
    droop = -0.1 if build.tail == "hair" or build.horns in ("antlers", "short") else -0.25
    tip = (
        x + r * 0.6 + build.snout,
        y + droop * r - build.snout * (0.75 if build.tail == "hair" else 0.2),
    )
    with pen.group():
        if build.snout:
            pen.stroke(
                [(x + r * 0.2, y - r * 0.1), tip],
                build.snout_girth * 2.1,
                coat,
                0.0,
                end=build.snout_girth * 1.3,
                smooth=False,
            )
        pen.disc(x, y, r * 1.05, r, own=coat)
        if build.ears == "fan":
            pen.stroke(
                [
                    (x + r * 0.7, y - r * 0.1),
                    (x + r * 1.25, y - r * 0.7),
                    (x + r * 1.2, y - r * 1.8),
                    (x + r * 1.5, y - r * 2.6),
                ],
                0.15,
                coat,
                0.0,
                end=0.06,
            )
    if build.belly and build.snout:
        g = build.snout_girth
        with pen.plain():
            pen.blob(
                [
                    (tip[0] + g * 0.4, tip[1]),
                    (tip[0] - g * 0.2, tip[1] + g * 0.1),
                    (x + r * 0.5, y - r * 0.35),
                    (x + r * 0.1, y - r * 0.75),
                    (tip[0] - g * 0.2, tip[1] - g * 0.6),
                ],
                look.light,
                0.0,
            )
    if build.snout:
        pen.disc(
            tip[0] + build.snout_girth * 0.25,
            tip[1] + build.snout_girth * 0.28,
            build.snout_girth * 0.34,
            build.snout_girth * 0.28,
            own="#2b2226",
        )
    pen.disc(x + r * 0.42, y + r * 0.2, max(0.014, r * 0.12), max(0.016, r * 0.15), own="#231c22")
    pen.disc(x + r * 0.46, y + r * 0.26, max(0.004, r * 0.04), own="#ffffff", tone=0.6)
    if build.stripes:
        for dx in (-0.2, 0.1):
            pen.poly(
                [
                    (x + dx * r, y + r * 0.98),
                    (x + (dx + 0.2) * r, y + r * 0.95),
                    (x + (dx + 0.1) * r, y + r * 0.5),
                ],
                look.dark,
            )
    _ears(pen, look, build, x, y, behind=False)
    _horns(pen, look, build, x, y, behind=False)


def _ears(pen: Pen, look: Look, build: Build, x: float, y: float, *, behind: bool) -> None:
    r, coat = build.head, look.main if not build.woolly else look.dark
    shift, tone = (0.45 * r, -0.4) if behind else (-0.25 * r, 0.05)
    cx = x + shift
    if build.ears == "point":
        pen.poly(
            [
                (cx - r * 0.42, y + r * 0.6),
                (cx - r * 0.12, y + r * 1.75),
                (cx + r * 0.38, y + r * 0.75),
            ],
            coat,
            tone,
        )
        if not behind:
            pen.poly(
                [
                    (cx - r * 0.2, y + r * 0.75),
                    (cx - r * 0.1, y + r * 1.4),
                    (cx + r * 0.18, y + r * 0.82),
                ],
                mix(look.light, parse("#e2a090"), 0.5),
                -0.1,
            )
    elif build.ears == "round":
        pen.disc(cx - r * 0.1, y + r * 0.85, r * 0.36, own=coat, tone=tone)
        if not behind:
            pen.disc(cx - r * 0.08, y + r * 0.83, r * 0.2, own=look.light, tone=-0.3)
    elif build.ears == "big":
        pen.disc(cx - r * 0.2, y + r * 0.95, r * 0.62, own=coat, tone=tone)
        if not behind:
            pen.disc(cx - r * 0.18, y + r * 0.93, r * 0.44, own="#e7a8a6", tone=-0.1)
    elif build.ears == "small":
        pen.poly(
            [
                (cx - r * 0.2, y + r * 0.7),
                (cx + r * 0.05, y + r * 1.6),
                (cx + r * 0.3, y + r * 0.75),
            ],
            coat,
            tone,
        )
    elif build.ears == "side":
        pen.blob(
            [
                (cx - r * 0.1, y + r * 0.55),
                (cx - r * 0.6, y + r * 0.95),
                (cx - r * 1.15, y + r * 0.75),
                (cx - r * 0.6, y + r * 0.4),
            ],
            coat,
            tone,
        )
    elif build.ears == "flop" and not behind:
        pen.blob(
            [
                (cx - r * 0.1, y + r * 0.85),
                (cx - r * 0.7, y + r * 0.6),
                (cx - r * 0.75, y - r * 0.5),
                (cx - r * 0.35, y - r * 0.75),
                (cx + r * 0.02, y + r * 0.1),
            ],
            mix(coat, look.dark, 0.4),
            -0.1,
        )
    elif build.ears == "fan" and not behind:
        pen.blob(
            [
                (cx + r * 0.1, y + r * 0.7),
                (cx - r * 0.9, y + r * 0.9),
                (cx - r * 1.25, y + r * 0.0),
                (cx - r * 0.8, y - r * 0.95),
                (cx - r * 0.05, y - r * 0.4),
            ],
            coat,
            -0.25,
        )


def _horns(pen: Pen, look: Look, build: Build, x: float, y: float, *, behind: bool) -> None:
    r = build.head
    if build.horns == "antlers":
        own, tone = "#a5835c", (-0.4 if behind else 0.1)
        s = 0.05 if behind else -0.02
        pen.stroke(
            [
                (x + s, y + r * 0.8),
                (x + s - 0.06, y + r * 0.8 + 0.12),
                (x + s + 0.02, y + r * 0.8 + 0.24),
            ],
            0.022,
            own,
            tone,
            end=0.01,
        )
        for t, dx in ((0.08, 0.09), (0.15, 0.08)):
            pen.stroke(
                [
                    (x + s - 0.05, y + r * 0.8 + t),
                    (x + s + dx * 0.4, y + r * 0.8 + t + 0.02),
                    (x + s + dx, y + r * 0.8 + t + 0.08),
                ],
                0.017,
                own,
                tone,
                end=0.006,
            )
    elif build.horns == "one" and not behind:
        pen.poly(
            [(x + r * 0.2, y + r * 0.85), (x + r * 1.3, y + r * 3.2), (x + r * 0.65, y + r * 0.7)],
            "#f6d77a",
            0.4,
        )
    elif build.horns == "short":
        s = 0.04 if behind else -0.03
        pen.stroke(
            [(x + s, y + r * 0.8), (x + s + 0.03, y + r * 1.4), (x + s + 0.08, y + r * 1.6)],
            0.032,
            "#e8dfc8",
            0.0,
            end=0.01,
        )
    elif build.horns == "tusk" and not behind:
        pen.stroke(
            [(x + r * 0.75, y - r * 0.55), (x + r * 1.1, y - r * 1.05), (x + r * 1.5, y - r * 1.0)],
            0.045,
            "#f2ead6",
            0.2,
            end=0.012,
        )


def sitting_cat(pen: Pen, look: Look) -> None:
    """A cat that sits and looks into the distance."""
    coat = look.main
    pen.stroke(shape("-0.2,0.06 -0.42,0.05 -0.52,0.18 -0.42,0.32"), 0.085, coat, -0.25, end=0.06)
    with pen.group():
        pen.stroke(shape("0.16,0.4 0.17,0.2 0.2,0.04"), 0.095, coat, -0.4)
        pen.blob(
            shape("-0.24,0 -0.31,0.18 -0.24,0.4 -0.08,0.58 0.1,0.64 0.19,0.5 0.18,0.25 0.14,0"),
            coat,
            0.0,
        )
        pen.stroke(shape("0.1,0.42 0.1,0.2 0.13,0.04"), 0.1, coat, 0.05)
        pen.disc(0.15, 0.03, 0.065, 0.035, own=coat, tone=0.1)
        pen.blob(
            shape("-0.28,0.1 -0.16,0.28 0,0.2 0.02,0.04 -0.1,0 -0.24,0"),
            coat,
            -0.22,
        )
        pen.disc(0.0, 0.03, 0.08, 0.035, own=coat, tone=-0.1)
    pen.blob(shape("0.1,0.62 0.2,0.5 0.18,0.36 0.1,0.4 0.06,0.52"), look.light, -0.1)
    pen.stroke(shape("0,0.6 0.1,0.565 0.2,0.6"), 0.05, look.accent, 0.1)
    pen.disc(0.13, 0.555, 0.026, own="#f3c64a", tone=0.5)
    build = Build(head=0.17, snout=0.045, snout_girth=0.08, ears="point")
    _head(pen, look, build, (0.1, 0.77))


def rabbit(pen: Pen, look: Look) -> None:
    """A rabbit, sitting up."""
    coat = look.main
    pen.disc(-0.27, 0.12, 0.085, own=look.light, tone=0.2)
    with pen.group():
        pen.blob(
            shape("-0.26,0 -0.32,0.2 -0.16,0.42 0.04,0.5 0.16,0.38 0.16,0.12 0.12,0"),
            coat,
            0.0,
        )
        pen.blob(
            shape("-0.28,0.06 -0.2,0.28 -0.02,0.26 0.04,0.08 0.1,0.03 0.08,0 -0.2,0"),
            coat,
            -0.25,
        )
        pen.stroke(shape("0.12,0.32 0.15,0.16 0.17,0.03"), 0.075, coat, 0.1)
    for shift, tone in ((0.05, -0.4), (-0.02, 0.1)):
        with pen.group():
            pen.blob(
                [
                    (0.1 + shift, 0.66),
                    (0.0 + shift, 0.82),
                    (-0.02 + shift, 1.0),
                    (0.07 + shift, 0.98),
                    (0.15 + shift, 0.72),
                ],
                coat,
                tone,
            )
        pen.blob(
            [(0.1 + shift, 0.7), (0.04 + shift, 0.82), (0.02 + shift, 0.95), (0.08 + shift, 0.88)],
            "#e7a8a6",
            tone - 0.1,
        )
    with pen.group():
        pen.disc(0.14, 0.58, 0.15, 0.13, own=coat)
        pen.disc(0.23, 0.55, 0.08, 0.075, own=look.light, tone=-0.05)
    pen.disc(0.3, 0.57, 0.022, 0.018, own="#c97a78")
    pen.disc(0.19, 0.62, 0.022, 0.027, own="#231c22")
    pen.disc(0.197, 0.63, 0.008, own="#ffffff", tone=0.6)
