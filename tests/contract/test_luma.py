"""Luma on Amazon Bedrock, against a stand-in that records charges."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.domain import models
from common.domain.errors import (
    InvalidInput,
    NotAccepted,
    OutcomeUnknown,
    PermanentError,
    ProviderRefused,
    TransientError,
    VideoError,
)
from common.domain.video import RATIOS
from common.media import ffmpeg
from common.providers import ClipRequest, JobRef, JobStatus, ProviderContext, video_provider
from common.providers.video.luma import Luma
from tests.stand_ins import bedrock
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.media_store import InMemoryMediaStore
from tests.support.vendors import VendorSession

MODEL = models.find("video", "luma")
START, GET = "async_invoke.start", "async_invoke.get"


@dataclass
class BucketStore(InMemoryMediaStore):
    """A media store that also contains the stand-in's outputs."""

    vendor: StandIn | None = None

    def get(self, key: str) -> bytes:
        assert self.vendor is not None
        for address, data in bedrock.outputs(self.vendor).items():
            self.objects[address.removeprefix(self.location(""))] = data
        return super().get(key)


@pytest.fixture(scope="module")
def bedrock_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with bedrock.serve(tmp_path_factory.mktemp("bedrock"), running_seconds=60) as vendor:
        yield vendor


@pytest.fixture
def session(bedrock_stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[VendorSession]:
    with vendors.aws(monkeypatch, bedrock_stand_in.url):
        yield VendorSession(bedrock_stand_in)


@pytest.fixture
def provider(session: VendorSession) -> Luma:
    provider = video_provider("luma", vendors.context(store=BucketStore(vendor=session.vendor)))
    assert isinstance(provider, Luma)
    return provider


def clip_request(ratio: str = "1280:720", seconds: int = 5, token: str = "") -> ClipRequest:
    return vendors.clip_request(
        model=MODEL.model, ratio=ratio, seconds=seconds, token=token or vendors.fresh_token()
    )


@pytest.mark.parametrize(("ratio", "seconds"), list(zip(MODEL.ratios, MODEL.seconds, strict=True)))
def test_luma_clip_is_written_to_bucket_and_cost_matches_charge(
    ratio: str, seconds: int, session: VendorSession, provider: Luma, tmp_path: Path
) -> None:
    job = provider.submit(clip_request(ratio, seconds))
    assert JobRef.from_json(job.as_json()) == job
    assert provider.poll(job).status is JobStatus.RUNNING
    session.vendor.advance(120)
    state = provider.poll(job)
    assert state.status is JobStatus.SUCCEEDED
    assert state.cost is not None
    assert [charge.amount for charge in session.charges()] == [state.cost.usd]
    provider.fetch(job, state, tmp_path / "clip.mp4")
    facts = ffmpeg.inspect(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == RATIOS[ratio]
    assert facts.seconds == pytest.approx(seconds, abs=0.25)


def test_luma_output_key_is_below_video_prefix(provider: Luma) -> None:
    job = provider.submit(clip_request(token="att_42"))
    assert job.facts["key"].startswith("alice/vid_1/video-clips/delivered/att_42/")


def test_luma_submit_is_idempotent_by_client_token(session: VendorSession, provider: Luma) -> None:
    request = clip_request()
    assert provider.submit(request).id == provider.submit(request).id
    assert len(session.charges()) == 1


@pytest.mark.parametrize(
    ("mode", "code"), [("quota", "provider.quota"), ("access_denied", "provider.forbidden")]
)
def test_luma_maps_bedrock_error_codes(
    mode: str, code: str, session: VendorSession, provider: Luma
) -> None:
    session.vendor.fault(START, mode)
    with pytest.raises(ProviderRefused) as caught:
        provider.submit(clip_request())
    assert caught.value.error_code == code
    assert session.charges() == []


def test_luma_rejects_unsupported_request_before_call(
    session: VendorSession, provider: Luma
) -> None:
    for request in (clip_request(seconds=6), clip_request(ratio="960:960")):
        with pytest.raises(InvalidInput):
            provider.submit(request)
    assert session.calls(START) == 0


def test_luma_failed_invocation_has_generic_failure_code(
    session: VendorSession, provider: Luma
) -> None:
    session.vendor.fault(START, "failed", message=f"content filtered {vendors.CANARY}")
    job = provider.submit(clip_request())
    session.vendor.advance(120)
    state = provider.poll(job)
    assert state.status is JobStatus.FAILED
    assert state.failure is not None
    assert state.failure.code == "provider.failed"
    assert vendors.CANARY not in str(state)


@pytest.mark.parametrize("mode", ["500", "503", "429", "reset", "truncated", "html", "empty"])
def test_luma_poll_error_is_retryable(mode: str, session: VendorSession, provider: Luma) -> None:
    job = provider.submit(clip_request())
    session.vendor.fault(GET, mode)
    with pytest.raises(TransientError):
        provider.poll(job)
    assert session.calls(GET) == 1
    assert provider.poll(job).status is JobStatus.RUNNING


def test_luma_missing_output_raises_output_lost(
    session: VendorSession, provider: Luma, tmp_path: Path
) -> None:
    session.vendor.fault(START, "no_output")
    job = provider.submit(clip_request())
    session.vendor.advance(120)
    with pytest.raises(PermanentError) as caught:
        provider.fetch(job, provider.poll(job), tmp_path / "clip.mp4")
    assert (caught.value.error_code, caught.value.billed) == ("clip.output_lost", True)


def test_luma_cancel_leaves_job_running(provider: Luma) -> None:
    job = provider.submit(clip_request())
    assert provider.cancel(job, provider.poll(job)).status is JobStatus.RUNNING


def test_luma_requires_media_store_in_s3(session: VendorSession) -> None:
    class StoreWithoutS3(InMemoryMediaStore):
        location = None  # type: ignore[assignment]  # a store without S3 URIs

    provider = Luma(ProviderContext(store=StoreWithoutS3()))
    with pytest.raises(PermanentError):
        provider.submit(clip_request())
    assert session.calls(START) == 0


@pytest.mark.parametrize("age", [30, 10**6], ids=["a moment ago", "long ago"])
def test_luma_reconcile_finds_job_after_lost_response(
    age: int, session: VendorSession, provider: Luma
) -> None:
    request = clip_request()
    session.vendor.fault(START, "charge_then_reset")
    with pytest.raises(OutcomeUnknown):
        provider.submit(request)
    reconciliation = provider.reconcile(request, age)
    assert reconciliation.job is not None
    assert reconciliation.job.id == session.charges()[0].job
    assert provider.poll(reconciliation.job).status is JobStatus.RUNNING
    assert (session.calls(START), len(session.charges())) == (1, 1)


def test_luma_reconcile_submits_unreceived_request_once(
    session: VendorSession, provider: Luma
) -> None:
    request = clip_request()
    session.vendor.fault(START, "reset")
    with pytest.raises(OutcomeUnknown):
        provider.submit(request)
    first, second = (provider.reconcile(request, seconds).job for seconds in (30, 60))
    assert first == second
    assert first is not None
    assert len(session.charges()) == 1


def test_luma_reconcile_does_not_reuse_expired_client_token(
    session: VendorSession, provider: Luma
) -> None:
    request = clip_request()
    session.vendor.fault(START, "reset")
    with pytest.raises(OutcomeUnknown):
        provider.submit(request)
    assert provider.reconcile(request, 3600).job is None
    assert session.charges() == []


@pytest.mark.parametrize(("age", "error"), [(30, NotAccepted), (10**6, TransientError)])
def test_luma_reconcile_does_not_submit_if_listing_fails(
    age: int, error: type[VideoError], session: VendorSession, provider: Luma
) -> None:
    session.vendor.fault("async_invoke.list", "500")
    with pytest.raises(error):
        provider.reconcile(clip_request(), age)
    assert (session.calls(START), session.charges()) == (0, [])


@pytest.mark.parametrize("mode", ["500", "503", "charge_then_503", "charge_then_502"])
def test_luma_reconcile_retries_with_same_token_and_is_charged_once(
    mode: str, session: VendorSession, provider: Luma
) -> None:
    request = clip_request()
    session.vendor.fault(START, mode, times=2)
    with pytest.raises(OutcomeUnknown):
        provider.submit(request)
    if not session.charges():
        with pytest.raises(NotAccepted, match="charged at most once"):
            provider.reconcile(request, 10)
    reconciliation = provider.reconcile(request, 20)
    assert reconciliation.job is not None
    assert [charge.job for charge in session.charges()] == [reconciliation.job.id]
