"""Planning of an image: the world of the video and the shot of the scene."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from offline.painter.colour import Colour, chroma_of, lightness_of, mix, of_hue, parse, to_rgb
from offline.painter.drawing import Feeling
from offline.painter.look import Look
from offline.painter.scenery import Shot
from offline.painter.subjects import ANYWHERE, BY_PLACE, SUBJECTS
from offline.painter.words import Prompt

_PLACES = ("hills", "mountains", "forest", "sea", "village", "garden", "river", "field", "city")
_HOME = {"water": "sea", "deep": "underwater", "rails": "mountains"}
_PLACE_OF = {
    "whale": "sea",
    "dolphin": "sea",
    "rocket": "space",
    "astronaut": "space",
    "saucer": "field",
    "dragon": "castle",
    "unicorn": "forest",
    "penguin": "snow",
    "snowman": "snow",
    "lighthouse": "sea",
    "windmill": "field",
    "lion": "field",
    "elephant": "jungle",
    "tiger": "jungle",
    "ghost": "castle",
    "car": "city",
    "balloon": "hills",
    "airplane": "clouds",
    "tent": "mountains",
    "cow": "field",
    "sheep": "hills",
}
_WITH_WATER = frozenset({"sea", "river", "city", "underwater", "clouds", "space"})
_LANDMARKS = frozenset({"lighthouse", "windmill", "tree", "tent", "snowman"})
_FRAMINGS = ("wide", "medium", "close", "high", "medium", "low", "medium", "wide", "close")


@dataclass(frozen=True, slots=True)
class World:
    """The properties that all scenes of a video share, stored in the first image."""

    seed: int
    place: str
    season: str
    cast: tuple[str, ...]
    main: str
    accent: str
    hair: str
    skin: str
    turn: float

    def as_json(self) -> dict[str, Any]:
        """Return the world as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "World":
        """Parse the output of `as_json`; raises ValueError, KeyError or TypeError."""
        cast = tuple(name for name in data["cast"] if name in SUBJECTS)
        if not cast:
            raise ValueError("the world has no known subject")
        for name in ("main", "accent", "hair", "skin"):
            parse(data[name])
        return cls(
            seed=int(data["seed"]),
            place=str(data["place"]),
            season=str(data["season"]),
            cast=cast,
            main=data["main"],
            accent=data["accent"],
            hair=data["hair"],
            skin=data["skin"],
            turn=float(data["turn"]),
        )

    def look(self, phase: float, pose: str) -> Look:
        """Return the main character's look in a scene."""
        return Look(
            main=parse(self.main),
            accent=parse(self.accent),
            hair=parse(self.hair),
            skin=parse(self.skin),
            phase=phase,
            pose=pose,
        )


def world(prompt: Prompt, seed: int, known: World | None, colours: tuple[Colour, ...]) -> World:
    """Return the world of a video.

    Values come from the prompt, or else from the first scene, or else from the seed. `colours` are
    those of a reference image; the most saturated one becomes the accent colour.
    """
    rng = random.Random(f"world {seed}")
    cast = _cast(prompt)
    place = prompt.first("places") or (known.place if known else None)
    if not cast and known:
        cast = known.cast
    if place is None and cast:
        place = _PLACE_OF.get(cast[0]) or _HOME.get(SUBJECTS[cast[0]].home)
    if place is None:
        place = rng.choice(_PLACES)
    if not cast:
        cast = (rng.choice(BY_PLACE.get(place, ANYWHERE)),)
    if known is not None:
        return World(**{**asdict(known), "place": place, "cast": cast})
    season = prompt.first("seasons") or (
        "winter"
        if "snow" in (place, *prompt.all("places"), *prompt.all("weathers"))
        else rng.choice(("summer", "summer", "spring", "autumn"))
    )
    main = prompt.colour_of(cast[0]) or SUBJECTS[cast[0]].colour
    accent = _accent(rng, parse(main), prompt, colours)
    return World(
        seed=rng.randrange(1 << 30),
        place=place,
        season=season,
        cast=cast,
        main=main,
        accent=_hex(accent),
        hair=rng.choice(("#3a2a24", "#5a3a2a", "#8a5a34", "#c98f4a", "#2a2430", "#a8492e")),
        skin=rng.choice(("#f0c8a8", "#e0ac84", "#c68a62", "#9a6444", "#70462f")),
        turn=rng.uniform(-9, 9),
    )


def _cast(prompt: Prompt) -> tuple[str, ...]:
    in_story = [hit.name for hit in prompt.story if hit.kind == "subjects"]
    names = list(dict.fromkeys([*in_story, *prompt.all("subjects")]))
    names.sort(key=lambda name: name in _LANDMARKS)  # stable sort: people and animals first
    return tuple(names[:3])


def _accent(
    rng: random.Random, main: Colour, prompt: Prompt, colours: tuple[Colour, ...]
) -> Colour:
    if colours:
        best = max(colours, key=chroma_of)
        if chroma_of(best) > 0.05:
            return best
    named = [name for name in prompt.all("colours") if _hex(main) != name]
    if named:
        return parse(named[0])
    choices = [of_hue(hue, 0.64, 0.17) for hue in (25, 45, 70, 150, 215, 255, 300, 350)]
    rng.shuffle(choices)
    for choice in choices:
        if sum((a - b) ** 2 for a, b in zip(choice, main, strict=True)) > 0.12:
            return choice
    return choices[0]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*to_rgb(colour))


def shot(prompt: Prompt, home: World, mood: Feeling, scene: int, scenes: int, seed: int) -> Shot:
    """Return the shot of a scene: place, time of day, weather, framing and positions."""
    rng = random.Random(f"shot {seed} {scene}")
    progress = (scene - 1) / max(1, scenes - 1) if scenes > 1 else 0.0
    place = _now(prompt, "places", progress) or home.place
    swims = SUBJECTS[home.cast[0]].home
    if swims == "water" and place not in _WITH_WATER:
        place = "river"
    time = (
        _now(prompt, "times", progress)
        or mood.times[min(len(mood.times) - 1, int(progress * len(mood.times)))]
    )
    weather = _now(prompt, "weathers", progress) or mood.weathers[(scene - 1) % len(mood.weathers)]
    season = prompt.first("seasons") or home.season
    if place == "snow":
        season = "winter"
    if weather in ("rain", "snow"):
        weather = "snow" if season == "winter" else weather
        time = {"day": "overcast", "morning": "overcast", "golden": "overcast"}.get(time, time)
    if place in ("space", "underwater"):
        time = place
    framing = _now(prompt, "framings", progress)
    if framing is None:
        framing = _FRAMINGS[(scene - 1) % len(_FRAMINGS)]
        if scene == scenes:
            framing = "wide"
    left = (scene + home.seed) % 2 == 0
    subject_x = (0.33 if left else 0.67) + rng.uniform(-0.05, 0.05)
    return Shot(
        place=place,
        time=time,
        weather=weather,
        season=season,
        framing=framing,
        variant=scene - 1,
        world_seed=home.seed,
        sun_x=min(0.92, max(0.08, 1 - subject_x + rng.uniform(-0.16, 0.16))),
        subject_x=subject_x,
        faces_left=not left,
        wet_subject=swims in ("water", "deep") and place in ("sea", "river", "city"),
        air_subject=swims == "air" or (home.cast[0] == "astronaut" and scene % 2 == 0),
    )


def _now(prompt: Prompt, kind: str, progress: float) -> str | None:
    """Return the word for a scene: its own, or else the story's word at the same progress."""
    fill = [hit.name for hit in prompt.scene if hit.kind == kind]
    if fill:
        return fill[0]
    mentioned: list[str] = []
    last = -9
    for hit in prompt.story:
        if hit.kind == kind:
            if hit.name not in mentioned and hit.position - last > 1:  # "snowy forest" is one place
                mentioned.append(hit.name)
            last = hit.position
    return mentioned[min(len(mentioned) - 1, int(progress * len(mentioned)))] if mentioned else None


def soft(colours: tuple[Colour, ...]) -> tuple[Colour, ...]:
    """Return colours that can tint a sky: not black, white or highly saturated."""
    return tuple(
        mix(colour, (0.5, 0.5, 0.5), 0.15)
        for colour in colours
        if 0.18 < lightness_of(colour) < 0.97
    )
