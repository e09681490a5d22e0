"""When each narration is heard, and which of its words when.

The sound track and the captions both take their times from here, so a caption is shown while its
words are spoken.
"""

import array
import sys
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from common.domain.narration import (
    FASTEST,
    NOTICED,
    clause_ends,
    room,
    seconds_to_say,
    sentences,
    starts_at,
)
from common.media.wav import PcmAudio

Span = tuple[float, float]
"""Start and end in seconds."""

# Transitions take time from a scene, so here the bound may be passed, but not by much.
_FASTEST = 1.5 * FASTEST
_WINDOW_SECONDS = 0.01
_LEAST_PAUSE = 0.08  # seconds; the closure of a consonant is shorter
_QUIET = 0.03  # of the loudest sample
# Of two pauses near the end of a sentence the longer one is it. What a pause may be off, in
# seconds of speech, depends on whether a sentence or only a clause should end there.
_BY_LENGTH, _LONGEST = 0.5, 0.6
_OFF_SENTENCE, _OFF_CLAUSE = 0.8, 0.25


@dataclass(frozen=True, slots=True)
class TimedNarration:
    """A narration in the video: from `start`, for `seconds`, `pace` times as fast as recorded."""

    sound: PcmAudio
    start: float
    seconds: float
    pace: float

    @property
    def is_cut_off(self) -> bool:
        """Whether its end does not fit into the scene, however fast it is spoken."""
        return self.sound.seconds / self.pace > self.seconds + _WINDOW_SECONDS

    @property
    def is_hurried(self) -> bool:
        """Whether it is noticeably faster than it was recorded."""
        return self.pace > NOTICED


def placed(sound: PcmAudio, start: float, end: float) -> TimedNarration:
    """Return how a narration is put into its scene, which is shown from `start` to `end`."""
    free = room(end - start)
    pace = min(max(1.0, sound.seconds / free), _FASTEST)
    return TimedNarration(sound, start + starts_at(), min(sound.seconds / pace, free), pace)


def timed(pieces: Sequence[str], speech: TimedNarration) -> list[Span]:
    """Return when each piece of the narration's text is spoken, in seconds of the video.

    The pauses of the recording are measured. The ends of sentences and clauses are matched to
    them, and what lies between is shared by the length of the words.
    """
    voiced = _voiced(speech.sound)
    said = list(accumulate((_length(piece) for piece in pieces), initial=0.0))
    scale = _total(voiced) / (said[-1] or 1.0)
    marks = _marks(pieces, said)
    anchors = _matched([(place * scale, off) for place, off in marks], voiced)
    known = [(0.0, 0.0), *zip((place for place, _ in marks), anchors, strict=True)]
    known.append((said[-1], _total(voiced)))
    points = [(place, at) for place, at in known if at is not None]
    places, ends = zip(*points, strict=True)

    def moment(place: float, *, ending: bool) -> float:
        number = min(max(1, bisect(places, place - 1e-9)), len(places) - 1)
        before, after = places[number - 1], places[number]
        share = (place - before) / (after - before) if after > before else 1.0
        spoken = ends[number - 1] + share * (ends[number] - ends[number - 1])
        recorded = _recorded(spoken, voiced, ending=ending)
        return speech.start + min(recorded / speech.pace, speech.seconds)

    return [
        (moment(before, ending=False), moment(after, ending=True))
        for before, after in pairwise(said)
    ]


def _length(text: str) -> float:
    """Return about how long the words of the text take, without pauses."""
    return seconds_to_say("".join(c if c.isalnum() or c.isspace() else "" for c in text)) or 0.01


def _marks(pieces: Sequence[str], said: Sequence[float]) -> list[tuple[float, float]]:
    """Return where a voice pauses in the text, and how far from there the pause may be."""
    ends = set()
    whole = " ".join(pieces)
    done = 0
    for sentence in sentences(whole):
        done = whole.index(sentence, done) + len(sentence)
        ends.add(done)
    marks = list[tuple[float, float]]()
    begin = 0
    for piece, before, after in zip(pieces, said[:-1], said[1:], strict=True):
        inner = dict.fromkeys(clause_ends(f"{piece} "), _OFF_CLAUSE)
        inner |= {end - begin: _OFF_SENTENCE for end in ends if begin < end <= begin + len(piece)}
        for end, off in sorted(inner.items()):
            marks.append((before + (after - before) * _length(piece[:end]) / _length(piece), off))
        begin += len(piece) + 1
    return [mark for mark in marks if 0 < mark[0] < said[-1] - 0.01]


def _matched(marks: Sequence[tuple[float, float]], voiced: Sequence[Span]) -> list[float | None]:
    """Return for each mark the pause that it is, as a place on the clock of voiced seconds.

    None stands for a mark without a pause. The order is kept; the sum of what pauses are off, less
    what their length speaks for them, is as small as it can be.
    """
    lengths = accumulate(end - start for start, end in voiced[:-1])
    pauses = [
        (place, min(after[0] - before[1], _LONGEST))
        for place, (before, after) in zip(lengths, pairwise(voiced), strict=True)
    ]
    # costs[n] is that of the marks so far, if at most the first n pauses are used.
    costs: list[float] = [0.0] * (len(pauses) + 1)
    chosen: list[list[tuple[int, ...]]] = [[()] * (len(pauses) + 1)]
    for place, off in marks:
        best = [costs[0] + off]
        ways: list[tuple[int, ...]] = [(*chosen[-1][0], -1)]
        for number, (at, length) in enumerate(pauses, 1):
            options = [
                (costs[number] + off, (*chosen[-1][number], -1)),
                (best[-1], ways[-1]),
                (
                    costs[number - 1] + abs(at - place) - _BY_LENGTH * length,
                    (*chosen[-1][number - 1], number - 1),
                ),
            ]
            cost, way = min(options, key=lambda option: option[0])
            best.append(cost)
            ways.append(way)
        costs, chosen = best, [ways]
    return [None if number < 0 else pauses[number][0] for number in chosen[-1][-1]]


def _voiced(sound: PcmAudio) -> list[Span]:
    """Return when something is heard in the recording; pauses lie between."""
    samples = array.array("h", sound.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    step = max(1, round(sound.rate * _WINDOW_SECONDS))
    levels = [
        max(max(part), -min(part))
        for part in (samples[place : place + step] for place in range(0, len(samples), step))
    ]
    least = max(levels, default=0) * _QUIET
    spans = list[list[float]]()
    for number, level in enumerate(levels):
        if level <= least:
            continue
        start, end = (
            number * step / sound.rate,
            min((number + 1) * step / sound.rate, sound.seconds),
        )
        if spans and start - spans[-1][1] < _LEAST_PAUSE:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    return [(start, end) for start, end in spans] or [(0.0, sound.seconds)]


def _total(voiced: Sequence[Span]) -> float:
    return sum(end - start for start, end in voiced)


def _recorded(spoken: float, voiced: Sequence[Span], *, ending: bool) -> float:
    """Return when so many seconds of speech have passed; at a pause, its start if `ending`."""
    left = spoken
    for number, (start, end) in enumerate(voiced):
        length = end - start
        is_last = number + 1 == len(voiced)
        if left < length - 1e-6 or is_last or (ending and left <= length + 1e-6):
            return min(start + left, end)
        left -= length
    return voiced[-1][1]
