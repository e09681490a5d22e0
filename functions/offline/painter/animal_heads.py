"""Heads of four-legged animals: snouts, eyes, ears and horns."""

from offline.painter.build import Build
from offline.painter.colour import mix, parse
from offline.painter.curves import Point, shape
from offline.painter.look import Look
from offline.painter.pen import Pen


def draw_head(pen: Pen, look: Look, build: Build, at: Point) -> None:
    """Draw the head, centred on a point in the pen's units."""
    x, y = at
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
        pen.disc(x, y, r * 1.05, r, fill=coat)
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
            fill="#2b2226",
        )
    pen.disc(x + r * 0.42, y + r * 0.2, max(0.014, r * 0.12), max(0.016, r * 0.15), fill="#231c22")
    pen.disc(x + r * 0.46, y + r * 0.26, max(0.004, r * 0.04), fill="#ffffff", tone=0.6)
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


_EARS = {
    "point": shape("-0.42,0.6 -0.12,1.75 0.38,0.75"),
    "small": shape("-0.2,0.7 0.05,1.6 0.3,0.75"),
    "side": shape("-0.1,0.55 -0.6,0.95 -1.15,0.75 -0.6,0.4"),
    "flop": shape("-0.1,0.85 -0.7,0.6 -0.75,-0.5 -0.35,-0.75 0.02,0.1"),
    "fan": shape("0.1,0.7 -0.9,0.9 -1.25,0 -0.8,-0.95 -0.05,-0.4"),
}
_ROUND_EARS = {"round": (-0.1, 0.85, 0.36), "big": (-0.2, 0.95, 0.62)}
_HANGING = frozenset({"flop", "fan"})


def _ears(pen: Pen, look: Look, build: Build, x: float, y: float, *, behind: bool) -> None:
    """Draw one ear, behind or in front of the head."""
    if behind and build.ears in _HANGING:
        return
    coat = look.main if not build.woolly else look.dark
    shift, tone = (0.45, -0.4) if behind else (-0.25, 0.05)
    ear = pen.at(x + shift * build.head, y, build.head)
    inside = mix(look.light, parse("#e2a090"), 0.5)
    if build.ears in _ROUND_EARS:
        ex, ey, r = _ROUND_EARS[build.ears]
        ear.disc(ex, ey, r, fill=coat, tone=tone)
        if not behind:
            ear.disc(ex + 0.02, ey - 0.02, r * 0.62, fill=inside, tone=-0.2)
    elif build.ears in ("point", "small"):
        ear.poly(_EARS[build.ears], coat, tone)
        if build.ears == "point" and not behind:
            ear.poly(shape("-0.2,0.75 -0.1,1.4 0.18,0.82"), inside, -0.1)
    elif build.ears == "flop":
        ear.blob(_EARS["flop"], mix(coat, look.dark, 0.4), -0.1)
    else:
        ear.blob(_EARS[build.ears], coat, -0.25 if build.ears == "fan" else tone)


def _horns(pen: Pen, look: Look, build: Build, x: float, y: float, *, behind: bool) -> None:
    r = build.head
    if build.horns == "antlers":
        fill, tone = "#a5835c", (-0.4 if behind else 0.1)
        s = 0.05 if behind else -0.02
        pen.stroke(
            [
                (x + s, y + r * 0.8),
                (x + s - 0.06, y + r * 0.8 + 0.12),
                (x + s + 0.02, y + r * 0.8 + 0.24),
            ],
            0.022,
            fill,
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
                fill,
                tone,
                end=0.006,
            )
    elif build.horns == "one" and not behind:
        pen.at(x, y, r).poly(
            shape("0.2,0.85 1.3,3.2 0.65,0.7"),
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
