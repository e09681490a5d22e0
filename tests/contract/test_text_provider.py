"""The contract of text providers, checked against the stand-in of each vendor.

Providers are discovered by their module. A new provider needs an entry in `PROVIDER_FACTORIES`,
with a stand-in if it calls a vendor.
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

ProviderFactory = Callable[[pytest.FixtureRequest], TextProvider]


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


def _openai(request: pytest.FixtureRequest) -> TextProvider:
    vendor: StandIn = request.getfixturevalue("openai_stand_in")
    vendor.clear()
    return text_provider("openai", vendors.context(openai=vendor))


PROVIDER_FACTORIES: dict[str, ProviderFactory] = {
    "offline": lambda _request: text_provider("offline", vendors.context()),
    "openai": _openai,
}


@pytest.fixture(params=names("text"))
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in PROVIDER_FACTORIES:
        pytest.fail(f"Text provider '{name}' is missing from PROVIDER_FACTORIES in {__file__}.")
    return name


@pytest.fixture
def provider(name: str, request: pytest.FixtureRequest) -> TextProvider:
    return PROVIDER_FACTORIES[name](request)


def story_request(
    name: str, scenes: int, prompt: str = "A red fox crosses a snowy forest"
) -> StoryRequest:
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
def test_story_has_requested_number_of_scenes(
    scenes: int, name: str, provider: TextProvider
) -> None:
    story_scenes = provider.write_story(story_request(name, scenes)).story.scenes
    assert [scene.number for scene in story_scenes] == list(range(1, scenes + 1))
    assert [scene.start_seconds for scene in story_scenes] == [5 * i for i in range(scenes)]


def test_story_texts_are_not_empty_and_within_limits(name: str, provider: TextProvider) -> None:
    story = provider.write_story(story_request(name, 6)).story
    assert story.title.strip()
    assert story.overview.strip()
    for scene in story.scenes:
        assert scene.description.strip()
        assert 0 < len(scene.image_prompt) <= 32_000
        assert 0 < len(scene.motion_prompt.encode("utf-16-le")) // 2 <= 1000


@pytest.mark.parametrize("seconds", [2, 5, 10])
def test_story_narration_fits_scene_duration(
    seconds: int, name: str, provider: TextProvider
) -> None:
    request = replace(story_request(name, 4), seconds=seconds, narrated=True)
    for scene in provider.write_story(request).story.scenes:
        assert scene.narration
        assert narration.seconds_to_say(scene.narration) < narration.speech_seconds(seconds) * 1.7


def test_story_without_narration_has_no_narration_text(name: str, provider: TextProvider) -> None:
    assert all(
        scene.narration is None
        for scene in provider.write_story(story_request(name, 2)).story.scenes
    )


def test_text_provider_accepts_prompt_in_any_language(name: str, provider: TextProvider) -> None:
    for prompt in ("一只猫在月光下的城市里散步", "الثعلب الصغير", "🚀", "Ein Drache fliegt"):
        assert len(provider.write_story(story_request(name, 2, prompt)).story.scenes) == 2


def test_text_provider_cost_is_positive_only_if_paid(name: str, provider: TextProvider) -> None:
    result = provider.write_story(story_request(name, 3))
    model = models.find("text", name)
    assert result.cost.usd >= 0
    assert (result.cost.usd > 0) == model.is_paid
