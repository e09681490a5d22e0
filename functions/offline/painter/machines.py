"""Robots and astronauts, about 1 unit tall, standing on y = 0, facing right."""

import math

from offline.painter.colour import mix, scale
from offline.painter.curves import shape
from offline.painter.look import Look
from offline.painter.pen import Pen


def robot(pen: Pen, look: Look) -> None:
    """Draw a friendly round robot with lit eyes."""
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
    for i, fill in enumerate(("#ff6b5a", "#ffd257", "#63d88b")):
        pen.disc(0.02 + i * 0.05, 0.455, 0.016, fill=fill, tone=0.4)
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
    pen.disc(-0.01, 1.02, 0.034, fill=look.accent, tone=0.5)
    pen.lamp(-0.01, 1.02, 0.12, look.accent, 0.5)
    pen.disc(-0.2, 0.79, 0.035, 0.065, fill=joint)
    with pen.group():
        pen.stroke([(-0.16, 0.52), (-0.24, 0.4), (-0.16 + stride, 0.3)], 0.062, joint, 0.1)
        pen.disc(-0.15 + stride, 0.275, 0.05, fill=metal, tone=0.2)
    pen.disc(-0.165, 0.52, 0.06, fill=metal, tone=0.25)


def astronaut(pen: Pen, look: Look) -> None:
    """Draw an astronaut with a golden visor."""
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
    pen.disc(0.02, 0.54, 0.014, fill=look.accent, tone=0.5)
    pen.disc(0.07, 0.54, 0.014, fill="#6fd3ff", tone=0.5)
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
            -0.25 if floating else -0.09 + stride, 0.71 if floating else 0.4, 0.06, fill=look.accent
        )
    pen.stroke([(-0.2, 0.56), (-0.25, 0.585)], 0.035, look.accent, smooth=False)
    with pen.group():
        pen.disc(0.01, 0.85, 0.17, fill=suit, tone=0.2)
    pen.blob(
        shape("-0.07,0.9 0.04,0.975 0.15,0.93 0.175,0.82 0.08,0.74 -0.05,0.77"),
        "#c98a2e",
        0.0,
    )
    pen.blob(shape("-0.04,0.89 0.04,0.95 0.12,0.92 0.05,0.86 -0.02,0.83"), "#ffd98a", 0.6)
    pen.blob(shape("0.06,0.78 0.14,0.82 0.15,0.86 0.09,0.8"), "#6b3d18", -0.2)
