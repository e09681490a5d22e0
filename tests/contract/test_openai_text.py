"""OpenAI stories, against a stand-in that records charges."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from common.domain.errors import OutcomeUnknown, ProviderRefused, VideoError
from common.providers import TextProvider, text_provider
from common.providers.text import openai as adapter
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import VendorSession

ENDPOINT = "responses"


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def session(openai_stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> VendorSession:
    monkeypatch.setattr(adapter, "_SECONDS", 1.0)
    monkeypatch.setattr(adapter, "_REPAIR_SECONDS", 1.0)
    return VendorSession(openai_stand_in)


@pytest.fixture
def provider(openai_stand_in: StandIn) -> TextProvider:
    return text_provider("openai", vendors.context(openai=openai_stand_in))


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-6.1-sol", "gpt-6-astra", "gpt-5.4-nano"])
def test_openai_story_makes_one_call_and_cost_matches_charge(
    model: str, session: VendorSession, provider: TextProvider
) -> None:
    result = provider.write_story(vendors.story_request(3, model=model))
    assert [scene.number for scene in result.story.scenes] == [1, 2, 3]
    assert [scene.timestamp for scene in result.story.scenes] == ["0:00", "0:05", "0:10"]
    assert session.calls(ENDPOINT) == 1
    assert [charge.amount for charge in session.charges()] == [result.cost.usd]
    assert result.cost.unit == "token"


def test_openai_story_with_sixty_scenes_makes_one_call(
    session: VendorSession, provider: TextProvider
) -> None:
    assert len(provider.write_story(vendors.story_request(60)).story.scenes) == 60
    assert len(session.charges()) == 1


def test_openai_story_ignores_commentary_output(
    session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, "commentary")
    assert len(provider.write_story(vendors.story_request(2)).story.scenes) == 2
    assert len(session.charges()) == 1


@pytest.mark.parametrize("mode", ["truncation", "reasoning_only", "links", "not_fitting"])
def test_openai_unusable_story_is_corrected_once(
    mode: str, session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, mode)
    result = provider.write_story(vendors.story_request(2))
    assert len(result.story.scenes) == 2
    assert session.calls(ENDPOINT) == 2
    assert sum((c.amount for c in session.charges()), Decimal(0)) == result.cost.usd


@pytest.mark.parametrize(
    "around",
    [
        "```json\n%s\n```",
        "```\n%s\n```",
        "~~~JSON\r\n%s\r\n~~~\r\n",
        "\ufeff%s",
        "\ufeff\n```json %s```",
        "Here is your story (in {curly} words [1]):\n\n%s\n\nI hope that you like it! {}",
        "<json>%s</json>",
        "[%s]",
        '{"story": %s}',
        '{"type": "story", "content": [{"data": %s}], "note": "{}"}',
        "%s%s",
    ],
)
@pytest.mark.parametrize("quoted", [False, True])
def test_openai_wrapped_story_is_unwrapped_without_second_call(
    around: str, quoted: bool, session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, "wrapped", around=around, quoted=quoted)
    assert len(provider.write_story(vendors.story_request(2)).story.scenes) == 2
    assert len(session.charges()) == 1


@pytest.mark.parametrize(
    "around", ["```json\n```", "No. {" * 100, "[" * 100_000, "{" * 9000, "null"]
)
def test_openai_text_without_story_is_corrected_once(
    around: str, session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, "wrapped", around=around)
    assert len(provider.write_story(vendors.story_request(2)).story.scenes) == 2
    assert len(session.charges()) == 2


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("truncation", "story.truncated"),
        ("reasoning_only", "story.truncated"),
        ("links", "story.invalid"),
        ("not_fitting", "story.invalid"),
    ],
)
def test_openai_second_invalid_story_error_carries_cost_of_both_calls(
    mode: str, code: str, session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, mode, times=3)
    error = story_refusal(provider)
    assert (error.error_code, error.billed) == (code, True)
    assert session.calls(ENDPOINT) == 2
    assert error.cost is not None
    assert error.cost.usd == session.spent()


@pytest.mark.parametrize(
    ("mode", "options", "code"),
    [
        ("refusal", {}, "safety.input"),
        ("content_filter", {}, "safety.output"),
        ("failed", {"code": "invalid_prompt"}, "safety.input"),
        ("failed", {"code": "server_error"}, "provider.internal"),
    ],
)
def test_openai_response_without_story_error_carries_cost(
    mode: str, options: dict[str, Any], code: str, session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, mode, **options)
    error = story_refusal(provider)
    assert error.error_code == code
    assert session.calls(ENDPOINT) == 1
    assert (error.cost.usd if error.cost else 0) == session.spent()
    assert "sorry" not in vendors.error_text(error)


def test_openai_failed_response_leaves_billed_unset(
    session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, "failed", code="rate_limit_exceeded")
    error = story_refusal(provider)
    assert (error.error_code, error.billed, error.retryable) == ("provider.unavailable", None, True)
    assert session.calls(ENDPOINT) == 1


@pytest.mark.parametrize("second", ["500", "charge_then_reset", "html", "truncated"])
def test_openai_unknown_correction_leaves_outcome_unknown(
    second: str, session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, "links", call=1)
    session.vendor.fault(ENDPOINT, second, call=2)
    with pytest.raises(OutcomeUnknown) as caught:
        provider.write_story(vendors.story_request())
    assert caught.value.cost is not None
    assert caught.value.cost.usd == session.charges()[0].amount


@pytest.mark.parametrize(
    ("second", "code"),
    [("429", "story.not_corrected"), ("quota", "provider.credits"), ("refusal", "safety.input")],
)
def test_openai_refused_correction_carries_cost_of_first_call(
    second: str, code: str, session: VendorSession, provider: TextProvider
) -> None:
    session.vendor.fault(ENDPOINT, "links", call=1)
    session.vendor.fault(ENDPOINT, second, call=2)
    error = story_refusal(provider)
    assert (error.error_code, error.billed) == (code, True)
    assert error.cost is not None
    assert error.cost.usd == session.spent()


@pytest.mark.parametrize("key", ["", "  ", "key\nwith a break", "schlüssel"])
def test_openai_makes_no_call_without_valid_api_key(key: str, session: VendorSession) -> None:
    context = vendors.with_secrets(
        vendors.context(openai=session.vendor), {"OPENAI_API_KEY": key} if key else {}
    )
    error = story_refusal(text_provider("openai", context))
    assert (error.error_code, error.billed) == ("provider.key", False)
    assert session.calls(ENDPOINT) == 0


def story_refusal(provider: TextProvider) -> VideoError:
    """Return the ProviderRefused error that a story request raises."""
    with pytest.raises(ProviderRefused) as caught:
        provider.write_story(vendors.story_request())
    return caught.value
