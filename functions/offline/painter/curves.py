"""Points, polygons and splines."""

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache

Point = tuple[float, float]


@lru_cache(maxsize=1024)
def shape(text: str) -> tuple[Point, ...]:
    """Parse points in the format `x,y x,y …`; raises ValueError for other formats."""
    pairs = [pair.split(",") for pair in text.split()]
    return tuple((float(x), float(y)) for x, y in pairs)


def ellipse(x: float, y: float, rx: float, ry: float, turn: float, steps: int) -> list[Point]:
    """Return points on an ellipse."""
    angle = math.radians(turn)
    cos, sin = math.cos(angle), math.sin(angle)
    points = []
    for step in range(steps):
        around = math.tau * step / steps
        u, v = rx * math.cos(around), ry * math.sin(around)
        points.append((x + u * cos - v * sin, y + u * sin + v * cos))
    return points


def _spline(p0: Point, p1: Point, p2: Point, p3: Point, steps: int) -> Iterator[Point]:
    for step in range(steps):
        t = step / steps
        t2, t3 = t * t, t * t * t
        w0, w1 = -0.5 * t + t2 - 0.5 * t3, 1 - 2.5 * t2 + 1.5 * t3
        w2, w3 = 0.5 * t + 2 * t2 - 1.5 * t3, -0.5 * t2 + 0.5 * t3
        yield (
            w0 * p0[0] + w1 * p1[0] + w2 * p2[0] + w3 * p3[0],
            w0 * p0[1] + w1 * p1[1] + w2 * p2[1] + w3 * p3[1],
        )


def closed_curve(points: Sequence[Point], steps: int = 8) -> list[Point]:
    """Return a closed Catmull-Rom spline through the points."""
    count = len(points)
    curve: list[Point] = []
    for i in range(count):
        curve.extend(
            _spline(
                points[i - 1],
                points[i],
                points[(i + 1) % count],
                points[(i + 2) % count],
                steps,
            )
        )
    return curve


def open_curve(points: Sequence[Point], steps: int = 8) -> list[Point]:
    """Return a Catmull-Rom spline through the points, from the first to the last."""
    padded = [points[0], *points, points[-1]]
    curve: list[Point] = []
    for i in range(len(points) - 1):
        curve.extend(_spline(padded[i], padded[i + 1], padded[i + 2], padded[i + 3], steps))
    return [*curve, points[-1]]


def ribbon(path: Sequence[Point], start: float, end: float) -> list[Point]:
    """Return the outline of a line along the path, tapered from width `start` to `end`."""
    left: list[Point] = []
    right: list[Point] = []
    last = len(path) - 1
    for i, (x, y) in enumerate(path):
        (x0, y0), (x1, y1) = path[max(0, i - 1)], path[min(last, i + 1)]
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        half = (start + (end - start) * i / max(1, last)) / 2
        nx, ny = -(y1 - y0) / length * half, (x1 - x0) / length * half
        left.append((x + nx, y + ny))
        right.append((x - nx, y - ny))
    return left + right[::-1]
