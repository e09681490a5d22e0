"""Swimming animals, centred on (0, 0.5), about 1 unit tall, facing right."""

import math

from offline.painter.colour import scale
from offline.painter.curves import shape
from offline.painter.look import Look
from offline.painter.pen import Pen


def fish(pen: Pen, look: Look) -> None:
    """Draw a fish."""
    wag = 0.08 * math.sin(look.phase * math.tau)
    with pen.group():
        pen.blob(
            [(-0.34, 0.52), (-0.62, 0.78 + wag), (-0.56, 0.5), (-0.62, 0.24 + wag)],
            look.accent,
            -0.1,
        )
        pen.blob(shape("-0.1,0.72 0.05,0.98 0.26,0.74"), look.accent, 0.1)
        pen.blob(
            shape(
                "-0.42,0.5 -0.15,0.74 0.2,0.78 0.48,0.62 0.56,0.5 0.46,0.36 0.15,0.24 -0.15,0.28"
            ),
            look.main,
        )
    with pen.plain():
        pen.blob(shape("-0.2,0.36 0.2,0.26 0.46,0.38 0.3,0.42 0,0.4"), look.light, 0.0)
        for x in (-0.12, 0.12):
            pen.at(x, 0.0).blob(
                shape("0,0.72 0.07,0.5 0,0.3 0.06,0.28 0.13,0.5 0.06,0.74"),
                look.light,
                0.1,
            )
        pen.disc(0.38, 0.55, 0.06, fill="#ffffff", tone=0.4)
        pen.disc(0.4, 0.55, 0.034, fill="#1d181c")
    pen.blob(shape("0.1,0.46 -0.06,0.36 -0.02,0.54"), look.accent, -0.15)


def whale(pen: Pen, look: Look) -> None:
    """Draw a whale."""
    with pen.group():
        pen.blob(
            shape("-0.72,0.7 -1.02,1.02 -0.84,1.06 -0.7,0.9 -0.5,1 -0.44,0.86 -0.58,0.68"),
            look.main,
            -0.15,
        )
        pen.blob(
            shape(
                "-0.76,0.76 -0.5,0.66 -0.1,0.78 0.4,0.86 0.82,0.7 0.96,0.46 "
                "0.8,0.22 0.3,0.1 -0.2,0.2 -0.56,0.46 -0.78,0.7"
            ),
            look.main,
        )
    with pen.plain():
        pen.blob(
            shape("-0.3,0.3 0.2,0.4 0.7,0.4 0.95,0.46 0.82,0.24 0.3,0.11 -0.1,0.17"),
            look.light,
            -0.15,
        )
        for i in range(5):
            y = 0.18 + i * 0.045
            pen.stroke(
                [(0.1 + i * 0.05, y), (0.5, y + 0.01), (0.84 - i * 0.005, y + 0.06)],
                0.01,
                look.main,
                -0.2,
            )
        pen.disc(0.62, 0.48, 0.03, fill="#1d181c")
        pen.disc(0.63, 0.49, 0.01, fill="#ffffff", tone=0.8)
    pen.blob(shape("0.28,0.3 0.16,0.02 0,-0.1 0.04,0.14 0.12,0.32"), look.main, -0.25)


def dolphin(pen: Pen, look: Look) -> None:
    """Draw a leaping dolphin."""
    with pen.group():
        pen.blob(
            shape("-0.82,0.1 -1,0.16 -0.9,0.02 -0.86,-0.14 -0.7,0.06"),
            look.main,
            -0.2,
        )
        pen.blob(
            shape(
                "-0.8,0.1 -0.45,0.5 -0.05,0.72 0.4,0.72 0.7,0.54 0.94,0.4 0.9,0.34 "
                "0.6,0.36 0.2,0.42 -0.3,0.32"
            ),
            look.main,
        )
        pen.blob(shape("-0.12,0.68 -0.2,0.98 0.12,0.72"), look.main, -0.1)
    with pen.plain():
        pen.blob(
            shape("-0.3,0.34 0.1,0.52 0.5,0.46 0.88,0.36 0.6,0.35 0.2,0.41"),
            look.light,
            0.1,
        )
        pen.disc(0.58, 0.53, 0.025, fill="#1d181c")
    pen.blob(shape("0.2,0.48 0,0.22 0.12,0.24 0.34,0.44"), look.main, -0.3)


def turtle(pen: Pen, look: Look) -> None:
    """Draw a sea turtle."""
    pen.blob(shape("0.3,0.45 0.25,0.1 0,-0.02 0.1,0.3"), look.main, -0.3)
    pen.blob(shape("-0.5,0.42 -0.75,0.22 -0.6,0.5"), look.main, -0.3)
    with pen.group():
        pen.blob(shape("0.45,0.52 0.7,0.68 0.86,0.6 0.8,0.46 0.55,0.4"), look.main, 0.1)
    with pen.group():
        pen.blob(
            shape("-0.62,0.42 -0.4,0.74 0,0.88 0.38,0.74 0.56,0.44 0,0.34"),
            look.accent,
            -0.1,
        )
    with pen.plain():
        for x, y, r in (
            (-0.32, 0.58, 0.1),
            (-0.08, 0.68, 0.12),
            (0.18, 0.62, 0.11),
            (-0.12, 0.48, 0.09),
            (0.36, 0.5, 0.07),
        ):
            pen.disc(x, y, r, r * 0.8, fill=scale(look.accent, 1.25), tone=0.2)
        pen.disc(0.74, 0.58, 0.025, fill="#1d181c")


def octopus(pen: Pen, look: Look) -> None:
    """Draw an octopus."""
    with pen.group():
        for i in range(6):
            x = -0.4 + i * 0.16
            curl = 0.05 * math.sin(i * 2.1 + look.phase * math.tau)
            side = 1 if x > 0 else -1
            pen.stroke(
                [
                    (x * 0.5, 0.45),
                    (x * 0.9, 0.24),
                    (x * 1.2 + curl, 0.08),
                    (x * 1.3 + curl + side * 0.12, 0.02),
                    (x * 1.3 + curl + side * 0.2, 0.1),
                ],
                0.13,
                look.main,
                -0.3 if i % 2 else 0.05,
                end=0.035,
            )
        pen.blob(
            shape("-0.3,0.42 -0.34,0.75 0,1.02 0.34,0.75 0.3,0.42 0,0.34"),
            look.main,
            0.1,
        )
    with pen.plain():
        for side in (-1, 1):
            pen.disc(side * 0.12, 0.56, 0.08, fill="#ffffff", tone=0.4)
            pen.disc(side * 0.11, 0.56, 0.04, fill="#1d181c")
        for x, y in ((-0.16, 0.82), (0.1, 0.86), (0.2, 0.74)):
            pen.disc(x, y, 0.04, fill=look.accent, tone=0.1)
