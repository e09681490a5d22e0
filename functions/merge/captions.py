"""Captions: what is said or shown in each scene, in time, as SRT, as WebVTT, and to be drawn.

Text of a scene is data. Each of the three forms has signs that mean something to a player; they
are escaped where the form knows how, and replaced by their like where it does not. Touches nothing.
"""

import html
import math
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from merge.cut import Part
from merge.placing import window

# As broadcasters do: two lines, each as long as an eye takes in at once.
_LINE, _LINES = 42, 2
_LEAST_SECONDS = 0.3
# Letters of these are in the font (`merge/fonts`); others would be drawn as boxes.
_DRAWN = ("LATIN", "GREEK", "CYRILLIC", "MODIFIER", "FEMININE", "MASCULINE", "MICRO")
# Full-width letters take the room of two.
_WIDE = frozenset("WF")
_SRT = str.maketrans({"<": "‹", ">": "›", "{": "(", "}": ")"})
# libass reads overrides in braces, and breaks after a backslash.
_ASS = str.maketrans({"{": "(", "}": ")", "\\": "/"})


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines that are shown from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]


def cues(texts: Mapping[int, str], parts: Sequence[Part]) -> list[Cue]:
    """Return the captions of the scenes that are in the cut.

    Where scenes overlap, one gives way to the next in the middle of the overlap. A text that is
    too long for two lines is shown in pieces, each as long as its share of the letters.
    """
    made = []
    for part in parts:
        pieces = list(_pieces(" ".join(texts.get(part.scene, "").split())))
        start, end = window(part, parts)
        if not pieces or end - start < _LEAST_SECONDS:
            continue
        most = max(1, int((end - start) / _LEAST_SECONDS))
        pieces = pieces[:most]
        whole = sum(_width(" ".join(lines)) for lines in pieces)
        said = 0
        for lines in pieces:
            begin = start + (end - start) * said / whole
            said += _width(" ".join(lines))
            made.append(Cue(begin, start + (end - start) * said / whole, lines))
    return made


def srt(captions: Iterable[Cue]) -> str:
    """Return SubRip text. The form knows no escapes, but players read tags in it."""
    return "\n".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n"
        + "".join(f"{line.translate(_SRT)}\n" for line in cue.lines)
        for number, cue in enumerate(captions, 1)
    )


def vtt(captions: Iterable[Cue]) -> str:
    """Return WebVTT text."""
    return "WEBVTT\n" + "".join(
        f"\n{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n"
        + "".join(f"{html.escape(line, quote=False)}\n" for line in cue.lines)
        for cue in captions
    )


def ass(captions: Iterable[Cue], size: tuple[int, int]) -> str:
    """Return what libass draws into pictures of `size`: white with a dark edge, at the foot."""
    width, height = size
    letter = max(10, round(min(width, height) * 0.055))
    margin = round(height * 0.05)
    style = (
        f"Style: Caption,Noto Sans,{letter},&H00FFFFFF,&H00FFFFFF,&H00101010,&H80000000,-1,0,0,0,"
        f"100,100,0,0,1,{max(1.0, letter / 14):.1f},{letter / 30:.1f},2,"
        f"{round(width * 0.06)},{round(width * 0.06)},{margin},1"
    )
    head = (
        f"[Script Info]\nScriptType: v4.00+\nPlayResX: {width}\nPlayResY: {height}\n"
        "WrapStyle: 0\nScaledBorderAndShadow: yes\n\n[V4+ Styles]\n"
        "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, "
        "BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
        "BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
        f"{style}\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    )
    return head + "".join(
        f"Dialogue: 0,{_ass_time(cue.start)},{_ass_time(cue.end)},Caption,,0,0,0,,"
        f"{_drawable(' '.join(cue.lines))}\n"
        for cue in captions
    )


def can_be_drawn(text: str) -> bool:
    """Say whether the bundled font has every letter of the text."""
    return all(
        unicodedata.name(character, "").startswith(_DRAWN)
        for character in unicodedata.normalize("NFC", text)
        if character.isalpha()
    )


def _drawable(text: str) -> str:
    """Return the text without what libass would obey, and without pictures and joiners."""
    shown = unicodedata.normalize("NFC", text).translate(_ASS)
    return "".join(c for c in shown if unicodedata.category(c) not in {"So", "Cf", "Cc", "Mn"})


def _pieces(text: str) -> Iterator[tuple[str, ...]]:
    lines = list(_wrapped(text, _LINE))
    # As even as can be: a word that is left over would be shown for a moment only.
    narrow = range(math.ceil(_width(text) / max(1, len(lines))), _LINE)
    evens = (even for width in narrow if len(even := list(_wrapped(text, width))) == len(lines))
    lines = next(evens, lines)
    for number in range(math.ceil(len(lines) / _LINES)):
        yield tuple(lines[number * _LINES : (number + 1) * _LINES])


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in _words(text):
        longer = f"{line} {word}".strip()
        if line and _width(longer) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def _words(text: str) -> Iterator[str]:
    """Yield what may stand on a line of its own: scripts without spaces break anywhere."""
    for word in text.split():
        while _width(word) > _LINE:
            cut = next(n for n in range(len(word), 0, -1) if _width(word[:n]) <= _LINE)
            yield word[:cut]
            word = word[cut:]
        if word:
            yield word


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in _WIDE else 1 for c in text)


def _time(seconds: float, point: str) -> str:
    thousandths = round(seconds * 1000)
    whole, rest = divmod(thousandths, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{rest:03d}"


def _ass_time(seconds: float) -> str:
    hundredths = round(seconds * 100)
    whole, rest = divmod(hundredths, 100)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:02d}"
