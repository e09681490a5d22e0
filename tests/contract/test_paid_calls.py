"""The error contract of paid calls, shared by every adapter and checked by the charge book.

NotAccepted and ProviderRefused: nothing was charged. OutcomeUnknown: a charge is possible.
No adapter sends a paid call twice.
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
from tests.support.vendors import VendorSession

HANG_SECONDS = 0.5

CERTAIN: list[tuple[str, dict[str, Any], type[VideoError], str]] = [
    ("429", {}, NotAccepted, "provider.not_accepted"),
    ("429", {"retry_after": 7}, NotAccepted, "provider.not_accepted"),
    ("403", {}, ProviderRefused, "provider.forbidden"),
    ("413", {}, ProviderRefused, "provider.request"),
]
UNCERTAIN = ["500", "hang", "reset", "truncated", "html", "empty"]
# Charged, followed by a status that no vendor documents as free, or by a proxy's error page.
UNDOCUMENTED = (302, 307, 408, 409, 425, 451, 500, 501, 520, 524, 529)
CHARGED = [
    *("charge_then_hang", "charge_then_reset", "charge_then_page_500"),
    *(f"charge_then_{status}" for status in UNDOCUMENTED),
]
# The same, for vendors whose gateways are not documented to shed load.
GATEWAY = ["charge_then_502", "charge_then_504", "charge_then_page_502", "charge_then_page_503"]
OPENAI_CALLS = ["story", "edit", "talk", "speech"]


@dataclass
class PaidCall:
    """A kind of paid call, with the stand-in's name of its endpoint."""

    endpoint: str
    session: VendorSession
    make: Callable[[], object]

    def error(self, kind: type[VideoError]) -> VideoError:
        with pytest.raises(kind) as caught:
            self.make()
        assert type(caught.value) is kind
        assert vendors.CANARY not in vendors.error_text(caught.value)
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
def paid_call(
    request: pytest.FixtureRequest,
    stand_ins: dict[str, StandIn],
    _aws: None,
    monkeypatch: pytest.MonkeyPatch,
) -> PaidCall:
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
    image = vendors.sample_image()
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
                vendors.image_request(anchor=image)
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
    return PaidCall(endpoint, VendorSession(stand_ins[vendor]), make)


def test_paid_call_is_charged_once(paid_call: PaidCall) -> None:
    paid_call.make()
    assert (paid_call.session.calls(paid_call.endpoint), len(paid_call.session.charges())) == (1, 1)


@pytest.mark.parametrize(("mode", "options", "kind", "code"), CERTAIN)
def test_paid_call_certain_refusal_is_not_charged(
    mode: str, options: dict[str, Any], kind: type[VideoError], code: str, paid_call: PaidCall
) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, mode, **options)
    error = paid_call.error(kind)
    assert (error.error_code, error.billed) == (code, False)
    assert error.retry_after == options.get("retry_after")
    assert (paid_call.session.calls(paid_call.endpoint), paid_call.session.charges()) == (1, [])


@pytest.mark.parametrize("paid_call", ["story", "edit", "runway"], indirect=True)
def test_paid_call_revoked_key_has_own_error_code(paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, "401")
    error = paid_call.error(ProviderRefused)
    assert (error.error_code, error.billed) == ("provider.key", False)


@pytest.mark.parametrize("mode", [*UNCERTAIN, *CHARGED])
def test_paid_call_possibly_accepted_leaves_outcome_unknown(mode: str, paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, mode)
    error = paid_call.error(OutcomeUnknown)
    assert error.billed is None
    assert paid_call.session.calls(paid_call.endpoint) == 1
    assert len(paid_call.session.charges()) <= 1


@pytest.mark.parametrize("paid_call", [*OPENAI_CALLS, "luma"], indirect=True)
@pytest.mark.parametrize("mode", GATEWAY)
def test_paid_call_gateway_error_leaves_outcome_unknown(mode: str, paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, mode)
    paid_call.error(OutcomeUnknown)
    assert len(paid_call.session.charges()) == 1


@pytest.mark.parametrize("paid_call", OPENAI_CALLS, indirect=True)
def test_openai_503_is_not_accepted_and_keeps_retry_after(paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, "503", retry_after=4)
    assert paid_call.error(NotAccepted).retry_after == 4
    assert paid_call.session.charges() == []


@pytest.mark.parametrize("paid_call", OPENAI_CALLS, indirect=True)
@pytest.mark.parametrize(
    ("status", "body"),
    [(307, "invalid_prompt"), (409, "insufficient_quota"), (502, "rate_limit_exceeded")],
)
def test_openai_error_code_does_not_make_uncertain_status_certain(
    body: str, status: int, paid_call: PaidCall, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openai as sdk

    error = {"message": "no", "type": body, "param": None, "code": body}
    real = sdk.OpenAI._make_status_error

    def _make_error(self: sdk.OpenAI, message: str, *, body: object, response: Any) -> Any:
        return real(self, message, body={"error": error}, response=response)

    monkeypatch.setattr(sdk.OpenAI, "_make_status_error", _make_error)
    paid_call.session.vendor.fault(paid_call.endpoint, f"charge_then_{status}")
    paid_call.error(OutcomeUnknown)


@pytest.mark.parametrize("paid_call", ["runway"], indirect=True)
@pytest.mark.parametrize("mode", ["502", "503", "504"])
def test_runway_gateway_error_is_not_accepted(mode: str, paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, mode, charged=False)
    assert paid_call.error(NotAccepted).billed is False
    assert (paid_call.session.calls(paid_call.endpoint), paid_call.session.charges()) == (1, [])


@pytest.mark.parametrize("paid_call", ["luma"], indirect=True)
@pytest.mark.parametrize("mode", ["502", "503", "charge_then_503", "504"])
def test_bedrock_gateway_error_leaves_outcome_unknown(mode: str, paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, mode)
    paid_call.error(OutcomeUnknown)


@pytest.mark.parametrize("paid_call", ["runway", "luma"], indirect=True)
def test_job_without_id_leaves_outcome_unknown(paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, "missing_id")
    paid_call.error(OutcomeUnknown)
    assert len(paid_call.session.charges()) == 1


def test_paid_call_with_refused_connection_is_not_accepted(paid_call: PaidCall) -> None:
    with paid_call.session.vendor.refusing():
        paid_call.error(NotAccepted)
    assert (paid_call.session.calls(paid_call.endpoint), paid_call.session.charges()) == (0, [])


@pytest.mark.parametrize("paid_call", ["story", "edit"], indirect=True)
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
def test_openai_maps_error_codes(mode: str, code: str, paid_call: PaidCall) -> None:
    paid_call.session.vendor.fault(paid_call.endpoint, mode)
    assert paid_call.error(ProviderRefused).error_code == code
    assert paid_call.session.calls(paid_call.endpoint) == 1


def test_paid_call_log_contains_status_but_no_canary(
    paid_call: PaidCall, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for mode in ("403", "500", "429", "html"):
        paid_call.session.vendor.fault(paid_call.endpoint, mode)
        with pytest.raises(VideoError):
            paid_call.make()
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "'provider_status': 403" in logged
    assert vendors.CANARY not in logged
