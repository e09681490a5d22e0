"""Entry point of the painter: from an image request to pixels and depth map."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from PIL import Image

from common.media import images
from common.providers import ImageRequest
from offline import depth_map
from offline.painter import (
    drawing,
    land,
    places_bare,
    places_beyond,
    places_home,
    places_indoor,
    places_people,
    places_water,
    places_wild,
    places_woods,
    plan,
    words,
)
from offline.painter.cast import place_cast, place_reference
from offline.painter.colour import Colour, from_rgb
from offline.painter.finish import finish
from offline.painter.light import light
from offline.painter.scenery import Ground, Scenery, Shot
from offline.painter.stage import Stage

PLACES: Mapping[str, Callable[[Scenery], Ground]] = {
    "hills": places_wild.hills,
    "mountains": places_wild.mountains,
    "forest": places_woods.forest,
    "jungle": places_woods.jungle,
    "desert": places_bare.desert,
    "snow": places_bare.snow,
    "cave": places_bare.cave,
    "sea": places_water.sea,
    "river": places_water.river,
    "underwater": places_beyond.underwater,
    "clouds": places_beyond.above_clouds,
    "space": places_beyond.space,
    "city": places_people.city,
    "village": places_people.village,
    "castle": places_people.castle,
    "garden": places_home.garden,
    "field": places_home.field,
    "room": places_indoor.room,
}

PARALLAX = (0.0, 0.04, 0.12, 0.28, 0.46, 0.7, 1.0)
"""Parallax of each band relative to the nearest one; 0 is the sky."""


def paint(request: ImageRequest) -> tuple[Image.Image, depth_map.Depth]:
    """Return the image (RGB, in the requested size) and its depth map."""
    style = drawing.drawing(request.style.drawing)
    mood = drawing.feeling(request.mood.drawing)
    known, follow = _followed(request)
    reference = images.decode(request.reference.data) if request.reference is not None else None
    fill = _palette(reference) if reference is not None else ()
    prompt = words.read(request.prompt)
    world = plan.world(prompt, request.seed, known, fill or follow)
    shot = plan.shot(prompt, world, mood, request.scene, request.scenes, request.seed)
    air = light(
        shot.time,
        drawing.rules(style, mood),
        haze=style.haze + mood.haze + (0.16 if shot.weather in ("mist", "rain", "snow") else 0.0),
        turn=world.turn + mood.turn,
        follow=plan.soft(fill or follow),
    )
    style = replace(style, mist=min(1.0, style.mist + mood.mist * 0.5))
    stage = Stage(request.size, air, style, _number(request.seed, request.scene, shot.place))
    phase = (request.scene * 0.37) % 1.0
    pose = "rest" if request.scene % 3 == 0 else "go"
    if shot.place == "space" and shot.air_subject:
        pose = "float"
    scenery = Scenery(stage, shot, world.look(phase, pose))
    scenery.main = world.cast[0]
    scenery.drawn.add(world.cast[0])
    ground = PLACES.get(shot.place, places_wild.hills)(scenery)
    if shot.weather == "mist" and shot.place not in ("space", "underwater", "room", "cave"):
        land.fog(stage, scenery.horizon + 0.1, 0.2, 0.5, stage.seed + 81)
    if reference is not None:
        place_reference(scenery, ground, reference)
    place_cast(scenery, ground, world, smaller=reference is not None)
    for draw in ground.front:
        draw()
    finish(stage)
    return stage.image, depth_map.Depth(stage.labels, facts(stage, scenery, world))


def facts(stage: Stage, scenery: Scenery, world: plan.World) -> dict[str, Any]:
    """Return the facts of the depth map: parallax, weather, lights, and the video's world."""
    unit = stage.unit
    lamps = sorted(stage.lamps, key=lambda lamp: -lamp.radius)[:24]
    return {
        "version": 1,
        "parallax": list(PARALLAX),
        "weather": scenery.shot.weather,
        "motes": _motes(stage, scenery.shot),
        "place": scenery.shot.place,
        "time": scenery.shot.time,
        "focus": [round(v, 3) for v in scenery.focus],
        "lamps": [
            [round(v.x), round(v.y), round(max(v.radius, unit * 0.01)), list(v.rgb)] for v in lamps
        ],
        "world": world.as_json(),
    }


def _motes(stage: Stage, shot: Shot) -> str | None:
    """Return the kind of motes for the style and place, or None."""
    if stage.drawing.hatch > 0 or shot.place in ("space", "city", "sea", "clouds"):
        return None
    if shot.place == "underwater":
        return "bubbles"
    if shot.time in ("night", "dusk") and shot.season != "winter":
        return "fireflies"
    return "dust" if shot.time in ("dawn", "morning", "golden", "sunset") else None


def _followed(request: ImageRequest) -> tuple[plan.World | None, tuple[Colour, ...]]:
    """Return the world in the first image, or else the palette of the reference image."""
    if request.anchor is None:
        return None, ()
    depth = depth_map.read(request.anchor.data)
    if depth is not None:
        try:
            return plan.World.from_json(depth.facts["world"]), ()
        except (KeyError, TypeError, ValueError):
            pass  # Not a world of this version: use the palette instead.
    return None, _palette(images.decode(request.anchor.data))


def _palette(image: Image.Image) -> tuple[Colour, ...]:
    small = image.resize((64, 64), Image.Resampling.BOX)
    table = small.quantize(8, method=Image.Quantize.MEDIANCUT, kmeans=2).convert("RGB")
    counted = table.getcolors(4096) or []
    colours: list[Colour] = []
    for _, rgb in sorted(counted, key=lambda item: item[0], reverse=True):
        assert isinstance(rgb, tuple)
        colours.append(from_rgb((int(rgb[0]), int(rgb[1]), int(rgb[2]))))
    return tuple(colours)


def _number(*parts: object) -> int:
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=4).digest(), "big") >> 1
