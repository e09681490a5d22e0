"""Stories from a text model: the JSON schema of the request and the validation of the response."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.narration import seconds_to_say, speech_seconds
from common.domain.styles import mood, style
from common.providers import StoryRequest
from common.providers.text import _story
from tests.stand_ins import openai_schema


def request(scenes: int = 2, seconds: int = 7) -> StoryRequest:
    return StoryRequest("idea", scenes, seconds, style("Sketch"), mood("Calm"), "gpt-6-luna", 1)


def draft(count: int = 2, **changes: Any) -> dict[str, Any]:
    scene_draft = {
        "description": "Tom climbs the stairs.",
        "characters": ["Tom"],
        "place": "Tower",
        "picture": "Tom half way up",
        "motion": "slow push in",
    }
    story_draft = {
        "title": "The Lighthouse Cat",
        "overview": "A cat keeps the light.",
        "characters": [{"name": "Tom", "look": "grey cat, blue scarf"}],
        "places": [{"name": "Tower", "look": "white stone"}],
        "scenes": [dict(scene_draft) for _ in range(count)],
    }
    return story_draft | changes


def scene(**changes: Any) -> dict[str, Any]:
    scene_draft: dict[str, Any] = draft(1)["scenes"][0] | changes
    return scene_draft


def parse(value: object, scenes: int = 2) -> Any:
    return _story.read(json.dumps(value), request(scenes))


def validation_errors(value: object, scenes: int = 2) -> str:
    with pytest.raises(_story.BrokenRules) as caught:
        parse(value, scenes)
    return "; ".join(caught.value.faults)


@pytest.mark.parametrize("scenes", [1, 2, 60])
def test_schema_is_valid_in_strict_mode(scenes: int) -> None:
    schema = _story.schema(scenes)
    openai_schema.check("Story", schema)
    assert schema["properties"]["scenes"]["minItems"] == scenes
    assert schema["properties"]["scenes"]["maxItems"] == scenes


def test_schema_of_a_narrated_story_adds_only_narration() -> None:
    plain, narrated = (
        _story.schema(2, narrated=is_narrated)["$defs"]["SceneDraft"]
        for is_narrated in (False, True)
    )
    openai_schema.check("Story", _story.schema(2, narrated=True))
    assert set(narrated["properties"]) - set(plain["properties"]) == {"narration"}
    assert set(narrated["required"]) - set(plain["required"]) == {"narration"}


def test_narration_longer_than_the_scene_is_shortened_with_a_warning() -> None:
    short, long = "The cat is late.", "The cat climbs the stairs to the light. " * 9
    story_draft = draft(2, scenes=[scene(narration=short), scene(narration=long)])
    story = _story.read(json.dumps(story_draft), replace(request(), narrated=True))
    narrations = [scene_result.narration or "" for scene_result in story.scenes]
    assert narrations[0] == short
    assert long.startswith(narrations[1])
    assert narrations[1].endswith("light.")
    assert story.scenes[0].warnings == ()
    (warning,) = story.scenes[1].warnings
    assert "Scene 2" in warning
    assert "The cat climbs" in warning, "the warning quotes the omitted text"
    assert seconds_to_say(narrations[1]) <= speech_seconds(7) * 1.3


def test_narrated_story_without_narration_is_rejected() -> None:
    with pytest.raises(_story.BrokenRules, match="scene 1: narration is empty"):
        _story.read(json.dumps(draft(2)), replace(request(), narrated=True))


def test_story_is_built_from_the_draft() -> None:
    story = parse(draft(3), 3)
    assert story.title == "The Lighthouse Cat"
    assert [s.number for s in story.scenes] == [1, 2, 3]
    assert [s.timestamp for s in story.scenes] == ["0:00", "0:07", "0:14"]
    assert [s.motion_prompt for s in story.scenes] == ["slow push in"] * 3


def test_image_prompts_repeat_characters_and_style() -> None:
    for scene_result in parse(draft(3), 3).scenes:
        for part in ("Tom half way up", "grey cat, blue scarf", "white stone"):
            assert part in scene_result.image_prompt
        for part in (style("Sketch").prompt, style("Sketch").lighting, mood("Calm").prompt):
            assert part in scene_result.image_prompt


@pytest.mark.parametrize("name", ["Tom", "tom ", "Old Tom"])
def test_character_matches_by_similar_name(name: str) -> None:
    story = parse(draft(1, scenes=[scene(characters=[name])]), 1)
    assert "grey cat, blue scarf" in story.scenes[0].image_prompt


def test_unknown_character_and_place_are_accepted() -> None:
    story = parse(draft(1, scenes=[scene(characters=["Zoe"], place="Beach")]), 1)
    assert "Zoe" in story.scenes[0].image_prompt
    assert "Beach" in story.scenes[0].image_prompt


def test_whitespace_is_normalized() -> None:
    story = parse(draft(1, title="  The\n Cat\t", scenes=[scene(picture="a\n\nb")]), 1)
    assert story.title == "The Cat"
    assert story.scenes[0].image_prompt.startswith("a b\n")


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (draft(1), "there are 1, not 2"),
        (draft(3), "there are 3, not 2"),
        (draft(title=""), "title is empty"),
        (draft(title=" \n "), "title is empty"),
        (draft(title="x" * 121), "title is longer than 120"),
        (draft(overview="see https://example.com"), "overview holds a web address"),
        (draft(overview="visit Example.COM now"), "overview holds a web address"),
        (draft(overview="bell \x07"), "overview holds characters that cannot be printed"),
        (draft(overview="null \x00"), "overview holds characters that cannot be printed"),
        (draft(overview="turned \u202e"), "overview holds characters that cannot be printed"),
        (draft(places=[]), "places: not between"),
        (draft(characters=[{"name": "a", "look": "b"}] * 7), "characters: more than 6"),
        (draft(scenes=[scene(), scene(motion="")]), "scene 2: motion is empty"),
        (draft(scenes=[scene(picture="x" * 1201), scene()]), "scene 1: picture is longer"),
        (draft(extra=1), "extra: not as the schema says"),
        (draft(title=7), "title: not as the schema says"),
        ({}, "title: not as the schema says"),
        ([], "the whole: not as the schema says"),
    ],
)
def test_invalid_draft_is_rejected_with_the_reason(value: object, fault: str) -> None:
    assert fault in validation_errors(value)


@pytest.mark.parametrize("text", ["", "{", '{"title": "a', "null", "Sorry."])
def test_non_json_response_is_rejected(text: str) -> None:
    with pytest.raises(_story.BrokenRules):
        _story.read(text, request())


@pytest.mark.parametrize(
    "text",
    ["Zürich", "猫は灯台を守る", "قطة تحرس\u200cالمنارة", "👩‍🚀 flies", "Mr. Fox. Net gain, Dr.No"],
)
def test_text_of_any_language_is_accepted(text: str) -> None:
    assert parse(draft(overview=text)).overview == text


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a",
        "HTTP://EXAMPLE.COM",
        "ftp://files",
        "spotify://track",
        "mailto:a@b",
        "www.kites",
        "example.com",
        "Example.Com",
        "EXAMPLE.DE",
        "x.com",
        "example.de/path",
        "youtu.be/x",
        "bit.ly/abc",
        "t.me/x",
        "foo.site",
        "a.b.example.museum",
        "kite@example.de",
        "see bücher.de/neu.",
        "10.0.0.1",
        "example.shop:8080/?a=1",
        "more at kites-4-all.studio!",
        "пример.рф/кот",
    ],
)
def test_web_addresses_are_rejected(text: str) -> None:
    assert validation_errors(draft(title=text)) == "title holds a web address"


@pytest.mark.parametrize(
    "text",
    [
        "A cat, e.g. Tom, i.e. him.",
        "3.5 metres, or 3.5m; 10.30pm",
        "In the U.S. and the U.K.",
        "The U.S./Mexico border",
        "Mr.Smith sleeps.Then he wakes.",
        "St.Paul",
        "a.k.a. the Cat",
        "Wait...what? Well..no",
        "He waits.",
        "5 p.m.",
        "Sig.ra Rossi",
        "Lehrer.innen",
        "z.B. so",
        "10 sq.ft of land",
        "and/or",
        "Chapter 1.2.3",
        "Ph.D.",
        "It ends.“",
        "Т.е. кот",
        "猫です.そして",
        "Scene: a cat",
        "ratio 16:9",
    ],
)
def test_ordinary_prose_is_not_a_web_address(text: str) -> None:
    assert parse(draft(title=text)).title == text


def test_reported_faults_are_limited_to_20() -> None:
    with pytest.raises(_story.BrokenRules) as caught:
        parse(draft(scenes=[scene(motion="", picture="", place="") for _ in range(40)]), 40)
    assert len(caught.value.faults) == 20


@given(st.text())
def test_accepted_story_can_be_stored(text: str) -> None:
    try:
        story = parse(draft(overview=text))
    except _story.BrokenRules:
        return
    assert story.overview
    assert "\x00" not in story.overview
    story.overview.encode()  # fails for a lone surrogate
