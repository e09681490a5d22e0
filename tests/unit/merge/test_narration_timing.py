"""Captions are shown while their words are heard: times measured in the recording."""

import array
import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.media.wav import PcmAudio
from merge import captions
from merge.audio import narration_timing
from merge.models import MergedScene, SceneTreatment

RATE = 8_000
START = 0.25  # a narration begins so long after its scene


def voice(*lengths: float, quiet: int = 40) -> PcmAudio:
    """A hum and a pause in turns, of so many seconds each; a pause is not quite silent."""
    samples = array.array("h")
    for number, seconds in enumerate(lengths):
        loud = quiet if number % 2 else 9_000
        samples.extend(
            round(loud * math.sin(0.3 * n) * (0.6 + 0.4 * math.sin(0.002 * n)))
            for n in range(round(seconds * RATE))
        )
    return PcmAudio(RATE, samples.tobytes())


def shown(text: str, sound: PcmAudio, scene: float) -> list[tuple[float, float]]:
    part = MergedScene(1, SceneTreatment.COPIED, "", 10.0, scene, 100)
    spoken = narration_timing.placed(sound, 10.0, 10.0 + scene)
    return [
        (cue.start - 10, cue.end - 10) for cue in captions.cues({1: text}, (part,), {1: spoken})
    ]


def near(found: Sequence[tuple[float, float]], *wanted: tuple[float, float]) -> bool:
    """Starts are those of the voice; ends follow it by at most a quarter of a second."""
    return len(found) == len(wanted) and all(
        abs(start - first) < 0.05 and -0.05 < end - last < 0.26
        for (start, end), (first, last) in zip(found, wanted, strict=True)
    )


def test_each_sentence_is_shown_while_it_is_heard() -> None:
    """The second is as long as the first in letters, and half as long as spoken."""
    text = "The keeper writes a letter. The sky is over the sea."
    found = shown(text, voice(3.0, 0.5, 1.5), 10)
    assert near(found, (0.25, 3.25), (3.75, 5.25))


def test_silence_before_and_after_the_words_is_no_speech() -> None:
    sound = voice(0.01, 0.69, 2.0, 0.4, 2.0, 1.0)
    quiet = PcmAudio(RATE, bytes(2 * 80) + sound.samples[160:])
    assert near(shown("It is a day. It is a sea.", quiet, 10), (0.95, 2.95), (3.35, 5.35))


def test_a_pause_at_a_comma_is_not_taken_for_the_end_of_the_sentence() -> None:
    text = "In the morning, after the rain, they leave. Nobody sees them go."
    sound = voice(1.0, 0.3, 1.0, 0.3, 0.8, 0.5, 1.6)
    assert near(shown(text, sound, 10), (0.25, 3.65), (4.15, 5.75))


def test_a_voice_that_does_not_pause_is_shared_by_the_length_of_the_words() -> None:
    one, two = shown("One little boat. Two little boat.", voice(4.0), 10)
    assert one[1] == pytest.approx(2.25, abs=0.2)
    assert two[0] == pytest.approx(2.25, abs=0.2)
    assert one[1] <= two[0]


def test_captions_of_hurried_speech_are_hurried_too() -> None:
    """Six seconds in a scene with three for them: all times are half."""
    found = shown("The first one goes. The second one goes.", voice(2.5, 1.0, 2.5), 3.5)
    assert near(found, (0.25, 1.5), (2.0, 3.25))


def test_what_is_cut_off_is_not_shown() -> None:
    spoken = narration_timing.placed(voice(5.0, 0.5, 5.0), 0, 1.5)
    assert spoken.is_cut_off
    part = MergedScene(1, SceneTreatment.COPIED, "", 0, 1.5, 36)
    made = captions.cues({1: "The first one goes. The second one goes."}, (part,), {1: spoken})
    assert made[-1].end <= 1.5
    assert all(cue.end > cue.start for cue in made)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.05, 1.0), min_size=1, max_size=5),
    st.text(alphabet="ab 船é.,!…-", max_size=150),
    st.floats(0.5, 12),
)
def test_captions_are_in_order_and_within_their_scene(
    lengths: list[float], text: str, scene: float
) -> None:
    found = shown(text, voice(*lengths), scene)
    assert all(0 <= start < end <= scene + 1e-6 for start, end in found)
    assert all(one[1] <= other[0] + 1e-6 for one, other in itertools.pairwise(found))
    assert bool(found) == bool(text.split()) or scene < 0.6
