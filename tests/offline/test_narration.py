"""Narrations of the offline storyteller, and its warnings about their language."""

import pytest

from common.domain.narration import seconds_to_say, speech_seconds
from common.domain.styles import mood, style
from common.domain.video import Story
from common.providers import StoryRequest
from offline.text import OfflineStoryteller

PROMPTS = {
    "English": "A lighthouse keeper writes letters to the sea",
    "Arabic": "ثعلب صغير يمشي في المدينة القديمة تحت المطر",
    "Chinese": "一只小狐狸在雨中穿过古老的城市，遇见了一位朋友",
    "Hindi": "एक छोटी लोमड़ी बारिश में पुराने शहर से गुजरती है",
}


def narrated_story(
    prompt: str, language: str | None = None, seconds: int = 5, scenes: int = 12
) -> Story:
    request = StoryRequest(
        prompt=prompt,
        scenes=scenes,
        seconds=seconds,
        style=style("Watercolor"),
        mood=mood("Calm"),
        model="storyteller-1",
        seed=3,
        narrated=True,
        language=language,
    )
    return OfflineStoryteller().write_story(request).story


@pytest.mark.parametrize(
    ("prompt", "language", "expect_warning"),
    [
        ("English", None, False),
        ("English", "en-GB", False),
        ("English", "eng", False),
        ("English", "de", True),
        ("Arabic", None, True),
        ("Chinese", None, True),
        ("Hindi", "hi", True),
        ("Hindi", "en", False),
    ],
)
def test_narration_in_another_language_than_requested_has_a_warning(
    prompt: str, language: str | None, expect_warning: bool
) -> None:
    story = narrated_story(PROMPTS[prompt], language)
    warnings = [warning for scene in story.scenes for warning in scene.warnings]
    assert len(warnings) == expect_warning
    assert all("English" in warning for warning in warnings)


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("seconds", [3, 5, 10])
def test_narration_never_ends_in_the_middle_of_a_sentence(prompt: str, seconds: int) -> None:
    for scene in narrated_story(PROMPTS[prompt], seconds=seconds).scenes:
        narration = scene.narration or ""
        assert narration.endswith((".", "!", "?", "。"))
        last_word = narration.rstrip(".!?。").split()[-1].casefold()
        assert last_word not in {"and", "the", "a", "of", "with", "or", "as", "where"}
        assert seconds_to_say(narration) <= 1.4 * speech_seconds(seconds) + 0.4
