"""The prompts: what each of them carries, and how they are made to fit."""

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


def test_the_story_is_asked_for_with_everything_that_was_wished() -> None:
    system, wish = prompts.story(request())
    for part in ("A cat keeps a lighthouse", "exactly 4", "5 seconds", "Sketch", "Calm"):
        assert part in wish
    assert style("Sketch").prompt in wish
    for part in ("fixed look", "`picture`", "`motion`", "English", "language of the user"):
        assert part in system


def test_what_users_write_is_not_looked_at_again() -> None:
    _, wish = prompts.story(request("costs $5, $scenes ${mood_name} $$ %s {scenes}"))
    assert "costs $5, $scenes ${mood_name} $$ %s {scenes}" in wish


@pytest.mark.parametrize("look", styles().values(), ids=lambda look: look.name)
@pytest.mark.parametrize("felt", moods().values(), ids=lambda felt: felt.name)
def test_each_picture_carries_characters_place_style_and_mood(look: Style, felt: Mood) -> None:
    made = prompts.scene_picture(
        "The cat waits.",
        [("Tom", "grey cat"), ("Ann", "tall")],
        ("Tower", "white stone"),
        look,
        felt,
    )
    parts = [
        "The cat waits.",
        "Tom: grey cat; Ann: tall",
        "Tower: white stone",
        look.prompt,
        look.technical,
        look.lighting,
        felt.prompt,
    ]
    places = [made.index(part) for part in parts]
    assert places == sorted(places)
    assert "$" not in made


def test_a_picture_without_characters_says_so() -> None:
    made = prompts.scene_picture("Waves.", [], ("Sea", "grey"), style("Sketch"), CALM)
    assert "none in this picture" in made


def test_pictures_sent_along_are_numbered_as_they_are_sent() -> None:
    still = EncodedImage(b"")
    both = prompts.image("P", (1280, 720), still, still)
    assert both.index("Image 1 is the user's") < both.index("Image 2 is the first")
    assert "Image 1 is the first" in prompts.image("P", (1280, 720), None, still)
    assert "Image 1" not in prompts.image("P", (1280, 720), None, None)
    assert "1280 by 720 pixels" in both


@given(st.text(max_size=4000), st.sampled_from(sorted(moods())))
def test_a_motion_prompt_fits_and_keeps_the_mood(text: str, name: str) -> None:
    feeling = moods()[name]
    made = prompts.motion(text, feeling, utf16_units=1000)
    assert len(made.encode("utf-16-le", "surrogatepass")) // 2 <= 1000
    assert feeling.motion in made


@given(st.text(), st.integers(0, 60))
def test_what_is_cut_is_a_beginning_within_the_limit(text: str, limit: int) -> None:
    kept = prompts.cut(text, limit, prompts.utf16)
    assert text.strip().startswith(kept)
    assert prompts.utf16(kept) <= limit
    if prompts.utf16(text.strip()) <= limit:
        assert kept == text.strip()


@pytest.mark.parametrize(
    ("text", "limit", "kept"),
    [
        ("one two three", 13, "one two three"),
        ("one two three", 12, "one two"),
        ("one two three", 8, "one two"),
        ("one, two", 5, "one"),
        ("一二三四五", 3, "一二三"),
        ("🎈🎈🎈", 5, "🎈🎈"),
        ("ab👩‍🚀", 5, "ab"),  # a person and a rocket that are one sign
        ("ae\u0301", 2, "a"),  # e with its accent apart
        ("word", 0, ""),
    ],
)
def test_words_and_signs_stay_whole(text: str, limit: int, kept: str) -> None:
    assert prompts.cut(text, limit, prompts.utf16) == kept


def test_the_longest_image_prompt_fits() -> None:
    made = prompts.image("cat " * 9000, (960, 960), EncodedImage(b""), EncodedImage(b""), 32_000)
    assert 31_900 < len(made) <= 32_000
    assert made.endswith("watermarks.")
