"""Characters covered by the bundled fonts, read from their character maps (`cmap`).

Reads the OpenType formats 4 and 12 (https://learn.microsoft.com/typography/opentype/spec/cmap),
which together cover all of Unicode.
"""

import struct
import unicodedata
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FONTS = Path(__file__).parent / "fonts"
# Joiners and other characters without a glyph, which the renderer ignores.
_INVISIBLE_CATEGORIES = frozenset({"Cf", "Cc", "Zl", "Zp"})


def missing_letters(text: str) -> str:
    """Return the letters, marks and numbers of the text that no font has, each once.

    Text drawn without them is unreadable.
    """
    return "".join(c for c in _missing(text) if unicodedata.category(c)[0] in "LMN")


def missing_signs(text: str) -> str:
    """Return the other characters of the text that no font has, such as emoji, each once.

    Text drawn without them remains readable.
    """
    return "".join(c for c in _missing(text) if unicodedata.category(c)[0] not in "LMN")


def drawable(text: str) -> str:
    """Return the text, in NFC, without the characters that no font has."""
    composed = unicodedata.normalize("NFC", text)
    covered = _covered_code_points()
    kept = (c for c in composed if _is_visible(c) and (c.isspace() or ord(c) in covered))
    return " ".join("".join(kept).split())


def _missing(text: str) -> list[str]:
    characters = dict.fromkeys(unicodedata.normalize("NFC", text))
    covered = _covered_code_points()
    return [c for c in characters if _is_visible(c) and not c.isspace() and ord(c) not in covered]


def _is_visible(character: str) -> bool:
    is_variation_selector = 0xFE00 <= ord(character) <= 0xFE0F
    return (
        unicodedata.category(character) not in _INVISIBLE_CATEGORIES and not is_variation_selector
    )


@cache
def _covered_code_points() -> frozenset[int]:
    """Return the code points for which at least one font has a glyph."""
    fonts = (path.read_bytes() for path in FONTS.iterdir() if path.suffix in (".ttf", ".otf"))
    return frozenset(code_point for font in fonts for code_point in _font_code_points(font))


def _font_code_points(font: bytes) -> Iterator[int]:
    (count,) = struct.unpack_from(">H", font, 4)
    tables = (struct.unpack_from(">4sIII", font, 12 + 16 * index) for index in range(count))
    table_start = next(offset for tag, _, offset, _ in tables if tag == b"cmap")
    (count,) = struct.unpack_from(">H", font, table_start + 2)
    for index in range(count):
        _, _, offset = struct.unpack_from(">HHI", font, table_start + 4 + 8 * index)
        (cmap_format,) = struct.unpack_from(">H", font, table_start + offset)
        if cmap_format == 4:
            yield from _format_4_code_points(font, table_start + offset)
        elif cmap_format == 12:
            yield from _format_12_code_points(font, table_start + offset)


def _format_4_code_points(font: bytes, table_start: int) -> Iterator[int]:
    """Yield the code points of a `cmap` in format 4."""
    (segment_bytes,) = struct.unpack_from(">H", font, table_start + 6)
    arrays_start = table_start + 14
    # Four arrays of equal length: end codes, start codes, deltas, and offsets of glyph ids. Two
    # bytes of padding follow the first array.
    ends, starts, deltas, offsets = (
        struct.unpack_from(
            f">{segment_bytes // 2}H", font, arrays_start + index * segment_bytes + 2 * (index > 0)
        )
        for index in range(4)
    )
    offsets_start = arrays_start + 3 * segment_bytes + 2
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for code_point in range(start, min(end, 0xFFFE) + 1):
            glyph = code_point
            if offsets[index]:
                glyph_offset = offsets_start + 2 * index + offsets[index]
                glyph_offset += 2 * (code_point - start)
                (glyph,) = struct.unpack_from(">H", font, glyph_offset)
            if glyph and (glyph + deltas[index]) & 0xFFFF:
                yield code_point


def _format_12_code_points(font: bytes, table_start: int) -> Iterator[int]:
    """Yield the code points of a `cmap` in format 12."""
    (count,) = struct.unpack_from(">I", font, table_start + 12)
    for index in range(count):
        start, end, _ = struct.unpack_from(">III", font, table_start + 16 + 12 * index)
        yield from range(start, end + 1)
