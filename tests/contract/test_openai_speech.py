"""OpenAI speech, against a stand-in that records charges."""

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
from tests.support.vendors import CANARY, VendorSession

CHAT, SPEECH = "gpt-audio-1.5", "gpt-4o-mini-tts"
ENDPOINTS = {CHAT: "chat.completions", SPEECH: "audio.speech"}


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def session(openai_stand_in: StandIn) -> VendorSession:
    return VendorSession(openai_stand_in)


@pytest.fixture
def provider(openai_stand_in: StandIn) -> SpeechProvider:
    return speech_provider("openai", vendors.context(openai=openai_stand_in))


@pytest.mark.parametrize("model", ENDPOINTS)
def test_openai_speech_makes_one_call_and_cost_matches_charge(
    model: str, session: VendorSession, provider: SpeechProvider
) -> None:
    result = provider.synthesize(vendors.speech_request(model=model))
    assert session.calls(ENDPOINTS[model]) == 1
    (charge,) = session.charges()
    if model == CHAT:  # reports its tokens; the other model's cost follows from the duration
        assert charge.amount == result.cost.usd
    assert float(charge.amount) == pytest.approx(float(result.cost.usd), rel=0.1)
    assert result.cost.usd <= models.find("speech", "openai", model).narration_usd(5)


@pytest.mark.parametrize("model", ENDPOINTS)
def test_openai_speech_separates_text_from_instructions(
    model: str, session: VendorSession, provider: SpeechProvider
) -> None:
    provider.synthesize(vendors.speech_request(model=model, language="de"))
    prompt = session.charges()[0].prompt
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
def test_openai_unusable_speech_error_carries_cost(
    model: str,
    mode: str,
    kind: type[PermanentError],
    code: str,
    session: VendorSession,
    provider: SpeechProvider,
) -> None:
    session.vendor.fault(ENDPOINTS[model], mode)
    with pytest.raises(kind) as caught:
        provider.synthesize(vendors.speech_request(model=model, seconds=2))
    error = caught.value
    assert (error.error_code, error.billed) == (code, True)
    assert error.cost is not None
    if model == CHAT:
        assert error.cost.usd == session.spent()
    assert CANARY not in vendors.error_text(error)


@pytest.mark.parametrize(
    ("model", "mode"),
    [
        *((model, mode) for model in ENDPOINTS for mode in ("html", "truncated", "empty", "504")),
        (SPEECH, "not_sound"),
    ],
)
def test_openai_speech_invalid_response_leaves_outcome_unknown(
    model: str, mode: str, session: VendorSession, provider: SpeechProvider
) -> None:
    session.vendor.fault(ENDPOINTS[model], mode)
    with pytest.raises(OutcomeUnknown) as caught:
        provider.synthesize(vendors.speech_request(model=model))
    assert caught.value.billed is not False
    assert session.calls(ENDPOINTS[model]) == 1


def test_openai_speech_without_usage_costs_estimate(
    session: VendorSession, provider: SpeechProvider
) -> None:
    session.vendor.fault("chat.completions", "no_usage")
    cost = provider.synthesize(vendors.speech_request()).cost
    assert cost.usd == models.find("speech", "openai", CHAT).narration_usd(5)


def test_openai_speech_token_limit_bounds_cost(
    session: VendorSession, provider: SpeechProvider
) -> None:
    """The token limit bounds the cost of speech that does not stop."""
    session.vendor.fault("chat.completions", "long")
    with pytest.raises(MediaError) as caught:
        provider.synthesize(vendors.speech_request(seconds=2))
    assert caught.value.error_code == "speech.too_long"
    assert session.spent() < 2 * models.find("speech", "openai", CHAT).narration_usd(2)


def test_openai_speech_rejects_too_long_text_before_call(
    session: VendorSession, provider: SpeechProvider
) -> None:
    with pytest.raises(InvalidInput):
        provider.synthesize(vendors.speech_request("a" * 4097))
    assert session.calls("chat.completions") == 0
