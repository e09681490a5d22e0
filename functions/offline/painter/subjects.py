"""The subjects that can be the main character: drawing function, height and habitat."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from offline.painter import (
    aircraft,
    animals,
    buildings,
    creatures,
    fabled,
    landmarks,
    machines,
    people,
    swimmers,
    trees,
    vehicles,
)
from offline.painter.light import Light
from offline.painter.look import Look
from offline.painter.pen import Pen

Draw = Callable[[Pen, Look, Light, random.Random], None]


@dataclass(frozen=True, slots=True)
class Subject:
    """A drawable subject. `tall` is relative to an adult; `home` is ground, air, water or rails."""

    draw: Draw
    tall: float = 1.0
    home: str = "ground"
    colour: str = "#c9633a"
    alive: bool = True


def _simple(draw: Callable[[Pen, Look], None]) -> Draw:
    return lambda pen, look, _light, _rng: draw(pen, look)


def _animal(kind: str) -> Draw:
    return lambda pen, look, _light, _rng: animals.animal(pen, look, kind)


def _campsite(pen: Pen, look: Look, light: Light, _rng: random.Random) -> None:
    buildings.tent(pen, look, light)
    buildings.campfire(pen.at(-0.85, -0.02, 0.4))


SUBJECTS: dict[str, Subject] = {
    "child": Subject(_simple(people.child), 0.74, colour="#e9b63a"),
    "adult": Subject(_simple(people.adult), 1.0, colour="#4f6285"),
    "elder": Subject(_simple(people.elder), 0.94, colour="#75604c"),
    "woman": Subject(_simple(people.woman), 0.98, colour="#b0475c"),
    "robot": Subject(_simple(machines.robot), 0.86, colour="#8fb3c4"),
    "astronaut": Subject(_simple(machines.astronaut), 1.0, colour="#e8e8ee"),
    "cat": Subject(_animal("cat"), 0.56, colour="#d98a3d"),
    "dog": Subject(_animal("dog"), 0.62, colour="#b98556"),
    "fox": Subject(_animal("fox"), 0.62, colour="#d9642b"),
    "wolf": Subject(_animal("wolf"), 0.78, colour="#7d838c"),
    "bear": Subject(_animal("bear"), 0.95, colour="#7a553b"),
    "lion": Subject(_animal("lion"), 0.9, colour="#d9a552"),
    "tiger": Subject(_animal("tiger"), 0.88, colour="#e08a35"),
    "horse": Subject(_animal("horse"), 1.12, colour="#8a5a3c"),
    "unicorn": Subject(_animal("unicorn"), 1.15, colour="#f2eef4"),
    "deer": Subject(_animal("deer"), 1.0, colour="#b37b4c"),
    "sheep": Subject(_animal("sheep"), 0.66, colour="#efe9dd"),
    "cow": Subject(_animal("cow"), 0.95, colour="#f0ebe2"),
    "elephant": Subject(_animal("elephant"), 1.35, colour="#8f959d"),
    "mouse": Subject(_animal("mouse"), 0.42, colour="#9a938f"),
    "pig": Subject(_animal("pig"), 0.62, colour="#eaa9a4"),
    "rabbit": Subject(_animal("rabbit"), 0.56, colour="#c9b49a"),
    "bird": Subject(_simple(creatures.bird), 0.5, "air", "#4f7fc0"),
    "owl": Subject(_simple(creatures.owl), 0.44, "air", "#8a6a4c"),
    "penguin": Subject(_simple(creatures.penguin), 0.64, colour="#3a4a6a"),
    "butterfly": Subject(_simple(creatures.butterfly), 0.42, "air", "#e98a3a"),
    "dragon": Subject(_simple(fabled.dragon), 0.86, "air", "#4d8a5a"),
    "fish": Subject(_simple(swimmers.fish), 0.5, "deep", "#f08a3a"),
    "whale": Subject(_simple(swimmers.whale), 0.86, "deep", "#4a6f9a"),
    "dolphin": Subject(_simple(swimmers.dolphin), 0.66, "deep", "#6f93b0"),
    "turtle": Subject(_simple(swimmers.turtle), 0.52, "deep", "#6f9a5a"),
    "octopus": Subject(_simple(swimmers.octopus), 0.7, "deep", "#c9546f"),
    "ghost": Subject(_simple(fabled.ghost), 0.7, "air", "#f3f6ff"),
    "boat": Subject(_simple(vehicles.sailboat), 1.05, "water", "#3f6a8f", alive=False),
    "ship": Subject(_simple(vehicles.ship), 0.95, "water", "#3a4a6a", alive=False),
    "train": Subject(_simple(vehicles.train), 0.72, "rails", "#3f5a4a", alive=False),
    "car": Subject(_simple(vehicles.car), 0.56, "ground", "#d9543f", alive=False),
    "bicycle": Subject(_simple(vehicles.bicycle), 0.95, "ground", "#4a7fd0"),
    "balloon": Subject(_simple(aircraft.balloon), 1.4, "air", "#e0533f", alive=False),
    "airplane": Subject(_simple(aircraft.airplane), 0.62, "air", "#e05a3f", alive=False),
    "rocket": Subject(_simple(aircraft.rocket), 1.25, "air", "#d9483b", alive=False),
    "saucer": Subject(_simple(aircraft.saucer), 0.6, "air", "#7a8a9a", alive=False),
    "submarine": Subject(_simple(vehicles.submarine), 0.6, "deep", "#e9b63a", alive=False),
    "kite": Subject(_simple(aircraft.kite), 0.7, "air", "#e0533f", alive=False),
    "lighthouse": Subject(
        lambda pen, look, light, _rng: landmarks.lighthouse(pen, look, light), 2.1, alive=False
    ),
    "windmill": Subject(
        lambda pen, look, _light, rng: landmarks.windmill(pen, look, rng.random()), 1.8, alive=False
    ),
    "tent": Subject(_campsite, 0.7, colour="#d98a3a", alive=False),
    "snowman": Subject(_simple(buildings.snowman), 0.85, alive=False),
    "tree": Subject(
        lambda pen, look, _light, rng: trees.broadleaf(pen, rng, look.light), 2.0, alive=False
    ),
}

BY_PLACE: dict[str, tuple[str, ...]] = {
    "sea": ("boat", "child", "lighthouse", "dolphin"),
    "underwater": ("turtle", "fish", "submarine", "whale"),
    "space": ("astronaut", "rocket", "robot"),
    "clouds": ("balloon", "airplane", "bird", "dragon"),
    "desert": ("adult", "balloon", "fox"),
    "snow": ("fox", "child", "deer", "snowman"),
    "forest": ("deer", "fox", "child", "owl"),
    "jungle": ("tiger", "bird", "elephant"),
    "city": ("bicycle", "woman", "car", "cat"),
    "room": ("cat", "child", "robot", "elder"),
    "river": ("boat", "deer", "child"),
    "mountains": ("adult", "balloon", "train", "deer"),
    "cave": ("adult", "robot", "dragon"),
}
"""Default subjects by place, for prompts that name none; other places use `ANYWHERE`."""

ANYWHERE = ("child", "adult", "balloon", "fox", "bicycle")
