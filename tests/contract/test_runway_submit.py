"""Runway submissions, against a stand-in with a clock, charges and a media store."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from common.domain import models
from common.domain.errors import InvalidInput, NotAccepted, OutcomeUnknown, ProviderRefused
from common.domain.video import RATIOS, EncodedImage
from common.providers import ClipRequest, JobRef, video_provider
from common.providers.video import _runway_api
from common.providers.video._runway_image import within_ratio
from common.providers.video.runway import Runway
from tests.stand_ins import runway
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import VendorSession

MODELS = [model for model in models.models() if model.provider == "runway"]


@pytest.fixture(scope="module")
def runway_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("runway")
    with runway.serve(folder, pending_seconds=5, running_seconds=30, concurrency=None) as vendor:
        yield vendor


@pytest.fixture
def session(runway_stand_in: StandIn) -> VendorSession:
    runway_stand_in.set(daily_generations=None, credits=100_000)
    return VendorSession(runway_stand_in)


@pytest.fixture
def provider(runway_stand_in: StandIn) -> Runway:
    provider = video_provider("runway", vendors.context(runway=runway_stand_in))
    assert isinstance(provider, Runway)
    return provider


# -- submit ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.model)
def test_runway_accepts_every_ratio_of_every_model(
    model: models.Model, session: VendorSession, provider: Runway
) -> None:
    for number, ratio in enumerate(model.ratios):
        seconds = model.seconds[number % len(model.seconds)]
        job = provider.submit(vendors.clip_request(model=model.model, ratio=ratio, seconds=seconds))
        charge = session.charges()[-1]
        assert charge.job == job.id
        assert charge.amount == job.estimated.units
        assert job.estimated == model.clip_cost(seconds)
        assert JobRef.from_json(job.as_json()) == job


def test_runway_uploads_large_image_without_api_key(
    session: VendorSession, provider: Runway
) -> None:
    large = vendors.sample_image(grain=90, extra=4_000_000)
    assert len(large.data) > 4_000_000
    provider.submit(vendors.clip_request(image=large))
    provider.submit(vendors.clip_request())
    assert session.calls("uploads") == session.calls("upload") == 1
    assert len(session.charges()) == 2
    assert session.vendor.leaks() == []


@pytest.mark.parametrize(
    ("endpoint", "mode"),
    [("uploads", mode) for mode in ("500", "503", "reset", "hang", "truncated", "html")]
    + [("upload", mode) for mode in ("500", "503", "reset", "hang")],
)
def test_runway_failed_upload_is_not_charged(
    endpoint: str,
    mode: str,
    session: VendorSession,
    provider: Runway,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_runway_api, "_FREE_SECONDS", 0.5)
    monkeypatch.setattr(_runway_api, "_UPLOAD_SECONDS", 0.5)
    session.vendor.fault(endpoint, mode)
    with pytest.raises(NotAccepted):
        provider.submit(vendors.clip_request(image=vendors.sample_image(grain=90, extra=4_000_000)))
    assert session.charges() == []


@pytest.mark.parametrize(
    ("clip_request", "field"),
    [
        (vendors.clip_request(seconds=11), "seconds"),
        (vendors.clip_request(model="veo3.1", seconds=5), "seconds"),
        (vendors.clip_request(model="veo3.1", ratio="960:960", seconds=4), "ratio"),
    ],
)
def test_runway_rejects_unsupported_request_before_call(
    clip_request: ClipRequest, field: str, session: VendorSession, provider: Runway
) -> None:
    with pytest.raises(InvalidInput) as caught:
        provider.submit(clip_request)
    assert caught.value.field == field
    assert session.calls("image_to_video") == 0


@pytest.mark.parametrize("letter", ["word ", "🎈", "é", "猫"])
def test_runway_prompt_is_truncated_in_utf16_units(
    letter: str, session: VendorSession, provider: Runway
) -> None:
    provider.submit(vendors.clip_request(prompt=letter * 2000))
    sent = session.charges()[-1].prompt
    assert 980 < len(sent.encode("utf-16-le")) // 2 <= 1000
    assert sent.endswith("characters and place keep their look.")


def test_runway_missing_credits_and_invalid_key_have_own_error_codes(
    session: VendorSession, provider: Runway
) -> None:
    session.vendor.set(credits=0)
    assert refusal_code(provider) == "provider.credits"
    other = vendors.with_secrets(
        vendors.context(runway=session.vendor), {"RUNWAY_API_KEY": "key_x"}
    )
    assert refusal_code(Runway(other)) == "provider.key"
    assert refusal_code(Runway(vendors.with_secrets(other, {}))) == "provider.key"
    assert session.calls("image_to_video") == 2
    assert session.charges() == []


def test_runway_daily_limit_differs_from_rate_limit(
    session: VendorSession, provider: Runway
) -> None:
    session.vendor.set(daily_generations=0)
    assert refusal_code(provider) == "provider.quota"
    session.vendor.set(daily_generations=100_000)
    session.vendor.fault("image_to_video", "429", retry_after=9)
    with pytest.raises(NotAccepted) as caught:
        provider.submit(vendors.clip_request())
    assert caught.value.retry_after == 9


def test_within_ratio_padding_can_be_cropped_losslessly() -> None:
    size = RATIOS["1584:672"]
    noise = Image.effect_noise(size, 80).convert("RGB")
    out = io.BytesIO()
    noise.save(out, "PNG")
    sent = within_ratio(EncodedImage(out.getvalue()), size)
    with Image.open(io.BytesIO(sent.data)) as image:
        assert image.width / image.height <= 2
        top = (image.height - size[1]) // 2
        assert image.crop((0, top, size[0], top + size[1])).tobytes() == noise.tobytes()


def refusal_code(provider: Runway) -> str:
    """Return the error code of a refused submission."""
    with pytest.raises(ProviderRefused) as caught:
        provider.submit(vendors.clip_request())
    assert caught.value.billed is False
    return caught.value.error_code


def test_runway_reconcile_counts_lost_task_without_its_id(
    session: VendorSession, provider: Runway
) -> None:
    request = vendors.clip_request()
    before = provider.reconcile(request, 30).accepted_count
    assert before is not None
    session.vendor.fault("image_to_video", "charge_then_reset")
    with pytest.raises(OutcomeUnknown):
        provider.submit(request)
    reconciliation = provider.reconcile(request, 30)
    assert (reconciliation.job, reconciliation.accepted_count) == (None, before + 1)
    assert session.calls("image_to_video") == 1
