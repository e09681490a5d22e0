"""Stories by OpenAI, over the wire of a stand-in that keeps its own book."""

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
from tests.support.vendors import Visit

ENDPOINT = "responses"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def visit(running: StandIn, monkeypatch: pytest.MonkeyPatch) -> Visit:
    monkeypatch.setattr(adapter, "_SECONDS", 1.0)
    monkeypatch.setattr(adapter, "_REPAIR_SECONDS", 1.0)
    return Visit(running)


@pytest.fixture
def writer(running: StandIn) -> TextProvider:
    return text_provider("openai", vendors.context(openai=running))


@pytest.mark.parametrize("model", ["gpt-6-luna", "gpt-6.1-sol", "gpt-6-astra", "gpt-5.4-nano"])
def test_a_story_is_one_call_and_costs_what_the_book_says(
    model: str, visit: Visit, writer: TextProvider
) -> None:
    result = writer.write_story(vendors.story_request(3, model=model))
    assert [scene.number for scene in result.story.scenes] == [1, 2, 3]
    assert [scene.timestamp for scene in result.story.scenes] == ["0:00", "0:05", "0:10"]
    assert visit.calls(ENDPOINT) == 1
    assert [charge.amount for charge in visit.charges()] == [result.cost.usd]
    assert result.cost.unit == "token"


def test_sixty_scenes_fit_into_one_answer(visit: Visit, writer: TextProvider) -> None:
    assert len(writer.write_story(vendors.story_request(60)).story.scenes) == 60
    assert len(visit.charges()) == 1


def test_a_commentary_is_not_the_answer(visit: Visit, writer: TextProvider) -> None:
    visit.vendor.fault(ENDPOINT, "commentary")
    assert len(writer.write_story(vendors.story_request(2)).story.scenes) == 2
    assert len(visit.charges()) == 1


@pytest.mark.parametrize("mode", ["truncation", "reasoning_only", "links", "not_fitting"])
def test_what_cannot_be_used_is_corrected_once(
    mode: str, visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, mode)
    result = writer.write_story(vendors.story_request(2))
    assert len(result.story.scenes) == 2
    assert visit.calls(ENDPOINT) == 2
    assert sum((c.amount for c in visit.charges()), Decimal(0)) == result.cost.usd


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
def test_a_wrapped_story_is_unwrapped_and_not_paid_for_twice(
    around: str, quoted: bool, visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, "wrapped", around=around, quoted=quoted)
    assert len(writer.write_story(vendors.story_request(2)).story.scenes) == 2
    assert len(visit.charges()) == 1


@pytest.mark.parametrize(
    "around", ["```json\n```", "No. {" * 100, "[" * 100_000, "{" * 9000, "null"]
)
def test_a_text_without_a_story_is_corrected_once(
    around: str, visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, "wrapped", around=around)
    assert len(writer.write_story(vendors.story_request(2)).story.scenes) == 2
    assert len(visit.charges()) == 2


@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("truncation", "story.truncated"),
        ("reasoning_only", "story.truncated"),
        ("links", "story.invalid"),
        ("not_fitting", "story.invalid"),
    ],
)
def test_a_second_bad_story_is_refused_with_what_both_cost(
    mode: str, code: str, visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, mode, times=3)
    error = refusal(writer)
    assert (error.error_code, error.billed) == (code, True)
    assert visit.calls(ENDPOINT) == 2
    assert error.cost is not None
    assert error.cost.usd == visit.spent()


@pytest.mark.parametrize(
    ("mode", "options", "code"),
    [
        ("refusal", {}, "safety.input"),
        ("content_filter", {}, "safety.output"),
        ("failed", {"code": "invalid_prompt"}, "safety.input"),
        ("failed", {"code": "server_error"}, "provider.internal"),
    ],
)
def test_an_answer_without_a_story_is_refused_with_what_it_cost(
    mode: str, options: dict[str, Any], code: str, visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, mode, **options)
    error = refusal(writer)
    assert error.error_code == code
    assert visit.calls(ENDPOINT) == 1
    assert (error.cost.usd if error.cost else 0) == visit.spent()
    assert "sorry" not in vendors.said(error)


def test_whether_a_failed_response_was_charged_is_not_documented(
    visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, "failed", code="rate_limit_exceeded")
    error = refusal(writer)
    assert (error.error_code, error.billed, error.retryable) == ("provider.unavailable", None, True)
    assert visit.calls(ENDPOINT) == 1


@pytest.mark.parametrize("second", ["500", "charge_then_reset", "html", "truncated"])
def test_an_unknown_correction_leaves_the_whole_unknown(
    second: str, visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, "links", call=1)
    visit.vendor.fault(ENDPOINT, second, call=2)
    with pytest.raises(OutcomeUnknown) as caught:
        writer.write_story(vendors.story_request())
    assert caught.value.cost is not None
    assert caught.value.cost.usd == visit.charges()[0].amount


@pytest.mark.parametrize(
    ("second", "code"),
    [("429", "story.not_corrected"), ("quota", "provider.credits"), ("refusal", "safety.input")],
)
def test_a_refused_correction_is_billed_for_the_first_call(
    second: str, code: str, visit: Visit, writer: TextProvider
) -> None:
    visit.vendor.fault(ENDPOINT, "links", call=1)
    visit.vendor.fault(ENDPOINT, second, call=2)
    error = refusal(writer)
    assert (error.error_code, error.billed) == (code, True)
    assert error.cost is not None
    assert error.cost.usd == visit.spent()


@pytest.mark.parametrize("key", ["", "  ", "key\nwith a break", "schlüssel"])
def test_without_a_usable_key_there_is_no_call(key: str, visit: Visit) -> None:
    context = vendors.with_secrets(
        vendors.context(openai=visit.vendor), {"OPENAI_API_KEY": key} if key else {}
    )
    error = refusal(text_provider("openai", context))
    assert (error.error_code, error.billed) == ("provider.key", False)
    assert visit.calls(ENDPOINT) == 0


def refusal(writer: TextProvider) -> VideoError:
    with pytest.raises(ProviderRefused) as caught:
        writer.write_story(vendors.story_request())
    return caught.value
