"""Prompts for text, image and video models, and their truncation to a vendor's limit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.styles import Mood, Style, moods, style, styles
from common.domain.styles import mood as find_mood
from common.domain.video import EncodedImage
from common.providers import StoryRequest, prompts

CALM = find_mood("Calm")


def request(prompt: str = "A cat keeps a lighthouse", scenes: int = 4) -> StoryRequest:
    return StoryRequest(prompt, scenes, 5, style("Sketch"), CALM, "gpt-6-luna", 1)


def test_story_prompt_contains_every_requested_setting() -> None:
    system, user_prompt = prompts.story(request())
    for part in ("A cat keeps a lighthouse", "exactly 4", "5 seconds", "Sketch", "Calm"):
        assert part in user_prompt
    assert style("Sketch").prompt in user_prompt
    for part in ("fixed look", "`picture`", "`motion`", "English", "language of the user"):
        assert part in system


def test_user_prompt_is_not_interpolated() -> None:
    _, user_prompt = prompts.story(request("costs $5, $scenes ${mood_name} $$ %s {scenes}"))
    assert "costs $5, $scenes ${mood_name} $$ %s {scenes}" in user_prompt


@pytest.mark.parametrize("image_style", styles().values(), ids=lambda image_style: image_style.name)
@pytest.mark.parametrize("image_mood", moods().values(), ids=lambda image_mood: image_mood.name)
def test_image_prompt_lists_characters_place_style_and_mood_in_order(
    image_style: Style, image_mood: Mood
) -> None:
    prompt = prompts.scene_image(
        "The cat waits.",
        [("Tom", "grey cat"), ("Ann", "tall")],
        ("Tower", "white stone"),
        image_style,
        image_mood,
    )
    parts = [
        "The cat waits.",
        "Tom: grey cat; Ann: tall",
        "Tower: white stone",
        image_style.prompt,
        image_style.technical,
        image_style.lighting,
        image_mood.prompt,
    ]
    offsets = [prompt.index(part) for part in parts]
    assert offsets == sorted(offsets)
    assert "$" not in prompt


def test_image_prompt_states_that_there_are_no_characters() -> None:
    prompt = prompts.scene_image("Waves.", [], ("Sea", "grey"), style("Sketch"), CALM)
    assert "none in this picture" in prompt


def test_input_images_are_numbered_in_the_order_sent() -> None:
    reference = EncodedImage(b"")
    prompt = prompts.image("P", (1280, 720), reference, reference)
    assert prompt.index("Image 1 is the user's") < prompt.index("Image 2 is the first")
    assert "Image 1 is the first" in prompts.image("P", (1280, 720), None, reference)
    assert "Image 1" not in prompts.image("P", (1280, 720), None, None)
    assert "1280 by 720 pixels" in prompt


@given(st.text(max_size=4000), st.sampled_from(sorted(moods())))
def test_motion_prompt_fits_the_limit_and_keeps_the_mood(text: str, name: str) -> None:
    mood = moods()[name]
    prompt = prompts.motion(text, mood, utf16_units=1000)
    assert len(prompt.encode("utf-16-le", "surrogatepass")) // 2 <= 1000
    assert mood.motion in prompt


@given(st.text(), st.integers(0, 60))
def test_truncated_prompt_is_a_prefix_within_the_limit(text: str, limit: int) -> None:
    result = prompts.truncate(text, limit, prompts.utf16)
    assert text.strip().startswith(result)
    assert prompts.utf16(result) <= limit
    if prompts.utf16(text.strip()) <= limit:
        assert result == text.strip()


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two"),
        ("one two three", 8, "one two"),
        ("one, two", 5, "one"),
        ("一二三四五", 3, "一二三"),
        ("🎈🎈🎈", 5, "🎈🎈"),
        ("ab👩‍🚀", 5, "ab"),  # one grapheme cluster of several code points
        ("ae\u0301", 2, "a"),  # e with a combining accent
        ("word", 0, ""),
    ],
)
def test_truncation_keeps_words_and_grapheme_clusters_whole(
    text: str, limit: int, expected: str
) -> None:
    assert prompts.truncate(text, limit, prompts.utf16) == expected


def test_longest_image_prompt_fits_the_limit() -> None:
    prompt = prompts.image("cat " * 9000, (960, 960), EncodedImage(b""), EncodedImage(b""), 32_000)
    assert 31_900 < len(prompt) <= 32_000
    assert prompt.endswith("watermarks.")
