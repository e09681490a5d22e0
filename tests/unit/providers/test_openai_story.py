"""What a text model writes: the schema that it is given, and the rules that we hold it to."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.domain.narration import room, seconds_to_say
from common.domain.styles import mood, style
from common.providers import StoryRequest
from common.providers.text import _story
from tests.stand_ins import openai_schema


def request(scenes: int = 2, seconds: int = 7) -> StoryRequest:
    return StoryRequest("idea", scenes, seconds, style("Sketch"), mood("Calm"), "gpt-6-luna", 1)


def draft(count: int = 2, **changes: Any) -> dict[str, Any]:
    one = {
        "description": "Tom climbs the stairs.",
        "characters": ["Tom"],
        "place": "Tower",
        "picture": "Tom half way up",
        "motion": "slow push in",
    }
    whole = {
        "title": "The Lighthouse Cat",
        "overview": "A cat keeps the light.",
        "characters": [{"name": "Tom", "look": "grey cat, blue scarf"}],
        "places": [{"name": "Tower", "look": "white stone"}],
        "scenes": [dict(one) for _ in range(count)],
    }
    return whole | changes


def scene(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = draft(1)["scenes"][0] | changes
    return made


def read(value: object, scenes: int = 2) -> Any:
    return _story.read(json.dumps(value), request(scenes))


def broken(value: object, scenes: int = 2) -> str:
    with pytest.raises(_story.BrokenRules) as caught:
        read(value, scenes)
    return "; ".join(caught.value.faults)


@pytest.mark.parametrize("scenes", [1, 2, 60])
def test_the_schema_is_one_that_strict_mode_takes(scenes: int) -> None:
    schema = _story.schema(scenes)
    openai_schema.check("Story", schema)
    assert schema["properties"]["scenes"]["minItems"] == scenes
    assert schema["properties"]["scenes"]["maxItems"] == scenes


def test_a_narrated_story_has_one_field_more() -> None:
    plain, narrated = (
        _story.schema(2, narrated=said)["$defs"]["SceneDraft"] for said in (False, True)
    )
    openai_schema.check("Story", _story.schema(2, narrated=True))
    assert set(narrated["properties"]) - set(plain["properties"]) == {"narration"}
    assert set(narrated["required"]) - set(plain["required"]) == {"narration"}


def test_what_is_said_is_kept_and_what_is_too_long_ends_sooner() -> None:
    short, long = "The cat is late.", "The cat climbs the stairs to the light. " * 9
    made = draft(2, scenes=[scene(narration=short), scene(narration=long)])
    story = _story.read(json.dumps(made), replace(request(), narrated=True))
    said = [one.narration or "" for one in story.scenes]
    assert said[0] == short
    assert long.startswith(said[1])
    assert said[1].endswith("light.")
    assert story.scenes[0].warnings == ()
    (warning,) = story.scenes[1].warnings
    assert "Scene 2" in warning
    assert "The cat climbs" in warning, "what was left out"
    assert seconds_to_say(said[1]) <= room(7) * 1.3


def test_a_narrated_story_without_a_word_is_sent_back() -> None:
    with pytest.raises(_story.BrokenRules, match="scene 1: narration is empty"):
        _story.read(json.dumps(draft(2)), replace(request(), narrated=True))


def test_a_story_is_made_of_the_draft() -> None:
    story = read(draft(3), 3)
    assert story.title == "The Lighthouse Cat"
    assert [s.number for s in story.scenes] == [1, 2, 3]
    assert [s.timestamp for s in story.scenes] == ["0:00", "0:07", "0:14"]
    assert [s.motion_prompt for s in story.scenes] == ["slow push in"] * 3


def test_every_picture_repeats_looks_and_style() -> None:
    for made in read(draft(3), 3).scenes:
        for part in ("Tom half way up", "grey cat, blue scarf", "white stone"):
            assert part in made.image_prompt
        for part in (style("Sketch").prompt, style("Sketch").lighting, mood("Calm").prompt):
            assert part in made.image_prompt


@pytest.mark.parametrize("name", ["Tom", "tom ", "Old Tom"])
def test_characters_are_known_by_more_than_their_exact_name(name: str) -> None:
    made = read(draft(1, scenes=[scene(characters=[name])]), 1)
    assert "grey cat, blue scarf" in made.scenes[0].image_prompt


def test_a_stranger_is_no_reason_to_pay_twice() -> None:
    made = read(draft(1, scenes=[scene(characters=["Zoe"], place="Beach")]), 1)
    assert "Zoe" in made.scenes[0].image_prompt
    assert "Beach" in made.scenes[0].image_prompt


def test_white_space_is_evened_out() -> None:
    made = read(draft(1, title="  The\n Cat\t", scenes=[scene(picture="a\n\nb")]), 1)
    assert made.title == "The Cat"
    assert made.scenes[0].image_prompt.startswith("a b\n")


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
def test_what_breaks_the_rules_is_said(value: object, fault: str) -> None:
    assert fault in broken(value)


@pytest.mark.parametrize("text", ["", "{", '{"title": "a', "null", "Sorry."])
def test_what_is_no_json_is_said(text: str) -> None:
    with pytest.raises(_story.BrokenRules):
        _story.read(text, request())


@pytest.mark.parametrize(
    "text",
    ["Zürich", "猫は灯台を守る", "قطة تحرس\u200cالمنارة", "👩‍🚀 flies", "Mr. Fox. Net gain, Dr.No"],
)
def test_every_language_is_welcome(text: str) -> None:
    assert read(draft(overview=text)).overview == text


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
def test_what_leads_somewhere_is_a_web_address(text: str) -> None:
    assert broken(draft(title=text)) == "title holds a web address"


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
def test_ordinary_prose_is_none(text: str) -> None:
    assert read(draft(title=text)).title == text


def test_faults_are_told_in_moderation() -> None:
    with pytest.raises(_story.BrokenRules) as caught:
        read(draft(scenes=[scene(motion="", picture="", place="") for _ in range(40)]), 40)
    assert len(caught.value.faults) == 20


@given(st.text())
def test_a_story_that_passes_can_be_stored_and_shown(text: str) -> None:
    try:
        made = read(draft(overview=text))
    except _story.BrokenRules:
        return
    assert made.overview
    assert "\x00" not in made.overview
    made.overview.encode()  # no half of a pair
