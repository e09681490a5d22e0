"""People, about 1 unit tall, standing on y = 0, facing right."""

import math

from offline.painter.colour import mix
from offline.painter.curves import shape
from offline.painter.look import Look
from offline.painter.pen import Pen

BOOT = "#4a3830"


def child(pen: Pen, look: Look) -> None:
    """Draw a child in a raincoat with a scarf."""
    _walker(pen, look, head=0.155, hip=0.24, shoulder=0.6, girth=0.2, hood=True)


def adult(pen: Pen, look: Look) -> None:
    """Draw an adult in a long coat, with a hat and a bag."""
    _walker(pen, look, head=0.083, hip=0.42, shoulder=0.78, girth=0.135, hat=True)


def elder(pen: Pen, look: Look) -> None:
    """Draw an old person with white hair and a stick."""
    _walker(pen, look, head=0.09, hip=0.36, shoulder=0.74, girth=0.15, elder=True)


def woman(pen: Pen, look: Look) -> None:
    """Draw a woman with long hair in a wide skirt."""
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
        pen.disc(hand[0], hand[1] - girth * 0.12, girth * 0.23, fill=look.skin)
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
        pen.at(lean, neck, girth).stroke(
            shape("-0.62,0 0,-0.14 0.6,0"),
            0.4,
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
        pen.at(x, y, r).blob(
            shape("-0.9,0.6 -1.25,-0.6 -1.5,-2 -0.5,-1.7 0.1,-0.2"),
            hair,
            -0.2,
        )
    with pen.group():
        pen.disc(x, y, r, r * 1.02, fill=look.skin)
        pen.disc(x + r * 0.97, y - r * 0.08, r * 0.13, fill=look.skin)
    if hood:
        with pen.group():
            pen.at(x, y, r).blob(
                shape(
                    "0.34,0.98 -0.3,1.2 -1.05,0.62 -1.15,-0.4 -0.6,-1.05 0.1,-0.98 "
                    "-0.25,-0.2 0.06,0.55"
                ),
                look.main,
                -0.05,
            )
        pen.at(x, y, r).blob(
            shape("0.3,0.88 0.85,0.52 0.55,0.42 0.02,0.5"),
            hair,
            0.0,
        )
    else:
        pen.at(x, y, r).blob(
            shape("0.75,0.72 0.1,1.12 -0.8,0.75 -1.06,-0.1 -0.62,-0.7 -0.35,0.1 0.1,0.42"),
            hair,
            -0.05,
        )
    if elder:
        pen.at(x, y, r).blob(
            shape("0.1,-0.35 0.85,-0.4 0.6,-1.15 0.1,-1"),
            hair,
            0.1,
        )
    if hat:
        brim = y + r * 0.48
        with pen.group():
            pen.at(x, brim, r).blob(
                shape("-1.5,-0.1 0,-0.12 1.55,0 0,0.2"),
                look.dark,
                0.0,
            )
            pen.at(x, brim, r).blob(
                shape("-0.85,0 -0.75,0.85 0,0.78 0.75,0.85 0.85,0"),
                look.dark,
                0.1,
            )
        pen.at(x, brim, r).poly(
            shape("-0.86,0.12 0.87,0.12 0.83,0.34 -0.83,0.34"),
            look.accent,
        )
    if r * pen.pixels > 7:
        pen.disc(x + r * 0.5, y + r * 0.02, r * 0.085, r * 0.14, fill="#2a2026")
        pen.disc(
            x + r * 0.3,
            y - r * 0.34,
            r * 0.17,
            r * 0.1,
            fill=mix(look.skin, (0.9, 0.35, 0.35), 0.4),
        )
        if not elder:
            pen.at(x, y, r).stroke(
                shape("0.5,-0.42 0.66,-0.48 0.8,-0.38"),
                0.06,
                "#8a4a40",
            )
