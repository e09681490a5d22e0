"""The contract of speech providers, checked against the stand-in of each vendor.

Providers are discovered by their module. A new provider needs an entry in `PROVIDER_FACTORIES`,
with a stand-in if it calls a vendor.
"""

import array
from collections.abc import Callable, Iterator

import pytest

from common.domain import models
from common.domain.errors import InvalidInput
from common.domain.models import Model
from common.domain.narration import MAX_PACE, fit, speech_seconds
from common.domain.styles import mood
from common.media.wav import read_wav
from common.providers import SpeechProvider, SpeechRequest, names, speech_provider
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.support import vendors

ProviderFactory = Callable[[pytest.FixtureRequest], SpeechProvider]
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


PROVIDER_FACTORIES: dict[str, ProviderFactory] = {
    "offline": lambda _request: speech_provider("offline", vendors.context()),
    "openai": _openai,
}


@pytest.fixture(params=[m for m in models.models() if m.kind == "speech"], ids=lambda m: m.model)
def model(request: pytest.FixtureRequest) -> Model:
    model: Model = request.param
    if model.provider not in PROVIDER_FACTORIES:
        pytest.fail(
            f"Speech provider '{model.provider}' is missing from PROVIDER_FACTORIES in {__file__}."
        )
    return model


@pytest.fixture
def provider(model: Model, request: pytest.FixtureRequest) -> SpeechProvider:
    return PROVIDER_FACTORIES[model.provider](request)


def speech_request(
    model: Model, text: str, seconds: int = 5, voice: str | None = None
) -> SpeechRequest:
    return SpeechRequest(
        text=text, seconds=seconds, mood=mood("Calm"), model=model.model, voice=voice
    )


def peak(samples: bytes) -> int:
    return max(abs(sample) for sample in array.array("h", samples))


def test_every_speech_provider_has_model() -> None:
    assert {m.provider for m in models.models() if m.kind == "speech"} == set(names("speech"))


@pytest.mark.parametrize("language", TEXTS)
def test_fitting_narration_is_audible_and_fits_scene(
    language: str, model: Model, provider: SpeechProvider
) -> None:
    sound = provider.synthesize(speech_request(model, TEXTS[language])).sound
    assert 0.7 < sound.seconds < speech_seconds(5) * 1.1
    assert peak(sound.samples) > 2000


@pytest.mark.parametrize("seconds", [2, 4, 10])
def test_shortened_narration_fits_scene_at_highest_tempo(
    seconds: int, model: Model, provider: SpeechProvider
) -> None:
    text = fit(" ".join([TEXTS["English"]] * 4), seconds)
    assert (
        provider.synthesize(speech_request(model, text, seconds)).sound.seconds
        <= speech_seconds(seconds) * MAX_PACE
    )


def test_longer_narration_has_longer_duration(model: Model, provider: SpeechProvider) -> None:
    short, long = (
        provider.synthesize(speech_request(model, text, 30)).sound.seconds
        for text in ("A boat.", TEXTS["English"] * 3)
    )
    assert long > 4 * short


def test_narration_wav_round_trip_is_lossless(model: Model, provider: SpeechProvider) -> None:
    sound = provider.synthesize(speech_request(model, TEXTS["English"])).sound
    assert read_wav(sound.as_wav()) == sound


def test_speech_provider_accepts_only_registered_voices(
    model: Model, provider: SpeechProvider
) -> None:
    for name in model.voices:
        assert (
            provider.synthesize(
                speech_request(model, "A boat in the rain.", voice=name)
            ).sound.seconds
            > 0
        )
    with pytest.raises(InvalidInput) as caught:
        provider.synthesize(speech_request(model, "A boat in the rain.", voice="hal"))
    assert caught.value.allowed == list(model.voices)


def test_speech_provider_cost_stays_within_estimate(model: Model, provider: SpeechProvider) -> None:
    cost = provider.synthesize(speech_request(model, TEXTS["English"])).cost
    assert (cost.usd > 0) == model.is_paid
    assert cost.usd <= model.narration_usd(5)
