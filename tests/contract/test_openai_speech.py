"""Speech by OpenAI, over the wire of a stand-in that keeps its own book."""

from collections.abc import Iterator

import pytest

from common.domain import models
from common.domain.errors import (
    InvalidInput,
    MediaError,
    OutcomeUnknown,
    PermanentError,
    ProviderRefused,
)
from common.providers import SpeechProvider, speech_provider
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import CANARY, Visit

CHAT, SPEECH = "gpt-audio-1.5", "gpt-4o-mini-tts"
ENDPOINTS = {CHAT: "chat.completions", SPEECH: "audio.speech"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def visit(running: StandIn) -> Visit:
    return Visit(running)


@pytest.fixture
def voice(running: StandIn) -> SpeechProvider:
    return speech_provider("openai", vendors.context(openai=running))


@pytest.mark.parametrize("model", ENDPOINTS)
def test_speech_is_one_call_and_costs_what_the_book_says(
    model: str, visit: Visit, voice: SpeechProvider
) -> None:
    result = voice.synthesize(vendors.speech_request(model=model))
    assert visit.calls(ENDPOINTS[model]) == 1
    (charge,) = visit.charges()
    if model == CHAT:  # it tells its tokens; the other is counted from the length of the sound
        assert charge.amount == result.cost.usd
    assert float(charge.amount) == pytest.approx(float(result.cost.usd), rel=0.1)
    assert result.cost.usd <= models.find("speech", "openai", model).narration_usd(5)


@pytest.mark.parametrize("model", ENDPOINTS)
def test_the_text_is_sent_apart_from_what_the_voice_is_told(
    model: str, visit: Visit, voice: SpeechProvider
) -> None:
    voice.synthesize(vendors.speech_request(model=model, language="de"))
    prompt = visit.charges()[0].prompt
    if model == CHAT:
        assert '{"role": "user", "content": "The cat climbs the stairs' in prompt
        assert "Say exactly these words" in prompt
        assert "(de)" in prompt
    else:
        assert prompt == f"The cat climbs the stairs, {CANARY}."


CASES = [
    *((model, "silence", MediaError, "speech.unusable") for model in ENDPOINTS),
    *((model, "long", MediaError, "speech.too_long") for model in ENDPOINTS),
    (CHAT, "not_sound", MediaError, "speech.unusable"),
    (CHAT, "paraphrase", MediaError, "speech.not_the_text"),
    (CHAT, "cut_off", MediaError, "speech.too_long"),
    (CHAT, "filtered", ProviderRefused, "safety.output"),
    (CHAT, "refusal", ProviderRefused, "safety.input"),
    (CHAT, "no_audio", ProviderRefused, "provider.output"),
]


@pytest.mark.parametrize(("model", "mode", "kind", "code"), CASES)
def test_what_cannot_be_used_carries_what_it_cost(
    model: str,
    mode: str,
    kind: type[PermanentError],
    code: str,
    visit: Visit,
    voice: SpeechProvider,
) -> None:
    visit.vendor.fault(ENDPOINTS[model], mode)
    with pytest.raises(kind) as caught:
        voice.synthesize(vendors.speech_request(model=model, seconds=2))
    error = caught.value
    assert (error.error_code, error.billed) == (code, True)
    assert error.cost is not None
    if model == CHAT:
        assert error.cost.usd == visit.spent()
    assert CANARY not in vendors.said(error)


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        *((model, mode) for model in ENDPOINTS for mode in ("html", "truncated", "empty", "504")),
        (SPEECH, "not_sound"),
    ],
)
def test_an_answer_that_is_none_leaves_the_outcome_unknown(
    model: str, mode: str, visit: Visit, voice: SpeechProvider
) -> None:
    visit.vendor.fault(ENDPOINTS[model], mode)
    with pytest.raises(OutcomeUnknown) as caught:
        voice.synthesize(vendors.speech_request(model=model))
    assert caught.value.billed is not False
    assert visit.calls(ENDPOINTS[model]) == 1


def test_without_a_bill_the_estimate_stands(visit: Visit, voice: SpeechProvider) -> None:
    visit.vendor.fault("chat.completions", "no_usage")
    cost = voice.synthesize(vendors.speech_request()).cost
    assert cost.usd == models.find("speech", "openai", CHAT).narration_usd(5)


def test_a_runaway_answer_is_capped_where_it_could_no_longer_be_used(
    visit: Visit, voice: SpeechProvider
) -> None:
    """The limit of tokens bounds what a voice that does not stop can cost."""
    visit.vendor.fault("chat.completions", "long")
    with pytest.raises(MediaError) as caught:
        voice.synthesize(vendors.speech_request(seconds=2))
    assert caught.value.error_code == "speech.too_long"
    assert visit.spent() < 2 * models.find("speech", "openai", CHAT).narration_usd(2)


def test_too_long_a_text_is_refused_before_the_call(visit: Visit, voice: SpeechProvider) -> None:
    with pytest.raises(InvalidInput):
        voice.synthesize(vendors.speech_request("a" * 4097))
    assert visit.calls("chat.completions") == 0
