"""What every speech provider promises, whoever it is; each is reached over its stand-in.

A new provider is picked up by its file. It needs an entry in `DOORS` here that opens it, with a
stand-in behind it where it speaks to somebody.
"""

import array
from collections.abc import Callable, Iterator

import pytest

from common.domain import models
from common.domain.errors import InvalidInput
from common.domain.models import Model
from common.domain.narration import FASTEST, fit, room
from common.domain.styles import mood
from common.media.wav import read_wav
from common.providers import SpeechProvider, SpeechRequest, names, speech_provider
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.support import vendors

Door = Callable[[pytest.FixtureRequest], SpeechProvider]
TEXTS = {
    "English": "A paper boat crosses the city in the rain, and the lanterns are lit.",
    "German": "Ein kleines Boot fährt über den Fluss, und der Mond ist hell.",
    "Greek": "Το μικρό καράβι ταξιδεύει στη βροχή.",
    "Russian": "Маленький корабль плывёт по городу.",
    "Chinese": "一只纸船穿过雨中的城市。",
}


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


def _openai(request: pytest.FixtureRequest) -> SpeechProvider:
    vendor: StandIn = request.getfixturevalue("openai_stand_in")
    vendor.clear()
    return speech_provider("openai", vendors.context(openai=vendor))


DOORS: dict[str, Door] = {
    "offline": lambda _request: speech_provider("offline", vendors.context()),
    "openai": _openai,
}


@pytest.fixture(params=[m for m in models.models() if m.kind == "speech"], ids=lambda m: m.model)
def model(request: pytest.FixtureRequest) -> Model:
    found: Model = request.param
    if found.provider not in DOORS:
        pytest.fail(f"No way to reach the provider '{found.provider}': add it to DOORS.")
    return found


@pytest.fixture
def voice(model: Model, request: pytest.FixtureRequest) -> SpeechProvider:
    return DOORS[model.provider](request)


def wish(model: Model, text: str, seconds: int = 5, voice: str | None = None) -> SpeechRequest:
    return SpeechRequest(
        text=text, seconds=seconds, mood=mood("Calm"), model=model.model, voice=voice
    )


def loudest(samples: bytes) -> int:
    return max(abs(sample) for sample in array.array("h", samples))


def test_every_provider_has_a_model() -> None:
    assert {m.provider for m in models.models() if m.kind == "speech"} == set(names("speech"))


@pytest.mark.parametrize("language", TEXTS)
def test_a_text_that_fits_is_heard_and_fits(
    language: str, model: Model, voice: SpeechProvider
) -> None:
    sound = voice.synthesize(wish(model, TEXTS[language])).sound
    assert 0.7 < sound.seconds < room(5) * 1.1
    assert loudest(sound.samples) > 2000


@pytest.mark.parametrize("seconds", [2, 4, 10])
def test_what_was_cut_for_its_scene_can_be_quickened_into_it(
    seconds: int, model: Model, voice: SpeechProvider
) -> None:
    text = fit(" ".join([TEXTS["English"]] * 4), seconds)
    assert voice.synthesize(wish(model, text, seconds)).sound.seconds <= room(seconds) * FASTEST


def test_a_longer_text_takes_longer(model: Model, voice: SpeechProvider) -> None:
    short, long = (
        voice.synthesize(wish(model, text, 30)).sound.seconds
        for text in ("A boat.", TEXTS["English"] * 3)
    )
    assert long > 4 * short


def test_the_sound_survives_its_file(model: Model, voice: SpeechProvider) -> None:
    sound = voice.synthesize(wish(model, TEXTS["English"])).sound
    assert read_wav(sound.as_wav()) == sound


def test_every_voice_of_the_registry_speaks_and_others_are_refused(
    model: Model, voice: SpeechProvider
) -> None:
    for name in model.voices:
        assert voice.synthesize(wish(model, "A boat in the rain.", voice=name)).sound.seconds > 0
    with pytest.raises(InvalidInput) as caught:
        voice.synthesize(wish(model, "A boat in the rain.", voice="hal"))
    assert caught.value.allowed == list(model.voices)


def test_the_price_is_the_registrys(model: Model, voice: SpeechProvider) -> None:
    cost = voice.synthesize(wish(model, TEXTS["English"])).cost
    assert (cost.usd > 0) == model.is_paid
    assert cost.usd <= model.narration_usd(5)
