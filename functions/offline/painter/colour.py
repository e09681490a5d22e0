"""Parsing, mixing and adjusting of colours, in OKLab for perceptually uniform results.

A colour is a tuple of red, green and blue from 0 to 1 (sRGB).
"""

import math
from functools import lru_cache

Colour = tuple[float, float, float]
Rgb = tuple[int, int, int]


@lru_cache(maxsize=4096)
def parse(text: str) -> Colour:
    """Parse `#rrggbb`; raises ValueError for other formats."""
    if len(text) != 7 or not text.startswith("#"):
        raise ValueError(f"'{text}' is not a colour like #a1b2c3.")
    return (int(text[1:3], 16) / 255, int(text[3:5], 16) / 255, int(text[5:7], 16) / 255)


def to_rgb(colour: Colour) -> Rgb:
    """Return the colour as bytes."""
    red, green, blue = (min(255, max(0, round(channel * 255))) for channel in colour)
    return (red, green, blue)


def from_rgb(rgb: Rgb) -> Colour:
    """Return bytes as a colour."""
    return (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Return a mixture that contains `share` (0 to 1) of the second colour."""
    if share <= 0:
        return first
    if share >= 1:
        return second
    a, b = _to_oklab(first), _to_oklab(second)
    return _from_oklab(
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )


def times(first: Colour, second: Colour, share: float = 1.0) -> Colour:
    """Multiply the first colour by the second, to the given degree."""
    return (
        first[0] * (1 + (second[0] - 1) * share),
        first[1] * (1 + (second[1] - 1) * share),
        first[2] * (1 + (second[2] - 1) * share),
    )


def scale(colour: Colour, factor: float) -> Colour:
    """Return the colour lighter or darker, with the same hue."""
    lightness, a, b = _to_oklab(colour)
    return _from_oklab(min(1.0, lightness * factor), a * min(factor, 1.15), b * min(factor, 1.15))


def tuned(
    colour: Colour,
    *,
    saturation: float = 1.0,
    contrast: float = 1.0,
    brightness: float = 0.0,
    warmth: float = 0.0,
) -> Colour:
    """Apply palette rules to the colour; 1, 1, 0, 0 is the identity."""
    lightness, a, b = _to_oklab(colour)
    lightness = 0.55 + (lightness - 0.55) * contrast + brightness
    a = a * saturation + 0.02 * warmth
    b = b * saturation + 0.05 * warmth
    return _from_oklab(min(1.0, max(0.0, lightness)), a, b)


def turned(colour: Colour, degrees: float) -> Colour:
    """Rotate the hue of the colour."""
    lightness, a, b = _to_oklab(colour)
    turn = math.radians(degrees)
    cos, sin = math.cos(turn), math.sin(turn)
    return _from_oklab(lightness, a * cos - b * sin, a * sin + b * cos)


def of_hue(degrees: float, lightness: float, chroma: float) -> Colour:
    """Return the colour with the given hue, lightness and chroma in OKLCH."""
    turn = math.radians(degrees)
    return _from_oklab(lightness, chroma * math.cos(turn), chroma * math.sin(turn))


def lightness_of(colour: Colour) -> float:
    """Return the perceptual lightness, 0 to 1."""
    return _to_oklab(colour)[0]


def chroma_of(colour: Colour) -> float:
    """Return the chroma: 0 is grey, 0.3 very saturated."""
    _, a, b = _to_oklab(colour)
    return math.hypot(a, b)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _gamma(value: float) -> float:
    value = min(1.0, max(0.0, value))
    return value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


@lru_cache(maxsize=4096)
def _to_oklab(colour: Colour) -> Colour:
    r, g, b = (_linear(channel) for channel in colour)
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    medium = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _from_oklab(lightness: float, a: float, b: float) -> Colour:
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        _gamma(4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short),
        _gamma(-1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short),
        _gamma(-0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short),
    )
