"""Captions: what is said or shown in each scene, in time, as SRT, as WebVTT, and to be drawn.

Text of a scene is data. Each of the three forms has signs that mean something to a player; they
are escaped where the form knows how, and replaced by their like where it does not.
"""

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.domain import narration
from common.domain.output import Size
from merge import font_coverage
from merge.audio import narration_timing
from merge.audio.narration_timing import TimedNarration
from merge.models import MergedScene
from merge.scene_windows import window

# As broadcasters do: two lines, each as long as an eye takes in at once.
_LINE, _LINES = 42, 2
_LEAST_SECONDS = 0.3
# After the last word a caption stays for a moment. Between two there are two dark pictures.
_READ_SECONDS, _HOLD_SECONDS, _GAP_SECONDS = 0.8, 0.25, 0.08
# Apps draw their buttons and texts over the lowest fifth of tall pictures.
_TALL = 1.5
_TALL_LETTER, _TALL_MARGIN = 0.07, 0.22
_LETTER, _MARGIN = 0.055, 0.05
_SIDE = 0.06
_LETTER_WIDTH = 0.44  # mean, of the size of a font, whose letters fill about three quarters of it
# Full-width letters take the room of two.
_WIDE = frozenset("WF")
# What players of SubRip read as tags: <i>, {\an8}, {y:i}. Other brackets are text to them.
_SRT_TAGS = (
    (re.compile(r"<([A-Za-z/!][^<>]*)>"), r"‹\1›"),
    (re.compile(r"\{((?:\\|[A-Za-z]:)[^{}]*)\}"), r"(\1)"),
)
# libass reads overrides in braces and after a backslash. A brace is escaped by a backslash, and a
# word joiner, which is never seen, parts a backslash from what follows.
_ASS = str.maketrans({"{": "\\{", "}": "\\}", "\\": "\\\u2060"})


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines of a scene that are shown from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]
    scene: int = 0


def cues(
    texts: Mapping[int, str],
    parts: Sequence[MergedScene],
    spoken: Mapping[int, TimedNarration] | None = None,
    *,
    width: int = _LINE,
) -> list[Cue]:
    """Return the captions of the scenes that are in the cut, in lines of at most `width`.

    Every sentence begins a caption; a sentence that is too long for two lines is shown in pieces.
    Where a scene's text is spoken, each piece is shown while it is heard. Otherwise the pieces
    share the scene by their letters; where scenes overlap, one gives way to the next in the middle.
    """
    made = []
    for part in parts:
        pieces = list(_pieces(" ".join(texts.get(part.scene, "").split()), width))
        start, end = window(part, parts)
        if not pieces or end - start < _LEAST_SECONDS:
            continue
        if spoken and part.scene in spoken:
            spans = _while_heard(pieces, spoken[part.scene], end)
        else:
            pieces = pieces[: max(1, int((end - start) / _LEAST_SECONDS))]
            spans = _shared(pieces, start, end)
        made += [
            Cue(*span, lines, part.scene)
            for lines, span in zip(pieces, spans, strict=True)
            if span[1] > span[0]
        ]
    return made


def _shared(
    pieces: Sequence[tuple[str, ...]], start: float, end: float
) -> list[narration_timing.Span]:
    """Share the time from `start` to `end` by the letters of the pieces."""
    whole = sum(_width(" ".join(lines)) for lines in pieces)
    spans, shown = [], 0
    for lines in pieces:
        begin = start + (end - start) * shown / whole
        shown += _width(" ".join(lines))
        spans.append((begin, start + (end - start) * shown / whole))
    return spans


def _while_heard(
    pieces: Sequence[tuple[str, ...]], spoken: TimedNarration, end: float
) -> list[narration_timing.Span]:
    """Return when the pieces are heard, each held for a moment if there is time."""
    spans = narration_timing.timed([" ".join(lines) for lines in pieces], spoken)
    held = []
    for (begin, stop), (following, _) in zip(spans, [*spans[1:], (end, end)], strict=True):
        longest = max(stop + _HOLD_SECONDS, begin + _READ_SECONDS)
        held.append((begin, min(end, max(stop, min(longest, following - _GAP_SECONDS)))))
    return held


def srt(captions: Iterable[Cue]) -> str:
    """Return SubRip text. The form knows no escapes, but players read tags in it."""
    return "\n".join(
        f"{number}\n{_time(cue.start, ',')} --> {_time(cue.end, ',')}\n"
        + "".join(f"{_without_tags(line)}\n" for line in cue.lines)
        for number, cue in enumerate(captions, 1)
    )


def _without_tags(line: str) -> str:
    for tag, text in _SRT_TAGS:
        line = tag.sub(text, line)
    return line


def vtt(captions: Iterable[Cue]) -> str:
    """Return WebVTT text."""
    return "WEBVTT\n" + "".join(
        f"\n{_time(cue.start, '.')} --> {_time(cue.end, '.')}\n"
        + "".join(f"{html.escape(line, quote=False)}\n" for line in cue.lines)
        for cue in captions
    )


def line_width(size: Size) -> int:
    """Return how many letters fit into a line that is drawn into pictures of `size`."""
    width, _ = size
    return min(_LINE, int(width * (1 - 2 * _SIDE) / (_letter(size) * _LETTER_WIDTH)))


def ass(captions: Iterable[Cue], size: Size) -> str:
    """Return what libass draws into pictures of `size`: white with a dark edge, at the foot.

    In tall pictures the letters are larger, and stand above the controls of the apps that show
    them.
    """
    width, height = size
    letter = _letter(size)
    margin = round(height * (_TALL_MARGIN if _is_tall(size) else _MARGIN))
    style = (
        f"Style: Caption,Noto Sans,{letter},&H00FFFFFF,&H00FFFFFF,&H00101010,&H80000000,-1,0,0,0,"
        f"100,100,0,0,1,{max(1.0, letter / 14):.1f},{letter / 30:.1f},2,"
        f"{round(width * _SIDE)},{round(width * _SIDE)},{margin},1"
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
        f"{font_coverage.drawable(' '.join(cue.lines)).translate(_ASS)}\n"
        for cue in captions
    )


def _is_tall(size: Size) -> bool:
    return size[1] >= _TALL * size[0]


def _letter(size: Size) -> int:
    share = _TALL_LETTER if _is_tall(size) else _LETTER
    return max(10, round(min(size) * share))


def _pieces(text: str, width: int) -> Iterator[tuple[str, ...]]:
    for sentence in narration.sentences(text):
        lines = list(_wrapped(sentence, width))
        # As even as can be: a word that is left over would be shown for a moment only.
        narrow = range(math.ceil(_width(sentence) / max(1, len(lines))), width)
        evens = (
            even for least in narrow if len(even := list(_wrapped(sentence, least))) == len(lines)
        )
        lines = next(evens, lines)
        for number in range(math.ceil(len(lines) / _LINES)):
            yield tuple(lines[number * _LINES : (number + 1) * _LINES])


def _wrapped(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in _words(text, width):
        longer = f"{line} {word}".strip()
        if line and _width(longer) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def _words(text: str, width: int) -> Iterator[str]:
    """Yield what may stand on a line of its own: scripts without spaces break anywhere."""
    for word in text.split():
        while _width(word) > width:
            cut = next((n for n in range(len(word), 1, -1) if _width(word[:n]) <= width), 1)
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
