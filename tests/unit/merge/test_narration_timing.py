"""Caption times that follow the sentences of the recorded narration."""

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
START = 0.25  # seconds from the start of a scene to its narration


def synthetic_voice(*lengths: float, quiet: int = 40) -> PcmAudio:
    """Return alternating hums and pauses of the given lengths in seconds; pauses are not silent."""
    samples = array.array("h")
    for number, seconds in enumerate(lengths):
        loud = quiet if number % 2 else 9_000
        samples.extend(
            round(loud * math.sin(0.3 * n) * (0.6 + 0.4 * math.sin(0.002 * n)))
            for n in range(round(seconds * RATE))
        )
    return PcmAudio(RATE, samples.tobytes())


def cue_times(text: str, speech: PcmAudio, scene: float) -> list[tuple[float, float]]:
    merged_scene = MergedScene(1, SceneTreatment.COPIED, "", 10.0, scene, 100)
    spoken = narration_timing.fit_to_scene(speech, 10.0, 10.0 + scene)
    return [
        (cue.start - 10, cue.end - 10)
        for cue in captions.cues({1: text}, (merged_scene,), {1: spoken})
    ]


def matches(actual: Sequence[tuple[float, float]], *expected: tuple[float, float]) -> bool:
    """Compare cue times: starts match the voice; ends follow it by at most 0.26 s."""
    return len(actual) == len(expected) and all(
        abs(start - first) < 0.05 and -0.05 < end - last < 0.26
        for (start, end), (first, last) in zip(actual, expected, strict=True)
    )


def test_sentence_cue_matches_its_speech() -> None:
    """Both sentences have the same number of letters; the second is spoken twice as fast."""
    text = "The keeper writes a letter. The sky is over the sea."
    times = cue_times(text, synthetic_voice(3.0, 0.5, 1.5), 10)
    assert matches(times, (0.25, 3.25), (3.75, 5.25))


def test_leading_and_trailing_silence_is_not_speech() -> None:
    speech = synthetic_voice(0.01, 0.69, 2.0, 0.4, 2.0, 1.0)
    quiet = PcmAudio(RATE, bytes(2 * 80) + speech.samples[160:])
    assert matches(cue_times("It is a day. It is a sea.", quiet, 10), (0.95, 2.95), (3.35, 5.35))


def test_pause_at_a_comma_does_not_end_the_sentence() -> None:
    text = "In the morning, after the rain, they leave. Nobody sees them go."
    speech = synthetic_voice(1.0, 0.3, 1.0, 0.3, 0.8, 0.5, 1.6)
    assert matches(cue_times(text, speech, 10), (0.25, 3.65), (4.15, 5.75))


def test_speech_without_pauses_is_divided_by_text_length() -> None:
    first, second = cue_times("One little boat. Two little boat.", synthetic_voice(4.0), 10)
    assert first[1] == pytest.approx(2.25, abs=0.2)
    assert second[0] == pytest.approx(2.25, abs=0.2)
    assert first[1] <= second[0]


def test_cue_times_are_compressed_with_accelerated_speech() -> None:
    """Six seconds of speech in three seconds of the scene: all times are halved."""
    times = cue_times(
        "The first one goes. The second one goes.", synthetic_voice(2.5, 1.0, 2.5), 3.5
    )
    assert matches(times, (0.25, 1.5), (2.0, 3.25))


def test_cues_end_with_truncated_speech() -> None:
    spoken = narration_timing.fit_to_scene(synthetic_voice(5.0, 0.5, 5.0), 0, 1.5)
    assert spoken.is_cut_off
    merged_scene = MergedScene(1, SceneTreatment.COPIED, "", 0, 1.5, 36)
    cues = captions.cues(
        {1: "The first one goes. The second one goes."}, (merged_scene,), {1: spoken}
    )
    assert cues[-1].end <= 1.5
    assert all(cue.end > cue.start for cue in cues)


@settings(deadline=None)
@given(
    st.lists(st.floats(0.05, 1.0), min_size=1, max_size=5),
    st.text(alphabet="ab 船é.,!…-", max_size=150),
    st.floats(0.5, 12),
)
def test_cues_are_ordered_and_within_their_scene(
    lengths: list[float], text: str, scene: float
) -> None:
    times = cue_times(text, synthetic_voice(*lengths), scene)
    assert all(0 <= start < end <= scene + 1e-6 for start, end in times)
    assert all(earlier[1] <= later[0] + 1e-6 for earlier, later in itertools.pairwise(times))
    assert bool(times) == bool(text.split()) or scene < 0.6
