"""Which characters the bundled fonts have, read from their character maps.

The maps are those of OpenType (https://learn.microsoft.com/typography/opentype/spec/cmap), in the
formats that cover all of Unicode: 4, and 12.
"""

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
# Joiners and other signs without a shape of their own; the renderer leaves them out.
_INVISIBLE = frozenset({"Cf", "Cc", "Zl", "Zp"})


def missing_letters(text: str) -> str:
    """Return the letters and marks of the text that no font has, each once.

    A text with such letters cannot be read when it is drawn.
    """
    return "".join(c for c in _missing(text) if unicodedata.category(c)[0] in "LMN")


def missing_signs(text: str) -> str:
    """Return the other characters of the text that no font has, such as emoji, each once.

    A text can be read without them.
    """
    return "".join(c for c in _missing(text) if unicodedata.category(c)[0] not in "LMN")


def drawable(text: str) -> str:
    """Return the text without the characters that no font has, composed where possible."""
    composed = unicodedata.normalize("NFC", text)
    kept = (c for c in composed if _is_shown(c) and (c.isspace() or ord(c) in _covered()))
    return " ".join("".join(kept).split())


def _missing(text: str) -> list[str]:
    composed = dict.fromkeys(unicodedata.normalize("NFC", text))
    return [c for c in composed if _is_shown(c) and not c.isspace() and ord(c) not in _covered()]


def _is_shown(character: str) -> bool:
    # Variation selectors choose between shapes of the character before them.
    return (
        unicodedata.category(character) not in _INVISIBLE and not 0xFE00 <= ord(character) <= 0xFE0F
    )


@cache
def _covered() -> frozenset[int]:
    """Return the code points that at least one font has a glyph for."""
    fonts = (path for path in FONTS.iterdir() if path.suffix in (".ttf", ".otf"))
    return frozenset(point for path in fonts for point in _points(path.read_bytes()))


def _points(font: bytes) -> Iterator[int]:
    (count,) = struct.unpack_from(">H", font, 4)
    tables = (struct.unpack_from(">4sIII", font, 12 + 16 * number) for number in range(count))
    start = next(offset for tag, _, offset, _ in tables if tag == b"cmap")
    (count,) = struct.unpack_from(">H", font, start + 2)
    for number in range(count):
        _, _, offset = struct.unpack_from(">HHI", font, start + 4 + 8 * number)
        (form,) = struct.unpack_from(">H", font, start + offset)
        if form == 4:
            yield from _segments(font, start + offset)
        elif form == 12:
            yield from _groups(font, start + offset)


def _segments(font: bytes, start: int) -> Iterator[int]:
    """Yield the code points of a map in format 4."""
    (double,) = struct.unpack_from(">H", font, start + 6)
    at = start + 14
    # Four arrays of the same length: ends, starts, deltas, offsets into an array of glyphs.
    ends, firsts, deltas, offsets = (
        struct.unpack_from(f">{double // 2}H", font, at + number * double + 2 * (number > 0))
        for number in range(4)
    )
    at += 3 * double + 2
    for number, (first, end) in enumerate(zip(firsts, ends, strict=True)):
        for point in range(first, min(end, 0xFFFE) + 1):
            glyph = point
            if offsets[number]:
                place = at + 2 * number + offsets[number] + 2 * (point - first)
                (glyph,) = struct.unpack_from(">H", font, place)
            if glyph and (glyph + deltas[number]) & 0xFFFF:
                yield point


def _groups(font: bytes, start: int) -> Iterator[int]:
    """Yield the code points of a map in format 12."""
    (count,) = struct.unpack_from(">I", font, start + 12)
    for number in range(count):
        first, end, _ = struct.unpack_from(">III", font, start + 16 + 12 * number)
        yield from range(first, end + 1)
