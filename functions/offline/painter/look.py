"""The appearance of a video's main character, the same in all scenes."""

from dataclasses import dataclass

from offline.painter.colour import Colour, parse

_LIGHT, _DARK, _SKIN, _HAIR = (parse(c) for c in ("#f4ead8", "#3a2f36", "#e8b893", "#5a3a2a"))


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and pose. `phase` is 0 to 1 within a step; `pose` is `go`, `rest` or `float`."""

    main: Colour
    accent: Colour
    light: Colour = _LIGHT
    dark: Colour = _DARK
    skin: Colour = _SKIN
    hair: Colour = _HAIR
    phase: float = 0.2
    pose: str = "go"
