"""What every text provider promises, whoever it is; each is reached over its stand-in.

A new provider is picked up by its file. It needs an entry in `DOORS` here that opens it, with a
stand-in behind it where it speaks to somebody.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from common.domain import models, narration
from common.domain.styles import mood, style
from common.providers import StoryRequest, TextProvider, names, text_provider
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.support import vendors

Door = Callable[[pytest.FixtureRequest], TextProvider]


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


def _openai(request: pytest.FixtureRequest) -> TextProvider:
    vendor: StandIn = request.getfixturevalue("openai_stand_in")
    vendor.clear()
    return text_provider("openai", vendors.context(openai=vendor))


DOORS: dict[str, Door] = {
    "offline": lambda _request: text_provider("offline", vendors.context()),
    "openai": _openai,
}


@pytest.fixture(params=names("text"))
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if found not in DOORS:
        pytest.fail(f"No way to reach the text provider '{found}': add it to DOORS in {__file__}.")
    return found


@pytest.fixture
def writer(name: str, request: pytest.FixtureRequest) -> TextProvider:
    return DOORS[name](request)


def wish(name: str, scenes: int, prompt: str = "A red fox crosses a snowy forest") -> StoryRequest:
    return StoryRequest(
        prompt=prompt,
        scenes=scenes,
        seconds=5,
        style=style("Watercolor"),
        mood=mood("Calm"),
        model=models.find("text", name).model,
        seed=7,
    )


@pytest.mark.parametrize("scenes", [1, 3, 12, 60])
def test_a_story_has_exactly_the_wished_scenes(
    scenes: int, name: str, writer: TextProvider
) -> None:
    told = writer.write_story(wish(name, scenes)).story.scenes
    assert [scene.number for scene in told] == list(range(1, scenes + 1))
    assert [scene.start_seconds for scene in told] == [5 * i for i in range(scenes)]


def test_every_text_is_there_and_within_the_limits(name: str, writer: TextProvider) -> None:
    story = writer.write_story(wish(name, 6)).story
    assert story.title.strip()
    assert story.overview.strip()
    for scene in story.scenes:
        assert scene.description.strip()
        assert 0 < len(scene.image_prompt) <= 32_000
        assert 0 < len(scene.motion_prompt.encode("utf-16-le")) // 2 <= 1000


@pytest.mark.parametrize("seconds", [2, 5, 10])
def test_a_narrated_story_says_in_each_scene_what_can_be_said_in_it(
    seconds: int, name: str, writer: TextProvider
) -> None:
    request = replace(wish(name, 4), seconds=seconds, narrated=True)
    for scene in writer.write_story(request).story.scenes:
        assert scene.narration
        assert narration.seconds_to_say(scene.narration) < narration.room(seconds) * 1.7


def test_nothing_is_said_where_nobody_asked(name: str, writer: TextProvider) -> None:
    assert all(scene.narration is None for scene in writer.write_story(wish(name, 2)).story.scenes)


def test_a_prompt_may_be_in_any_language(name: str, writer: TextProvider) -> None:
    for prompt in ("一只猫在月光下的城市里散步", "الثعلب الصغير", "🚀", "Ein Drache fliegt"):
        assert len(writer.write_story(wish(name, 2, prompt)).story.scenes) == 2


def test_the_price_is_the_registrys(name: str, writer: TextProvider) -> None:
    result = writer.write_story(wish(name, 3))
    model = models.find("text", name)
    assert result.cost.usd >= 0
    assert (result.cost.usd > 0) == model.is_paid
