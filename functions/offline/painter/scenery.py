"""The inputs and results of place painters."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from offline.painter.clouds import paint_clouds
from offline.painter.colour import Colour, parse
from offline.painter.land import Shape
from offline.painter.look import Look
from offline.painter.sky import paint_sky
from offline.painter.stage import Band, Stage

COVER = {
    "clear": 0.12,
    "fair": 0.42,
    "cloudy": 0.72,
    "wind": 0.5,
    "mist": 0.2,
    "rain": 0.85,
    "snow": 0.7,
}


@dataclass(frozen=True, slots=True)
class Shot:
    """The context in which a place is painted. Positions are shares (0 to 1) of the width.

    `variant` differs from scene to scene, `world_seed` is the same in all scenes of a video.
    """

    place: str
    time: str
    weather: str
    season: str
    framing: str
    variant: int
    world_seed: int
    sun_x: float
    subject_x: float
    faces_left: bool
    wet_subject: bool = False
    air_subject: bool = False


@dataclass(slots=True)
class Ground:
    """The ground for the main character: y (units from the top) by x, and the foreground."""

    y: Shape
    front: list[Callable[[], None]] = field(default_factory=list)
    water: float | None = None


class Scenery:
    """The stage with the shot and the colours of the video."""

    def __init__(self, stage: Stage, shot: Shot, look: Look) -> None:
        self.stage = stage
        self.shot = shot
        self.look = look
        self.rng = random.Random(stage.seed)
        self.world = random.Random(shot.world_seed)
        self.drawn: set[str] = set()
        self.main = ""
        self.focus = (shot.subject_x, 0.6)  # target of the camera, as shares of width and height

    @property
    def horizon(self) -> float:
        """Height of the horizon in units, which depends on the framing."""
        share = {"wide": 0.6, "medium": 0.6, "close": 0.56, "low": 0.72, "high": 0.4}
        return self.stage.height * share[self.shot.framing]

    @property
    def grow(self) -> float:
        """Scale factor of objects in portrait images."""
        return 1.0 if self.stage.height <= 1.05 else 1.22

    def sky(self, horizon: float | None = None, cover: float | None = None) -> float:
        """Paint the sky with clouds and return the horizon."""
        line = self.horizon if horizon is None else horizon
        paint_sky(self.stage, line, self.shot.sun_x * self.stage.width, self.shot.weather)
        paint_clouds(self.stage, line, COVER[self.shot.weather] if cover is None else cover)
        return line

    def builder(self, number: int) -> random.Random:
        """Return the random generator of a building, the same in all scenes of a video."""
        return random.Random(f"house {self.shot.world_seed} {number}")

    def once(self, name: str) -> bool:
        """Return True on the first call for a landmark, so that it is drawn once."""
        if name in self.drawn:
            return False
        self.drawn.add(name)
        return True

    def spots(self, count: int, *, free: float = 0.3, margin: float = 0.05) -> list[float]:
        """Return positions (x in units) across the image that keep clear of the subject."""
        width = self.stage.width
        middle = self.shot.subject_x * width
        positions: list[float] = []
        for _ in range(count * 4):
            x = self.rng.uniform(-margin, 1 + margin) * width
            if abs(x - middle) >= free:
                positions.append(x)
            if len(positions) == count:
                break
        return positions

    def greens(self) -> tuple[Colour, Colour, Colour]:
        """Return the far, middle and near colours of meadows for the season."""
        table = {
            "summer": ("#7fa860", "#6da04a", "#41702f"),
            "spring": ("#98bd6a", "#83b552", "#4f8238"),
            "autumn": ("#c0a060", "#b5903f", "#7a5a2c"),
            "winter": ("#e3eaf1", "#edf2f8", "#c9d6e4"),
        }
        far, middle, near = table[self.shot.season]
        return parse(far), parse(middle), parse(near)

    @property
    def snowy(self) -> bool:
        """True if there is snow on the ground."""
        return self.shot.season == "winter"


__all__ = ["COVER", "Band", "Ground", "Scenery", "Shot"]
