"""Timing of narrations in the video, and of the words within each narration.

Both the audio mix and the captions use these times, so a caption is shown while its words are
spoken.
"""

import array
import sys
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from common.domain.narration import (
    MAX_PACE,
    NOTICEABLE_PACE,
    clause_ends,
    seconds_to_say,
    sentences,
    speech_offset,
    speech_seconds,
)
from common.media.wav import PcmAudio

Span = tuple[float, float]
"""Start and end in seconds."""

# Transitions shorten scenes, so the pace may exceed FASTEST, within limits.
_MAX_PACE = 1.5 * MAX_PACE
_LEVEL_WINDOW_SECONDS = 0.01
_MIN_PAUSE_SECONDS = 0.08  # the closure of a consonant is shorter
_SILENCE_LEVEL = 0.03  # relative to the loudest sample
# Of two pauses near the end of a sentence, the longer one is preferred.
_PAUSE_LENGTH_WEIGHT, _MAX_PAUSE_SECONDS = 0.5, 0.6
# By how much a pause may differ from its estimated position, in seconds of speech.
_SENTENCE_TOLERANCE, _CLAUSE_TOLERANCE = 0.8, 0.25


@dataclass(frozen=True, slots=True)
class TimedNarration:
    """A narration in the video: its start, its duration, and its pace (1.0 is as recorded)."""

    sound: PcmAudio
    start: float
    seconds: float
    pace: float

    @property
    def is_cut_off(self) -> bool:
        """True if its end does not fit into the scene even at the highest pace."""
        return self.sound.seconds / self.pace > self.seconds + _LEVEL_WINDOW_SECONDS

    @property
    def is_hurried(self) -> bool:
        """True if it is noticeably faster than recorded."""
        return self.pace > NOTICEABLE_PACE


def fit_to_scene(sound: PcmAudio, start: float, end: float) -> TimedNarration:
    """Return the timing of a narration in a scene that lasts from `start` to `end` (s)."""
    available = speech_seconds(end - start)
    pace = min(max(1.0, sound.seconds / available), _MAX_PACE)
    return TimedNarration(
        sound, start + speech_offset(), min(sound.seconds / pace, available), pace
    )


def align(pieces: Sequence[str], narration: TimedNarration) -> list[Span]:
    """Return when each piece of the narration's text is spoken, in seconds of the video.

    Pauses in the recording are detected and matched with the ends of sentences and clauses. Times
    in between are interpolated by the estimated speaking time of the words.
    """
    voiced = _voiced_spans(narration.sound)
    text_positions = list(accumulate((_speaking_time(piece) for piece in pieces), initial=0.0))
    seconds_per_unit = _total_seconds(voiced) / (text_positions[-1] or 1.0)
    text_pauses = _text_pauses(pieces, text_positions)
    estimates = [(position * seconds_per_unit, tolerance) for position, tolerance in text_pauses]
    matches = _match_pauses(estimates, voiced)
    anchors = [(0.0, 0.0)]
    for (position, _), time in zip(text_pauses, matches, strict=True):
        if time is not None:
            anchors.append((position, time))
    anchors.append((text_positions[-1], _total_seconds(voiced)))
    positions, voiced_times = zip(*anchors, strict=True)

    def video_time(position: float, *, ending: bool) -> float:
        number = min(max(1, bisect(positions, position - 1e-9)), len(positions) - 1)
        before, after = positions[number - 1], positions[number]
        fraction = (position - before) / (after - before) if after > before else 1.0
        start, end = voiced_times[number - 1], voiced_times[number]
        voiced_seconds = start + fraction * (end - start)
        recording_time = _recording_time(voiced_seconds, voiced, ending=ending)
        return narration.start + min(recording_time / narration.pace, narration.seconds)

    return [
        (video_time(before, ending=False), video_time(after, ending=True))
        for before, after in pairwise(text_positions)
    ]


def _speaking_time(text: str) -> float:
    """Estimate the time to speak the text without pauses, in relative units."""
    return seconds_to_say("".join(c if c.isalnum() or c.isspace() else "" for c in text)) or 0.01


def _text_pauses(
    pieces: Sequence[str], text_positions: Sequence[float]
) -> list[tuple[float, float]]:
    """Return the expected pauses: position in speaking time, and tolerance in seconds."""
    sentence_ends = set()
    text = " ".join(pieces)
    offset = 0
    for sentence in sentences(text):
        offset = text.index(sentence, offset) + len(sentence)
        sentence_ends.add(offset)
    text_pauses = list[tuple[float, float]]()
    begin = 0
    for piece, before, after in zip(pieces, text_positions[:-1], text_positions[1:], strict=True):
        piece_pauses = dict.fromkeys(clause_ends(f"{piece} "), _CLAUSE_TOLERANCE)
        piece_pauses |= {
            end - begin: _SENTENCE_TOLERANCE
            for end in sentence_ends
            if begin < end <= begin + len(piece)
        }
        for end, tolerance in sorted(piece_pauses.items()):
            fraction = _speaking_time(piece[:end]) / _speaking_time(piece)
            text_pauses.append((before + (after - before) * fraction, tolerance))
        begin += len(piece) + 1
    return [pause for pause in text_pauses if 0 < pause[0] < text_positions[-1] - 0.01]


def _match_pauses(
    text_pauses: Sequence[tuple[float, float]], voiced: Sequence[Span]
) -> list[float | None]:
    """Match expected pauses with pauses of the recording, by dynamic programming.

    Return the position of each match in voiced seconds, or None without a match. Matches keep the
    order. They minimize the sum of the distances, less a bonus for the length of the pauses.
    """
    lengths = accumulate(end - start for start, end in voiced[:-1])
    pauses = [
        (position, min(after[0] - before[1], _MAX_PAUSE_SECONDS))
        for position, (before, after) in zip(lengths, pairwise(voiced), strict=True)
    ]
    # costs[n] is the lowest cost so far if only the first n pauses may be used.
    costs: list[float] = [0.0] * (len(pauses) + 1)
    choices: list[list[tuple[int, ...]]] = [[()] * (len(pauses) + 1)]
    for position, tolerance in text_pauses:
        new_costs = [costs[0] + tolerance]
        new_choices: list[tuple[int, ...]] = [(*choices[-1][0], -1)]
        for number, (time, length) in enumerate(pauses, 1):
            options = [
                (costs[number] + tolerance, (*choices[-1][number], -1)),
                (new_costs[-1], new_choices[-1]),
                (
                    costs[number - 1] + abs(time - position) - _PAUSE_LENGTH_WEIGHT * length,
                    (*choices[-1][number - 1], number - 1),
                ),
            ]
            cost, choice = min(options, key=lambda option: option[0])
            new_costs.append(cost)
            new_choices.append(choice)
        costs, choices = new_costs, [new_choices]
    return [None if number < 0 else pauses[number][0] for number in choices[-1][-1]]


def _voiced_spans(sound: PcmAudio) -> list[Span]:
    """Return the spans of the recording that are not silent; pauses lie in between."""
    samples = array.array("h", sound.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    window = max(1, round(sound.rate * _LEVEL_WINDOW_SECONDS))
    levels = [
        max(max(window_samples), -min(window_samples))
        for window_samples in (
            samples[start : start + window] for start in range(0, len(samples), window)
        )
    ]
    threshold = max(levels, default=0) * _SILENCE_LEVEL
    spans = list[list[float]]()
    for number, level in enumerate(levels):
        if level <= threshold:
            continue
        start, end = (
            number * window / sound.rate,
            min((number + 1) * window / sound.rate, sound.seconds),
        )
        if spans and start - spans[-1][1] < _MIN_PAUSE_SECONDS:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    return [(start, end) for start, end in spans] or [(0.0, sound.seconds)]


def _total_seconds(voiced: Sequence[Span]) -> float:
    return sum(end - start for start, end in voiced)


def _recording_time(voiced_seconds: float, voiced: Sequence[Span], *, ending: bool) -> float:
    """Return the time in the recording after `voiced_seconds` of speech.

    If that is at a pause, return its start if `ending`, else its end.
    """
    remaining = voiced_seconds
    for number, (start, end) in enumerate(voiced):
        length = end - start
        is_last = number + 1 == len(voiced)
        if remaining < length - 1e-6 or is_last or (ending and remaining <= length + 1e-6):
            return min(start + remaining, end)
        remaining -= length
    return voiced[-1][1]
