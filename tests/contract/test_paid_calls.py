"""What is certain after a paid call that went wrong: the same promises for every adapter.

The judge is the stand-in's own book. Not accepted or refused: nothing was charged. Unknown: it may
have been. And never is a call made twice.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from common.aws import clients
from common.domain.errors import NotAccepted, OutcomeUnknown, ProviderRefused, VideoError
from common.providers import image_provider, speech_provider, text_provider, video_provider
from common.providers.image import openai as image_adapter
from common.providers.speech import _openai_chat, _openai_speech
from common.providers.text import openai as text_adapter
from common.providers.video import _runway_api
from tests.stand_ins import bedrock, openai, runway
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import Visit

HANG_SECONDS = 0.5

CERTAIN: list[tuple[str, dict[str, Any], type[VideoError], str]] = [
    ("429", {}, NotAccepted, "provider.not_accepted"),
    ("429", {"retry_after": 7}, NotAccepted, "provider.not_accepted"),
    ("403", {}, ProviderRefused, "provider.forbidden"),
    ("413", {}, ProviderRefused, "provider.request"),
]
UNCERTAIN = ["500", "hang", "reset", "truncated", "html", "empty"]
# Charged, and then a status that no vendor documents as free, or a proxy's page.
UNDOCUMENTED = (302, 307, 408, 409, 425, 451, 500, 501, 520, 524, 529)
CHARGED = [
    *("charge_then_hang", "charge_then_reset", "charge_then_page_500"),
    *(f"charge_then_{status}" for status in UNDOCUMENTED),
]
# The same for those vendors whose gateways are not documented to shed load.
GATEWAY = ["charge_then_502", "charge_then_504", "charge_then_page_502", "charge_then_page_503"]
OF_OPENAI = ["story", "edit", "talk", "speech"]


@dataclass
class Paid:
    """One kind of paid call, and the stand-in's name for where it goes."""

    endpoint: str
    visit: Visit
    make: Callable[[], object]

    def error(self, kind: type[VideoError]) -> VideoError:
        with pytest.raises(kind) as caught:
            self.make()
        assert type(caught.value) is kind
        assert vendors.CANARY not in vendors.said(caught.value)
        return caught.value


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StandIn]]:
    folder = tmp_path_factory.mktemp
    with (
        openai.serve(folder("openai"), api_key=f"sk-{vendors.CANARY}") as first,
        runway.serve(folder("runway"), api_key=f"key_{vendors.CANARY}") as second,
        bedrock.serve(folder("bedrock")) as third,
    ):
        yield {"openai": first, "runway": second, "bedrock": third}


@pytest.fixture
def _aws(stand_ins: dict[str, StandIn], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with vendors.aws(monkeypatch, stand_ins["bedrock"].url):
        yield


@pytest.fixture(params=["story", "edit", "talk", "speech", "runway", "luma"])
def paid(
    request: pytest.FixtureRequest,
    stand_ins: dict[str, StandIn],
    _aws: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Paid:
    context = vendors.context(openai=stand_ins["openai"], runway=stand_ins["runway"])
    for module, name in (
        (text_adapter, "_SECONDS"),
        (image_adapter, "_SECONDS"),
        (_openai_chat, "_SECONDS"),
        (_openai_speech, "_SECONDS"),
        (_runway_api, "_PAID_SECONDS"),
        (clients, "_BEDROCK_SECONDS"),
    ):
        monkeypatch.setattr(module, name, HANG_SECONDS)
    still = vendors.picture()
    kinds: dict[str, tuple[str, str, Callable[[], object]]] = {
        "story": (
            "openai",
            "responses",
            lambda: text_provider("openai", context).write_story(vendors.story_request()),
        ),
        "edit": (
            "openai",
            "images.edits",
            lambda: image_provider("openai", context).generate_image(
                vendors.image_request(anchor=still)
            ),
        ),
        "talk": (
            "openai",
            "chat.completions",
            lambda: speech_provider("openai", context).synthesize(vendors.speech_request()),
        ),
        "speech": (
            "openai",
            "audio.speech",
            lambda: speech_provider("openai", context).synthesize(
                vendors.speech_request(model="gpt-4o-mini-tts")
            ),
        ),
        "runway": (
            "runway",
            "image_to_video",
            lambda: video_provider("runway", context).submit(vendors.clip_request()),
        ),
        "luma": (
            "bedrock",
            "async_invoke.start",
            lambda: video_provider("luma", context).submit(
                vendors.clip_request(model="luma.ray-v2:0", token=vendors.fresh_token())
            ),
        ),
    }
    vendor, endpoint, make = kinds[request.param]
    return Paid(endpoint, Visit(stand_ins[vendor]), make)


def test_a_good_call_is_charged_once(paid: Paid) -> None:
    paid.make()
    assert (paid.visit.calls(paid.endpoint), len(paid.visit.charges())) == (1, 1)


@pytest.mark.parametrize(("mode", "options", "kind", "code"), CERTAIN)
def test_a_definite_no_was_not_charged(
    mode: str, options: dict[str, Any], kind: type[VideoError], code: str, paid: Paid
) -> None:
    paid.visit.vendor.fault(paid.endpoint, mode, **options)
    error = paid.error(kind)
    assert (error.error_code, error.billed) == (code, False)
    assert error.retry_after == options.get("retry_after")
    assert (paid.visit.calls(paid.endpoint), paid.visit.charges()) == (1, [])


@pytest.mark.parametrize("paid", ["story", "edit", "runway"], indirect=True)
def test_a_revoked_key_is_told_apart(paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, "401")
    error = paid.error(ProviderRefused)
    assert (error.error_code, error.billed) == ("provider.key", False)


@pytest.mark.parametrize("mode", [*UNCERTAIN, *CHARGED])
def test_what_may_have_been_accepted_is_unknown(mode: str, paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, mode)
    error = paid.error(OutcomeUnknown)
    assert error.billed is None
    assert paid.visit.calls(paid.endpoint) == 1
    assert len(paid.visit.charges()) <= 1


@pytest.mark.parametrize("paid", [*OF_OPENAI, "luma"], indirect=True)
@pytest.mark.parametrize("mode", GATEWAY)
def test_an_answer_of_a_gateway_proves_nothing(mode: str, paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, mode)
    paid.error(OutcomeUnknown)
    assert len(paid.visit.charges()) == 1


@pytest.mark.parametrize("paid", OF_OPENAI, indirect=True)
def test_openai_says_itself_that_it_is_overloaded(paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, "503", retry_after=4)
    assert paid.error(NotAccepted).retry_after == 4
    assert paid.visit.charges() == []


@pytest.mark.parametrize("paid", OF_OPENAI, indirect=True)
@pytest.mark.parametrize(
    ("status", "body"),
    [(307, "invalid_prompt"), (409, "insufficient_quota"), (502, "rate_limit_exceeded")],
)
def test_a_code_makes_no_uncertain_status_certain(
    body: str, status: int, paid: Paid, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openai as sdk

    error = {"message": "no", "type": body, "param": None, "code": body}
    real = sdk.OpenAI._make_status_error

    def said(self: sdk.OpenAI, message: str, *, body: object, response: Any) -> Any:
        return real(self, message, body={"error": error}, response=response)

    monkeypatch.setattr(sdk.OpenAI, "_make_status_error", said)
    paid.visit.vendor.fault(paid.endpoint, f"charge_then_{status}")
    paid.error(OutcomeUnknown)


@pytest.mark.parametrize("paid", ["runway"], indirect=True)
@pytest.mark.parametrize("mode", ["502", "503", "504"])
def test_runway_documents_that_its_gateways_shed_load(mode: str, paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, mode, charged=False)
    assert paid.error(NotAccepted).billed is False
    assert (paid.visit.calls(paid.endpoint), paid.visit.charges()) == (1, [])


@pytest.mark.parametrize("paid", ["luma"], indirect=True)
@pytest.mark.parametrize("mode", ["502", "503", "charge_then_503", "504"])
def test_bedrock_does_not_say_whether_it_began(mode: str, paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, mode)
    paid.error(OutcomeUnknown)


@pytest.mark.parametrize("paid", ["runway", "luma"], indirect=True)
def test_a_job_without_a_name_is_unknown(paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, "missing_id")
    paid.error(OutcomeUnknown)
    assert len(paid.visit.charges()) == 1


def test_where_nothing_listens_nothing_was_accepted(paid: Paid) -> None:
    with paid.visit.vendor.refusing():
        paid.error(NotAccepted)
    assert (paid.visit.calls(paid.endpoint), paid.visit.charges()) == (0, [])


@pytest.mark.parametrize("paid", ["story", "edit"], indirect=True)
@pytest.mark.parametrize(
    ("mode", "code"),
    [
        ("quota", "provider.credits"),
        ("unverified", "provider.forbidden"),
        ("404", "provider.model"),
        ("moderation_input", "safety.input"),
        ("moderation_output", "safety.output"),
    ],
)
def test_openai_says_more_by_its_codes(mode: str, code: str, paid: Paid) -> None:
    paid.visit.vendor.fault(paid.endpoint, mode)
    assert paid.error(ProviderRefused).error_code == code
    assert paid.visit.calls(paid.endpoint) == 1


def test_the_log_holds_ids_and_no_canary(paid: Paid, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    for mode in ("403", "500", "429", "html"):
        paid.visit.vendor.fault(paid.endpoint, mode)
        with pytest.raises(VideoError):
            paid.make()
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "'provider_status': 403" in logged
    assert vendors.CANARY not in logged
