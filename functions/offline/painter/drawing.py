"""The validated `[drawing]` tables of style and mood files."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from common.domain.errors import InvalidInput
from offline.painter.light import Rules


@dataclass(frozen=True, slots=True)
class Drawing:
    """The drawing parameters of a style. Shares are 0 to 1; lengths are 1/1000 of the short side.

    Palette: `saturation`, `contrast`, `brightness`, `warmth`. Air: `haze`, `mist`. Forms: `relief`
    (rounded shading), `shadow` (cast on what is behind), `rim` (light along the edges), `texture`
    (rough material), `line_width` and `line_colour` (outlines), `clouds` (`soft` or `bold`).
    Camera: `bloom`, `beams` (of sunlight), `flare` (anamorphic streak), `vignette`, `blur` (of the
    near and the far), `grain`, `grading` towards `darks` and `lights`. Medium: `paper` (its
    colour), `paper_grain`, `wash` (watercolour), `hatch` (pencil), `wobble` (unsteady hand),
    `rows` (of big pixels; 0 is off) and `colours` (size of a fixed palette; 0 is off).
    """

    saturation: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    warmth: float = 0.0
    haze: float = 0.6
    mist: float = 0.3
    relief: float = 0.0
    shadow: float = 0.0
    rim: float = 0.2
    texture: float = 0.0
    line_width: float = 0.0
    line_colour: str = "#1d1a26"
    clouds: str = "soft"
    bloom: float = 0.2
    beams: float = 0.0
    flare: float = 0.0
    vignette: float = 0.0
    blur: float = 0.0
    grain: float = 0.0
    grading: float = 0.0
    darks: str = "#0f3a44"
    lights: str = "#ffcf96"
    paper: str = "#ffffff"
    paper_grain: float = 0.0
    wash: float = 0.0
    hatch: float = 0.0
    wobble: float = 0.0
    rows: int = 0
    colours: int = 0


@dataclass(frozen=True, slots=True)
class Feeling:
    """The drawing parameters of a mood: palette rules, and preferred times of day and weathers.

    Scenes step through `times` and `weathers` unless the prompt names one. `speed` and `moves` are
    for the camera path of the clips.
    """

    saturation: float = 1.0
    contrast: float = 1.0
    brightness: float = 0.0
    warmth: float = 0.0
    haze: float = 0.0
    mist: float = 0.0
    turn: float = 0.0
    times: tuple[str, ...] = ("morning", "day", "golden", "sunset")
    weathers: tuple[str, ...] = ("clear",)
    speed: float = 1.0
    moves: tuple[str, ...] = ()


def drawing(table: Mapping[str, Any]) -> Drawing:
    """Return the `[drawing]` table of a style; raises InvalidInput for an unknown name."""
    return Drawing(**_checked(table, Drawing, "style"))


def feeling(table: Mapping[str, Any]) -> Feeling:
    """Return the `[drawing]` table of a mood; raises InvalidInput for an unknown name."""
    return Feeling(**_checked(table, Feeling, "mood"))


def rules(style: Drawing, mood: Feeling) -> Rules:
    """Return the combined palette rules of a style and a mood."""
    return Rules(
        saturation=style.saturation * mood.saturation,
        contrast=min(1.3, style.contrast * mood.contrast),
        brightness=max(-0.06, style.brightness + mood.brightness),
        warmth=style.warmth + mood.warmth,
    )


def _checked(table: Mapping[str, Any], kind: type, what: str) -> dict[str, Any]:
    known = {field.name for field in fields(kind)}
    unknown = sorted(set(table) - known)
    if unknown:
        raise InvalidInput(
            f"The [drawing] table of a {what} has no entry {', '.join(unknown)}; "
            f"it may have: {', '.join(sorted(known))}.",
            field="drawing",
            allowed=sorted(known),
        )
    return {name: tuple(v) if isinstance(v, list) else v for name, v in table.items()}
