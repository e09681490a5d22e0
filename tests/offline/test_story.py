"""The offline storyteller: deterministic stories for any prompt in any language."""

import itertools
import string
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.domain.video import MAX_SCENES
from offline import storyteller
from offline.painter import words
from offline.storyteller.arc import act_of, clipped
from offline.storyteller.phrases import pick
from tests.offline.providers import FOX, story

PROMPTS = [
    FOX,
    "Make me a short video about a small robot who discovers a hidden garden in the city",
    "Sunset over the mountains",
    "一只猫在月光下的城市里散步",
    "Ein kleiner Drache lernt im Wald fliegen",
    "الثعلب الصغير يبحث عن صديقه",
    "🚀🚀🚀",
    "a",
    "x" * 4000,
    "word " * 800,
    "{hero} %s $place \\ \x07 <b>",
]


@pytest.mark.parametrize("scenes", [1, 2, 3, 6, 12, MAX_SCENES])
def test_story_has_exactly_the_requested_scenes(scenes: int) -> None:
    result = story(scenes=scenes)
    assert [scene.number for scene in result.scenes] == list(range(1, scenes + 1))
    assert [scene.start_seconds for scene in result.scenes] == [5 * i for i in range(scenes)]


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: p[:20])
def test_any_prompt_yields_a_complete_story(prompt: str) -> None:
    result = story(prompt)
    assert result.title.strip()
    assert result.overview.strip()
    for scene in result.scenes:
        assert scene.description.strip()
        assert len(scene.motion_prompt.encode("utf-16-le")) // 2 <= 1000
        assert len(scene.image_prompt) <= 4000 + 1500


@settings(max_examples=60, deadline=None)
@given(st.text(min_size=1, max_size=200), st.integers(1, 8), st.integers(0, 2**31))
def test_arbitrary_text_yields_a_story(prompt: str, scenes: int, seed: int) -> None:
    assert len(story(prompt, scenes, seed=seed).scenes) == scenes


def test_story_is_deterministic() -> None:
    assert story() == story()
    assert story() != story(seed=8)
    assert story() != story("A blue whale crosses a snowy forest to find her friend")


def test_image_prompts_keep_characters_place_and_style() -> None:
    for scene in story(scenes=12).scenes:
        assert FOX in scene.image_prompt
        assert scene.image_prompt.startswith("STYLE: Loose watercolor")
        assert "SCENE: " in scene.image_prompt
        assert "red fox" in scene.description or "snowy forest" in scene.description


def test_prompt_in_another_script_keeps_its_text() -> None:
    prompt = "一只猫在月光下的城市里散步"
    result = story(prompt)
    assert result.title == prompt
    assert prompt in result.overview
    assert all(prompt in scene.image_prompt for scene in result.scenes)


@pytest.mark.parametrize("scenes", [6, 12])
def test_story_repeats_no_sentence(scenes: int) -> None:
    for seed in range(12):
        all_scenes = story(scenes=scenes, seed=seed).scenes
        sentences = [scene.description.split(". ")[1] for scene in all_scenes]
        assert len(set(sentences)) == scenes


def test_longest_story_has_no_repeated_scene() -> None:
    all_scenes = story(scenes=MAX_SCENES).scenes
    assert len({scene.description for scene in all_scenes}) == MAX_SCENES
    assert len({scene.image_prompt for scene in all_scenes}) == MAX_SCENES


def test_acts_are_in_order() -> None:
    order = ["opening", "development", "turn", "resolution"]
    for scenes in range(1, MAX_SCENES + 1):
        acts = [order.index(act_of(number, scenes)) for number in range(1, scenes + 1)]
        assert acts == sorted(acts)
        assert acts[0] == 0
        assert scenes == 1 or acts[-1] == 3
    assert {act_of(number, 6) for number in range(1, 7)} == set(order)


@pytest.mark.parametrize(
    ("prompt", "hero", "friend", "places", "goal"),
    [
        (FOX, "the red fox", None, ["the snowy forest"], "her friend"),
        (
            "A lighthouse keeper and his dog by the sea",
            "the lighthouse keeper",
            "his dog",
            ["the sea"],
            None,
        ),
        (
            "Please make a video about a small robot who discovers a hidden garden in the city",
            "the small robot",
            None,
            ["the city"],
            "the hidden garden",
        ),
        (
            "A paper boat sails from a village down the river to the sea",
            "the paper boat",
            None,
            ["the village", "the river", "the sea"],
            None,
        ),
        ("Two children fly kites", "the two children", None, [], "kites"),
        ("A girl named Mira builds wings", "the girl named Mira", None, [], "wings"),
        ("A robot travels by train", "the robot", None, [], None),
        ("Sunset over the mountains", None, None, ["the mountains"], None),
    ],
)
def test_characters_and_places_come_from_the_prompt(
    prompt: str, hero: str | None, friend: str | None, places: list[str], goal: str | None
) -> None:
    parts = pick(prompt)
    names = [part.definite if part else None for part in (parts.hero, parts.friend, parts.goal)]
    assert names == [hero, friend, goal]
    assert [place.definite for place in parts.places] == places


def test_places_appear_in_the_order_of_the_prompt() -> None:
    all_scenes = story("A paper boat sails from a village down the river to the sea", 9).scenes
    places = ("village", "river", "sea")
    mentioned = [name for s in all_scenes for name in places if f"the {name}" in s.description]
    assert [name for name, _ in itertools.groupby(mentioned)] == ["village", "river", "sea"]


def test_time_of_day_of_the_mood_is_used_only_if_the_prompt_has_none() -> None:
    assert "at dawn" in story(feeling="Calm").scenes[0].description
    night = story("A red fox crosses a forest at night").scenes
    assert not any("dawn" in scene.description for scene in night)


def test_motion_prompt_is_truncated_to_the_limit() -> None:
    for text in ("word " * 400, "🚀" * 700, "x" * 2000):
        shortened = clipped(text, 1000)
        assert len(shortened.encode("utf-16-le")) // 2 <= 1000
        assert shortened.encode("utf-8")
    assert clipped("short", 1000) == "short"


def test_sentence_templates_name_no_place_and_no_subject() -> None:
    """Otherwise the painter would draw subjects that the client never requested."""
    path = Path(storyteller.__file__).with_name("arc.toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    for act in ("opening", "development", "turn", "resolution", "details"):
        for sentence in itertools.chain.from_iterable(table[act].values()):
            fields = [name for _, name, _, _ in string.Formatter().parse(sentence) if name]
            plain = sentence.format(**dict.fromkeys(fields, "it"))
            kinds = {hit.kind for hit in words.find(plain)}
            assert not kinds & {"places", "subjects", "times", "seasons", "colours"}, sentence
