"""People, robots and astronauts. Each stands on y = 0, is about 1 tall and looks to the right."""

import math

from common.providers.image._painter.colour import mix, scale
from common.providers.image._painter.look import Look
from common.providers.image._painter.pen import Pen, shape

BOOT = "#4a3830"


def child(pen: Pen, look: Look) -> None:
    """A child in a raincoat with a scarf."""
    _walker(pen, look, head=0.155, hip=0.24, shoulder=0.6, girth=0.2, hood=True)


def adult(pen: Pen, look: Look) -> None:
    """A grown-up in a long coat, with a hat and a bag."""
    _walker(pen, look, head=0.083, hip=0.42, shoulder=0.78, girth=0.135, hat=True)


def elder(pen: Pen, look: Look) -> None:
    """An old person with white hair and a stick."""
    _walker(pen, look, head=0.09, hip=0.36, shoulder=0.74, girth=0.15, elder=True)


def woman(pen: Pen, look: Look) -> None:
    """A woman with long hair in a wide skirt."""
    _walker(pen, look, head=0.083, hip=0.4, shoulder=0.77, girth=0.12, skirt=True)


def _walker(
    pen: Pen,
    look: Look,
    *,
    head: float,
    hip: float,
    shoulder: float,
    girth: float,
    hood: bool = False,
    hat: bool = False,
    elder: bool = False,
    skirt: bool = False,
) -> None:
    going = look.pose == "go"
    stride = math.sin(look.phase * math.tau) * (0.16 if going else 0.02) * (hip / 0.42) + (
        0.05 if going else 0.03
    )
    limb = girth * 0.55
    trousers = mix(look.dark, look.main, 0.15)
    for side, tone in ((-1, -0.5), (1, -0.2)):
        foot = (stride * side + 0.015, 0.035)
        knee = ((foot[0]) * 0.55 + 0.03, hip * 0.52)
        with pen.group():
            pen.stroke([(0.0, hip * 1.1), knee, foot], limb, trousers, tone, end=limb * 0.72)
            pen.blob(
                [
                    (foot[0] - limb * 0.5, 0.0),
                    (foot[0] - limb * 0.5, limb * 0.8),
                    (foot[0] + limb * 0.3, limb * 0.85),
                    (foot[0] + limb * 1.1, limb * 0.35),
                    (foot[0] + limb * 1.1, 0.0),
                ],
                BOOT,
                tone,
            )
    lean = 0.02 if going else 0.0
    swing = -stride * 0.9
    hem = hip * (0.42 if skirt else 0.82)
    flare = girth * (1.75 if skirt else 1.3)
    # The far arm, the coat, the near arm.
    pen.stroke(
        [
            (lean + girth * 0.2, shoulder - 0.03),
            (swing * 0.5 + 0.05, shoulder - 0.14),
            (-swing * 0.9 + 0.08, hip + 0.04),
        ],
        girth * 0.5,
        look.main,
        -0.55,
        end=girth * 0.36,
    )
    with pen.group():
        pen.blob(
            [
                (-flare, hem),
                (-girth * 1.0, (hip + shoulder) / 2),
                (-girth * 0.72 + lean, shoulder),
                (lean, shoulder + girth * 0.28),
                (girth * 0.7 + lean, shoulder),
                (girth * 1.0, (hip + shoulder) / 2),
                (flare, hem),
                (0.0, hem - girth * 0.15),
            ],
            look.main,
            0.0,
        )
        pen.blob(
            [
                (-flare, hem),
                (-girth * 1.0, (hip + shoulder) / 2),
                (-girth * 0.72 + lean, shoulder),
                (-girth * 0.3 + lean, shoulder),
                (-girth * 0.35, (hip + shoulder) / 2),
                (-girth * 0.4, hem),
            ],
            look.main,
            -0.4,
        )
    if not hood:
        pen.panel(
            -girth * 1.5 + lean,
            hip + 0.08,
            -girth * 0.62 + lean,
            shoulder - 0.02,
            girth * 0.3,
            mix(look.accent, look.dark, 0.35),
            -0.1,
        )
    hand = (swing * 1.1 + 0.06, hip + 0.03)
    with pen.group():
        pen.stroke(
            [(lean, shoulder - 0.04), (swing * 0.5 + 0.015, shoulder - 0.17), hand],
            girth * 0.56,
            look.main,
            0.25,
            end=girth * 0.42,
        )
        pen.disc(hand[0], hand[1] - girth * 0.12, girth * 0.23, own=look.skin)
    if elder:
        pen.stroke(
            [(hand[0] + 0.02, hand[1] + 0.02), (hand[0] + 0.1, 0.0)], 0.02, "#6a4a30", smooth=False
        )
    _head(
        pen,
        look,
        lean + head * 0.18,
        shoulder + head * 1.02,
        head,
        hood=hood,
        hat=hat,
        elder=elder,
        long_hair=skirt,
    )
    # A scarf whose end flies behind.
    neck, wide = shoulder + girth * 0.12, min(girth, 0.135)
    with pen.group():
        pen.stroke(
            [
                (lean - wide * 0.5, neck - 0.01),
                (lean - wide * 1.5, neck + wide * 0.25),
                (lean - wide * 2.4, neck - wide * 0.1),
                (lean - wide * 3.1, neck + wide * 0.2),
            ],
            wide * 0.42,
            look.accent,
            -0.15,
            end=wide * 0.5,
        )
        pen.stroke(
            [(lean - girth * 0.62, neck), (lean, neck - girth * 0.14), (lean + girth * 0.6, neck)],
            girth * 0.4,
            look.accent,
            0.2,
        )


def _head(
    pen: Pen,
    look: Look,
    x: float,
    y: float,
    r: float,
    *,
    hood: bool,
    hat: bool,
    elder: bool,
    long_hair: bool,
) -> None:
    hair = "#e9e6e2" if elder else look.hair
    if long_hair:
        pen.blob(
            [
                (x - r * 0.9, y + r * 0.6),
                (x - r * 1.25, y - r * 0.6),
                (x - r * 1.5, y - r * 2.0),
                (x - r * 0.5, y - r * 1.7),
                (x + r * 0.1, y - r * 0.2),
            ],
            hair,
            -0.2,
        )
    with pen.group():
        pen.disc(x, y, r, r * 1.02, own=look.skin)
        pen.disc(x + r * 0.97, y - r * 0.08, r * 0.13, own=look.skin)
    if hood:
        with pen.group():
            pen.blob(
                [
                    (x + r * 0.34, y + r * 0.98),
                    (x - r * 0.3, y + r * 1.2),
                    (x - r * 1.05, y + r * 0.62),
                    (x - r * 1.15, y - r * 0.4),
                    (x - r * 0.6, y - r * 1.05),
                    (x + r * 0.1, y - r * 0.98),
                    (x - r * 0.25, y - r * 0.2),
                    (x + r * 0.06, y + r * 0.55),
                ],
                look.main,
                -0.05,
            )
        pen.blob(
            [
                (x + r * 0.3, y + r * 0.88),
                (x + r * 0.85, y + r * 0.52),
                (x + r * 0.55, y + r * 0.42),
                (x + r * 0.02, y + r * 0.5),
            ],
            hair,
            0.0,
        )
    else:
        pen.blob(
            [
                (x + r * 0.75, y + r * 0.72),
                (x + r * 0.1, y + r * 1.12),
                (x - r * 0.8, y + r * 0.75),
                (x - r * 1.06, y - r * 0.1),
                (x - r * 0.62, y - r * 0.7),
                (x - r * 0.35, y + r * 0.1),
                (x + r * 0.1, y + r * 0.42),
            ],
            hair,
            -0.05,
        )
    if elder:
        pen.blob(
            [
                (x + r * 0.1, y - r * 0.35),
                (x + r * 0.85, y - r * 0.4),
                (x + r * 0.6, y - r * 1.15),
                (x + r * 0.1, y - r * 1.0),
            ],
            hair,
            0.1,
        )
    if hat:
        brim = y + r * 0.48
        with pen.group():
            pen.blob(
                [
                    (x - r * 1.5, brim - r * 0.1),
                    (x, brim - r * 0.12),
                    (x + r * 1.55, brim),
                    (x, brim + r * 0.2),
                ],
                look.dark,
                0.0,
            )
            pen.blob(
                [
                    (x - r * 0.85, brim),
                    (x - r * 0.75, brim + r * 0.85),
                    (x, brim + r * 0.78),
                    (x + r * 0.75, brim + r * 0.85),
                    (x + r * 0.85, brim),
                ],
                look.dark,
                0.1,
            )
        pen.poly(
            [
                (x - r * 0.86, brim + r * 0.12),
                (x + r * 0.87, brim + r * 0.12),
                (x + r * 0.83, brim + r * 0.34),
                (x - r * 0.83, brim + r * 0.34),
            ],
            look.accent,
        )
    if r * pen.pixels > 7:
        pen.disc(x + r * 0.5, y + r * 0.02, r * 0.085, r * 0.14, own="#2a2026")
        pen.disc(
            x + r * 0.3, y - r * 0.34, r * 0.17, r * 0.1, own=mix(look.skin, (0.9, 0.35, 0.35), 0.4)
        )
        if not elder:
            pen.stroke(
                [
                    (x + r * 0.5, y - r * 0.42),
                    (x + r * 0.66, y - r * 0.48),
                    (x + r * 0.8, y - r * 0.38),
                ],
                r * 0.06,
                "#8a4a40",
            )


def robot(pen: Pen, look: Look) -> None:
    """A friendly round robot with lit eyes."""
    metal, joint = look.main, mix(look.dark, (0.5, 0.52, 0.56), 0.4)
    going = look.pose == "go"
    stride = math.sin(look.phase * math.tau) * 0.1 if going else 0.03
    for side, tone in ((-1, -0.5), (1, -0.05)):
        x = 0.085 * side + stride * side
        pen.stroke([(0.09 * side, 0.3), (x + 0.02, 0.18), (x, 0.07)], 0.07, joint, tone)
        with pen.group():
            pen.panel(x - 0.075, 0.0, x + 0.11, 0.085, 0.035, metal, tone)
    pen.stroke([(0.19, 0.5), (0.26, 0.4), (0.24 - stride, 0.29)], 0.055, joint, -0.45)
    with pen.group():
        pen.panel(-0.21, 0.25, 0.21, 0.6, 0.1, metal, 0.0)
    pen.panel(-0.21, 0.25, -0.07, 0.6, 0.07, metal, -0.35)
    pen.panel(-0.02, 0.33, 0.16, 0.5, 0.03, scale(metal, 0.62))
    for i, own in enumerate(("#ff6b5a", "#ffd257", "#63d88b")):
        pen.disc(0.02 + i * 0.05, 0.455, 0.016, own=own, tone=0.4)
    pen.box(0.01, 0.36, 0.13, 0.375, joint, 0.2)
    pen.box(0.01, 0.39, 0.13, 0.405, joint, 0.2)
    pen.stroke([(0.0, 0.6), (0.02, 0.66)], 0.09, joint, -0.2, smooth=False)
    with pen.group():
        pen.panel(-0.2, 0.64, 0.26, 0.94, 0.12, metal, 0.1)
    pen.panel(-0.2, 0.64, -0.08, 0.94, 0.06, metal, -0.25)
    pen.panel(-0.03, 0.7, 0.25, 0.87, 0.075, "#1c2733")
    for x in (0.055, 0.165):
        pen.light(
            [
                (x + math.cos(a * 0.524) * 0.034, 0.79 + math.sin(a * 0.524) * 0.04)
                for a in range(12)
            ],
            "#a8fbff",
        )
        pen.lamp(x, 0.79, 0.12, "#7ff4ff", 0.55)
    pen.stroke([(0.0, 0.94), (-0.01, 1.0)], 0.022, joint, smooth=False)
    pen.disc(-0.01, 1.02, 0.034, own=look.accent, tone=0.5)
    pen.lamp(-0.01, 1.02, 0.12, look.accent, 0.5)
    pen.disc(-0.2, 0.79, 0.035, 0.065, own=joint)
    with pen.group():
        pen.stroke([(-0.16, 0.52), (-0.24, 0.4), (-0.16 + stride, 0.3)], 0.062, joint, 0.1)
        pen.disc(-0.15 + stride, 0.275, 0.05, own=metal, tone=0.2)
    pen.disc(-0.165, 0.52, 0.06, own=metal, tone=0.25)


def astronaut(pen: Pen, look: Look) -> None:
    """An astronaut with a golden visor."""
    suit = mix(look.light, (1.0, 1.0, 1.0), 0.6)
    going = look.pose == "go"
    stride = math.sin(look.phase * math.tau) * 0.1 if going else 0.04
    floating = look.pose == "float"
    pen.panel(-0.25, 0.36, -0.06, 0.72, 0.05, mix(suit, look.dark, 0.3), -0.3)
    for side, tone in ((-1, -0.45), (1, 0.0)):
        x = 0.09 * side + stride * side
        low = 0.02 if not floating else 0.06 + 0.06 * side
        with pen.group():
            pen.stroke(
                [(0.06 * side, 0.36), (x + 0.03, 0.2), (x, low + 0.06)], 0.15, suit, tone, end=0.12
            )
            pen.panel(
                x - 0.085,
                low - 0.02,
                x + 0.11,
                low + 0.075,
                0.035,
                mix(suit, look.dark, 0.45),
                tone,
            )
    pen.stroke(
        [(0.12, 0.62), (0.25, 0.52), (0.3 if floating else 0.22, 0.66 if floating else 0.4)],
        0.11,
        suit,
        -0.4,
        end=0.09,
    )
    with pen.group():
        pen.blob(
            shape("-0.17,0.32 -0.2,0.5 -0.15,0.7 0,0.74 0.15,0.7 0.19,0.5 0.16,0.32 0,0.28"),
            suit,
            0.05,
        )
    pen.blob(
        shape("-0.17,0.32 -0.2,0.5 -0.15,0.7 -0.05,0.72 -0.08,0.5 -0.06,0.3"),
        suit,
        -0.35,
    )
    pen.panel(-0.02, 0.46, 0.12, 0.58, 0.02, mix(suit, look.dark, 0.4))
    pen.disc(0.02, 0.54, 0.014, own=look.accent, tone=0.5)
    pen.disc(0.07, 0.54, 0.014, own="#6fd3ff", tone=0.5)
    with pen.group():
        pen.stroke(
            [
                (-0.12, 0.63),
                (-0.22, 0.52),
                (-0.24 if floating else -0.1 + stride, 0.68 if floating else 0.42),
            ],
            0.115,
            suit,
            0.15,
            end=0.1,
        )
        pen.disc(
            -0.25 if floating else -0.09 + stride, 0.71 if floating else 0.4, 0.06, own=look.accent
        )
    pen.stroke([(-0.2, 0.56), (-0.25, 0.585)], 0.035, look.accent, smooth=False)
    with pen.group():
        pen.disc(0.01, 0.85, 0.17, own=suit, tone=0.2)
    pen.blob(
        shape("-0.07,0.9 0.04,0.975 0.15,0.93 0.175,0.82 0.08,0.74 -0.05,0.77"),
        "#c98a2e",
        0.0,
    )
    pen.blob(shape("-0.04,0.89 0.04,0.95 0.12,0.92 0.05,0.86 -0.02,0.83"), "#ffd98a", 0.6)
    pen.blob(shape("0.06,0.78 0.14,0.82 0.15,0.86 0.09,0.8"), "#6b3d18", -0.2)
