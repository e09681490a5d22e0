"""Captions with timing, as SRT and WebVTT files and as ASS to burn in.

A scene's text is untrusted. Markup characters of each format are escaped if the format has escapes,
and replaced by similar characters otherwise.
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

# The convention of broadcasters: two lines, each readable at a glance.
_MAX_LINE_WIDTH, _MAX_LINES = 42, 2
_MIN_SECONDS = 0.3
# A caption stays for a moment after its last word. Two frames without captions separate cues.
_MIN_READING_SECONDS, _HOLD_SECONDS, _GAP_SECONDS = 0.8, 0.25, 0.08
# Apps draw controls and text over the lowest fifth of tall videos.
_TALL_RATIO = 1.5
_TALL_FONT_SIZE, _TALL_MARGIN = 0.07, 0.22
_FONT_SIZE, _MARGIN = 0.055, 0.05
_SIDE_MARGIN = 0.06
_LETTER_WIDTH = 0.44  # mean, relative to the font size
# East Asian wide characters are two columns wide.
_WIDE_CATEGORIES = frozenset("WF")
# What SubRip players interpret as tags: <i>, {\an8}, {y:i}. Other brackets are plain text.
_SRT_TAGS = (
    (re.compile(r"<([A-Za-z/!][^<>]*)>"), r"‹\1›"),
    (re.compile(r"\{((?:\\|[A-Za-z]:)[^{}]*)\}"), r"(\1)"),
)
# libass interprets overrides in braces and after a backslash. A backslash escapes a brace. An
# invisible word joiner separates a backslash from the next character.
_ASS_ESCAPES = str.maketrans({"{": "\\{", "}": "\\}", "\\": "\\\u2060"})


@dataclass(frozen=True, slots=True)
class Cue:
    """A caption: lines that are shown from `start` to `end`, in seconds."""

    start: float
    end: float
    lines: tuple[str, ...]
    scene: int = 0


def cues(
    texts: Mapping[int, str],
    scenes: Sequence[MergedScene],
    narrations: Mapping[int, TimedNarration] | None = None,
    *,
    width: int = _MAX_LINE_WIDTH,
) -> list[Cue]:
    """Return the captions of all visible scenes, in lines of at most `width` columns.

    Every sentence begins a new caption, and a sentence longer than two lines is split. If a scene
    is narrated, each caption is shown while it is spoken. Otherwise the captions divide the scene's
    window in proportion to their length. In a transition, captions change in the middle.
    """
    result = []
    for scene in scenes:
        pieces = list(_pieces(" ".join(texts.get(scene.scene, "").split()), width))
        start, end = window(scene, scenes)
        if not pieces or end - start < _MIN_SECONDS:
            continue
        if narrations and scene.scene in narrations:
            spans = _speech_spans(pieces, narrations[scene.scene], end)
        else:
            pieces = pieces[: max(1, int((end - start) / _MIN_SECONDS))]
            spans = _proportional_spans(pieces, start, end)
        result += [
            Cue(*span, lines, scene.scene)
            for lines, span in zip(pieces, spans, strict=True)
            if span[1] > span[0]
        ]
    return result


def _proportional_spans(
    pieces: Sequence[tuple[str, ...]], start: float, end: float
) -> list[narration_timing.Span]:
    """Divide the time from `start` to `end` in proportion to the width of the pieces."""
    total_width = sum(_width(" ".join(lines)) for lines in pieces)
    spans, width_so_far = [], 0
    for lines in pieces:
        begin = start + (end - start) * width_so_far / total_width
        width_so_far += _width(" ".join(lines))
        spans.append((begin, start + (end - start) * width_so_far / total_width))
    return spans


def _speech_spans(
    pieces: Sequence[tuple[str, ...]], timed: TimedNarration, end: float
) -> list[narration_timing.Span]:
    """Return when each piece is spoken, extended for reading if there is time."""
    spans = narration_timing.align([" ".join(lines) for lines in pieces], timed)
    shown_spans = []
    for (begin, stop), (following, _) in zip(spans, [*spans[1:], (end, end)], strict=True):
        latest_end = max(stop + _HOLD_SECONDS, begin + _MIN_READING_SECONDS)
        shown_spans.append((begin, min(end, max(stop, min(latest_end, following - _GAP_SECONDS)))))
    return shown_spans


def srt(captions: Iterable[Cue]) -> str:
    """Return captions as SubRip, with tags replaced, because the format has no escapes."""
    return "\n".join(
        f"{number}\n{_timestamp(cue.start, ',')} --> {_timestamp(cue.end, ',')}\n"
        + "".join(f"{_without_tags(line)}\n" for line in cue.lines)
        for number, cue in enumerate(captions, 1)
    )


def _without_tags(line: str) -> str:
    for tag, text in _SRT_TAGS:
        line = tag.sub(text, line)
    return line


def vtt(captions: Iterable[Cue]) -> str:
    """Return captions as WebVTT."""
    return "WEBVTT\n" + "".join(
        f"\n{_timestamp(cue.start, '.')} --> {_timestamp(cue.end, '.')}\n"
        + "".join(f"{html.escape(line, quote=False)}\n" for line in cue.lines)
        for cue in captions
    )


def line_width(size: Size) -> int:
    """Return the columns of a line burned into frames of `size`."""
    usable_width = size[0] * (1 - 2 * _SIDE_MARGIN)
    return min(_MAX_LINE_WIDTH, int(usable_width / (_font_size(size) * _LETTER_WIDTH)))


def ass(captions: Iterable[Cue], size: Size) -> str:
    """Return captions as ASS for frames of `size`: white with a dark outline, at the bottom.

    In tall videos the font is larger and the captions are above the controls of apps.
    """
    width, height = size
    font_size = _font_size(size)
    margin = round(height * (_TALL_MARGIN if _is_tall(size) else _MARGIN))
    style = (
        f"Style: Caption,Noto Sans,{font_size},"
        "&H00FFFFFF,&H00FFFFFF,&H00101010,&H80000000,-1,0,0,0,"
        f"100,100,0,0,1,{max(1.0, font_size / 14):.1f},{font_size / 30:.1f},2,"
        f"{round(width * _SIDE_MARGIN)},{round(width * _SIDE_MARGIN)},{margin},1"
    )
    header = (
        f"[Script Info]\nScriptType: v4.00+\nPlayResX: {width}\nPlayResY: {height}\n"
        "WrapStyle: 0\nScaledBorderAndShadow: yes\n\n[V4+ Styles]\n"
        "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, "
        "BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
        "BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
        f"{style}\n\n[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
    )
    return header + "".join(
        f"Dialogue: 0,{_ass_time(cue.start)},{_ass_time(cue.end)},Caption,,0,0,0,,"
        f"{font_coverage.drawable(' '.join(cue.lines)).translate(_ASS_ESCAPES)}\n"
        for cue in captions
    )


def _is_tall(size: Size) -> bool:
    return size[1] >= _TALL_RATIO * size[0]


def _font_size(size: Size) -> int:
    fraction = _TALL_FONT_SIZE if _is_tall(size) else _FONT_SIZE
    return max(10, round(min(size) * fraction))


def _pieces(text: str, width: int) -> Iterator[tuple[str, ...]]:
    for sentence in narration.sentences(text):
        lines = list(_wrap(sentence, width))
        # Balance the lines; a single leftover word would be shown for a moment only.
        narrower = range(math.ceil(_width(sentence) / max(1, len(lines))), width)
        balanced = (
            candidate
            for limit in narrower
            if len(candidate := list(_wrap(sentence, limit))) == len(lines)
        )
        lines = next(balanced, lines)
        for number in range(math.ceil(len(lines) / _MAX_LINES)):
            yield tuple(lines[number * _MAX_LINES : (number + 1) * _MAX_LINES])


def _wrap(text: str, width: int) -> Iterator[str]:
    line = ""
    for word in _breakable_words(text, width):
        candidate = f"{line} {word}".strip()
        if line and _width(candidate) > width:
            yield line
            candidate = word
        line = candidate
    if line:
        yield line


def _breakable_words(text: str, width: int) -> Iterator[str]:
    """Yield unbreakable units; words wider than a line (scripts without spaces) are split."""
    for word in text.split():
        while _width(word) > width:
            end = next((n for n in range(len(word), 1, -1) if _width(word[:n]) <= width), 1)
            yield word[:end]
            word = word[end:]
        if word:
            yield word


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in _WIDE_CATEGORIES else 1 for c in text)


def _timestamp(seconds: float, decimal_point: str) -> str:
    thousandths = round(seconds * 1000)
    whole, rest = divmod(thousandths, 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{decimal_point}{rest:03d}"


def _ass_time(seconds: float) -> str:
    hundredths = round(seconds * 100)
    whole, rest = divmod(hundredths, 100)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:02d}"
