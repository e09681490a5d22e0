"""Sitting animals, about 1 unit tall, standing on y = 0."""

from offline.painter.animal_heads import draw_head
from offline.painter.build import Build
from offline.painter.curves import shape
from offline.painter.look import Look
from offline.painter.pen import Pen


def sitting_cat(pen: Pen, look: Look) -> None:
    """Draw a sitting cat that looks into the distance."""
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
        pen.disc(0.15, 0.03, 0.065, 0.035, fill=coat, tone=0.1)
        pen.blob(
            shape("-0.28,0.1 -0.16,0.28 0,0.2 0.02,0.04 -0.1,0 -0.24,0"),
            coat,
            -0.22,
        )
        pen.disc(0.0, 0.03, 0.08, 0.035, fill=coat, tone=-0.1)
    pen.blob(shape("0.1,0.62 0.2,0.5 0.18,0.36 0.1,0.4 0.06,0.52"), look.light, -0.1)
    pen.stroke(shape("0,0.6 0.1,0.565 0.2,0.6"), 0.05, look.accent, 0.1)
    pen.disc(0.13, 0.555, 0.026, fill="#f3c64a", tone=0.5)
    build = Build(head=0.17, snout=0.045, snout_girth=0.08, ears="point")
    draw_head(pen, look, build, (0.1, 0.77))


def rabbit(pen: Pen, look: Look) -> None:
    """Draw a rabbit that sits upright."""
    coat = look.main
    pen.disc(-0.27, 0.12, 0.085, fill=look.light, tone=0.2)
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
            pen.at(shift, 0.0).blob(
                shape("0.1,0.66 0,0.82 -0.02,1 0.07,0.98 0.15,0.72"),
                coat,
                tone,
            )
        pen.at(shift, 0.0).blob(
            shape("0.1,0.7 0.04,0.82 0.02,0.95 0.08,0.88"),
            "#e7a8a6",
            tone - 0.1,
        )
    with pen.group():
        pen.disc(0.14, 0.58, 0.15, 0.13, fill=coat)
        pen.disc(0.23, 0.55, 0.08, 0.075, fill=look.light, tone=-0.05)
    pen.disc(0.3, 0.57, 0.022, 0.018, fill="#c97a78")
    pen.disc(0.19, 0.62, 0.022, 0.027, fill="#231c22")
    pen.disc(0.197, 0.63, 0.008, fill="#ffffff", tone=0.6)
