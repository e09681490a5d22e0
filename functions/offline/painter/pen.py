"""A pen with a local coordinate system that draws lit shapes, splines and strokes.

Shapes are in units of the pen. `at` returns a pen for an object: x runs to the right (or to the
left if flipped), y runs up from the ground, and 1 is the size of the object.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from PIL import ImageDraw

from offline.painter.colour import Colour, Rgb, parse, to_rgb
from offline.painter.curves import Point, closed_curve, ellipse, open_curve, ribbon

Fill = str | Colour
"""The local colour of an object: `#rrggbb` or a colour."""


@dataclass(slots=True)
class Lamp:
    """A light in the image: centre and radius in pixels."""

    x: float
    y: float
    radius: float
    rgb: Rgb
    strength: float


@dataclass(slots=True)
class Sheet:
    """The shared state of a layer's pens."""

    draw: ImageDraw.ImageDraw
    ink: Callable[[Colour, float], Rgb]
    factor: int
    origin: tuple[int, int]
    line: float
    line_rgb: Rgb
    lamps: list[Lamp]
    inks: dict[tuple[Fill, float], Rgb] = field(default_factory=dict)
    held: list[tuple[list[Point], Rgb, bool]] | None = None


class Pen:
    """A pen; `matrix` maps its units to pixels of the sheet."""

    def __init__(
        self, sheet: Sheet, matrix: tuple[float, float, float, float, float, float]
    ) -> None:
        self.sheet = sheet
        self.matrix = matrix

    @property
    def pixels(self) -> float:
        """Pixels of the final image per unit."""
        return math.hypot(self.matrix[0], self.matrix[3]) / self.sheet.factor

    def at(
        self, x: float, y: float, size: float = 1.0, *, flip: bool = False, turn: float = 0.0
    ) -> "Pen":
        """Return a pen for an object at (x, y); `turn` is in degrees."""
        a, b, c, d, e, f = self.matrix
        upward = -1.0 if e > 0 else 1.0
        angle = math.radians(turn)
        cos, sin = math.cos(angle) * size, math.sin(angle) * size
        side = -1.0 if flip else 1.0
        m00, m01 = cos * side, -sin
        m10, m11 = sin * side * upward, cos * upward
        return Pen(
            self.sheet,
            (
                a * m00 + b * m10,
                a * m01 + b * m11,
                a * x + b * y + c,
                d * m00 + e * m10,
                d * m01 + e * m11,
                d * x + e * y + f,
            ),
        )

    # -- shapes ------------------------------------------------------------------------------------
    def poly(
        self, points: Iterable[Point], fill: Fill, tone: float = 0.0, *, lined: bool = True
    ) -> None:
        """Draw a polygon, without outline if not `lined`."""
        self._fill(self._map(points), self._ink(fill, tone), lined=lined)

    def blob(self, points: Sequence[Point], fill: Fill, tone: float = 0.0) -> None:
        """Draw a closed smooth shape through the points."""
        self._fill(self._map(closed_curve(points)), self._ink(fill, tone))

    def disc(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float | None = None,
        fill: Fill = "#ffffff",
        tone: float = 0.0,
        turn: float = 0.0,
    ) -> None:
        """Draw an ellipse, rotated by degrees."""
        points = ellipse(x, y, rx, rx if ry is None else ry, turn, self._fineness(rx))
        self._fill(self._map(points), self._ink(fill, tone))

    def box(
        self, x0: float, y0: float, x1: float, y1: float, fill: Fill, tone: float = 0.0
    ) -> None:
        """Draw a rectangle."""
        self.poly(((x0, y0), (x1, y0), (x1, y1), (x0, y1)), fill, tone)

    def panel(
        self,
        x0: float,
        y0: float,
        x1: float,
        y1: float,
        radius: float,
        fill: Fill,
        tone: float = 0.0,
    ) -> None:
        """Draw a rectangle with rounded corners."""
        points: list[Point] = []
        for cx, cy, start in (
            (x1 - radius, y1 - radius, 0),
            (x0 + radius, y1 - radius, 90),
            (x0 + radius, y0 + radius, 180),
            (x1 - radius, y0 + radius, 270),
        ):
            for step in range(6):
                angle = math.radians(start + 18 * step)
                points.append((cx + math.cos(angle) * radius, cy + math.sin(angle) * radius))
        self._fill(self._map(points), self._ink(fill, tone))

    def stroke(
        self,
        points: Sequence[Point],
        width: float,
        fill: Fill,
        tone: float = 0.0,
        *,
        end: float | None = None,
        smooth: bool = True,
    ) -> None:
        """Draw a line through the points, tapered from `width` to `end`."""
        path = open_curve(points) if smooth and len(points) > 2 else list(points)
        outline = ribbon(path, width, width if end is None else end)
        rgb = self._ink(fill, tone)
        self._fill(self._map(outline), rgb)
        for (x, y), radius in ((path[0], width / 2), (path[-1], (end or width) / 2)):
            if radius * self.pixels > 0.7 and (end is None or radius == width / 2):
                self._fill(self._map(ellipse(x, y, radius, radius, 0, 12)), rgb, lined=False)

    def lamp(self, x: float, y: float, radius: float, fill: Fill, strength: float = 0.6) -> None:
        """Add a light; `radius` is in units."""
        (px, py), *_ = self._map([(x, y)])
        factor, (left, top) = self.sheet.factor, self.sheet.origin
        self.sheet.lamps.append(
            Lamp(
                px / factor + left,
                py / factor + top,
                radius * self.pixels,
                to_rgb(parse(fill) if isinstance(fill, str) else fill),
                strength,
            )
        )

    def light(self, points: Iterable[Point], fill: Fill) -> None:
        """Draw an emissive polygon, in exactly the given colour."""
        self._fill(
            self._map(points), to_rgb(parse(fill) if isinstance(fill, str) else fill), lined=False
        )

    @contextmanager
    def group(self) -> Iterator[None]:
        """Draw the shapes in the block as one shape with a common outline."""
        sheet = self.sheet
        if sheet.held is not None or sheet.line <= 0:
            yield
            return
        sheet.held = []
        yield
        held, sheet.held = sheet.held, None
        for points, _, lined in held:
            if lined:
                self._line(points)
        for points, rgb, _ in held:
            sheet.draw.polygon(points, fill=(*rgb, 255))

    @contextmanager
    def plain(self) -> Iterator[None]:
        """Draw the shapes in the block without outlines, as details of a body."""
        sheet = self.sheet
        line, sheet.line = sheet.line, 0.0
        yield
        sheet.line = line

    # -- inside ------------------------------------------------------------------------------------
    def _fill(self, points: list[Point], rgb: Rgb, *, lined: bool = True) -> None:
        sheet = self.sheet
        if sheet.held is not None:
            sheet.held.append((points, rgb, lined))
            return
        if sheet.line > 0 and lined:
            self._line(points)
        sheet.draw.polygon(points, fill=(*rgb, 255))

    def _line(self, points: list[Point]) -> None:
        sheet = self.sheet
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        narrow = min(max(xs) - min(xs), max(ys) - min(ys))
        if narrow < 4.5 * sheet.line * sheet.factor:
            return
        thick = min(sheet.line, narrow * 0.08 / sheet.factor) * sheet.factor
        sheet.draw.line(
            [*points, points[0], points[1]],
            fill=(*sheet.line_rgb, 255),
            width=max(1, round(thick * 2)),
            joint="curve" if thick > 2 else None,
        )

    def _ink(self, fill: Fill, tone: float) -> Rgb:
        key = (fill, tone)
        rgb = self.sheet.inks.get(key)
        if rgb is None:
            rgb = self.sheet.ink(parse(fill) if isinstance(fill, str) else fill, tone)
            self.sheet.inks[key] = rgb
        return rgb

    def _map(self, points: Iterable[Point]) -> list[Point]:
        a, b, c, d, e, f = self.matrix
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in points]

    def _fineness(self, radius: float) -> int:
        return max(10, min(72, int(6 + 2.2 * math.sqrt(radius * self.pixels * 4))))
