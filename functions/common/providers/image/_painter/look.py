"""How the main character of a video looks; the same in all of its scenes."""

from dataclasses import dataclass

from common.providers.image._painter.colour import Colour, parse


@dataclass(frozen=True, slots=True)
class Look:
    """Colours and pose. `phase` is 0 to 1 within a step; `pose` is `go`, `rest` or `float`."""

    main: Colour
    accent: Colour
    light: Colour = parse("#f4ead8")
    dark: Colour = parse("#3a2f36")
    skin: Colour = parse("#e8b893")
    hair: Colour = parse("#5a3a2a")
    phase: float = 0.2
    pose: str = "go"
