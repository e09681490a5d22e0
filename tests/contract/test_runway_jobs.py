"""Runway tasks, from the first poll to the clip, against a stand-in with a clock and charges."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.domain import models
from common.domain.errors import MediaError, PermanentError, TransientError
from common.domain.video import RATIOS
from common.media import ffmpeg
from common.providers import JobRef, JobStatus, Retry, video_provider
from common.providers.video import runway as adapter
from common.providers.video.runway import Runway
from tests.stand_ins import runway
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import VendorSession

PRICE = models.find("video", "runway").usd_per_unit


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


# -- poll ------------------------------------------------------------------------------------------
def test_runway_task_reports_status_progress_and_cost(
    session: VendorSession, provider: Runway
) -> None:
    job = provider.submit(vendors.clip_request())
    assert provider.poll(job).status is JobStatus.QUEUED
    session.vendor.advance(20)
    state = provider.poll(job)
    assert state.status is JobStatus.RUNNING
    assert state.progress == pytest.approx(0.5, abs=0.05)
    assert state.wait_seconds >= 5
    session.vendor.advance(20)
    done = provider.poll(job)
    assert done.status is JobStatus.SUCCEEDED
    assert done.cost == job.estimated
    assert session.spent() == job.estimated.units


@pytest.mark.parametrize(
    ("mode", "status"),
    [
        ("stuck_throttled", JobStatus.THROTTLED),
        ("stuck_pending", JobStatus.QUEUED),
        ("stuck_running", JobStatus.RUNNING),
        ("unknown_status", JobStatus.RUNNING),
        ("late", JobStatus.QUEUED),
    ],
)
def test_runway_waiting_task_is_not_failed(
    mode: str, status: JobStatus, session: VendorSession, provider: Runway
) -> None:
    options: dict[str, Any] = {"seconds": 60} if mode == "late" else {}
    session.vendor.fault("image_to_video", mode, **options)
    job = provider.submit(vendors.clip_request())
    session.vendor.advance(10)
    assert provider.poll(job).status is status


@pytest.mark.parametrize("mode", ["500", "502", "503", "504", "429", "reset", "truncated", "html"])
def test_runway_poll_error_is_retryable(
    mode: str, session: VendorSession, provider: Runway
) -> None:
    job = provider.submit(vendors.clip_request())
    session.vendor.fault("tasks.get", mode)
    with pytest.raises(TransientError):
        provider.poll(job)
    assert provider.poll(job).status is JobStatus.QUEUED


def test_runway_unknown_task_fails_as_job_gone(provider: Runway) -> None:
    job = JobRef("runway", "gen4_turbo", "17f20503-6c24-4c16-946b-35dbbce2af2f")
    state = provider.poll(job)
    assert state.status is JobStatus.FAILED
    assert state.failure is not None
    assert state.failure.code == "provider.job_gone"


@pytest.mark.parametrize(
    ("code", "error_code", "retry", "credits_"),
    [
        ("SAFETY.INPUT.IMAGE", "safety.input", Retry.NO, 25),
        ("SAFETY.OUTPUT.VIDEO", "safety.output", Retry.CHANGED_INPUT, 25),
        ("INTERNAL.BAD_OUTPUT.CODE01", "clip.bad_output", Retry.CHANGED_INPUT, 0),
        ("INTERNAL", "provider.internal", Retry.LATER, 0),
        (None, "provider.internal", Retry.LATER, 0),
    ],
)
def test_runway_failed_task_cost_matches_charge(
    code: str | None,
    error_code: str,
    retry: Retry,
    credits_: int,
    session: VendorSession,
    provider: Runway,
) -> None:
    session.vendor.fault("image_to_video", "failed", code=code)
    job = provider.submit(vendors.clip_request())
    session.vendor.advance(60)
    state = provider.poll(job)
    assert state.failure is not None
    assert (state.failure.code, state.failure.retry) == (error_code, retry)
    assert state.cost is not None
    assert state.cost.units == credits_ == session.spent()
    assert state.cost.usd == credits_ * PRICE


def test_runway_success_without_output_raises_output_lost(
    session: VendorSession, provider: Runway, tmp_path: Path
) -> None:
    session.vendor.fault("image_to_video", "no_output")
    job = provider.submit(vendors.clip_request())
    session.vendor.advance(60)
    state = provider.poll(job)
    assert (state.status, state.outputs) == (JobStatus.SUCCEEDED, ())
    assert state.cost == job.estimated
    with pytest.raises(MediaError) as caught:
        provider.fetch(job, state, tmp_path / "clip.mp4")
    assert (caught.value.error_code, caught.value.billed) == ("clip.output_lost", True)


# -- fetch -----------------------------------------------------------------------------------------
@pytest.fixture
def finished_job(session: VendorSession, provider: Runway) -> JobRef:
    job = provider.submit(vendors.clip_request())
    session.vendor.advance(60)
    return job


def test_runway_download_does_not_send_api_key(
    session: VendorSession, provider: Runway, finished_job: JobRef, tmp_path: Path
) -> None:
    provider.fetch(finished_job, provider.poll(finished_job), tmp_path / "clip.mp4")
    facts = ffmpeg.decode(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == RATIOS["1280:720"]
    assert facts.seconds == pytest.approx(5, abs=0.25)
    assert session.vendor.leaks() == []


def test_runway_poll_renews_expired_output_url(
    session: VendorSession, provider: Runway, finished_job: JobRef, tmp_path: Path
) -> None:
    state = provider.poll(finished_job)
    session.vendor.advance(25 * 3600)
    with pytest.raises(MediaError):
        provider.fetch(finished_job, state, tmp_path / "clip.mp4")
    assert session.calls("tasks.get") == 1, (
        "a second poll within the interval exceeds the rate limit"
    )
    provider.fetch(finished_job, provider.poll(finished_job), tmp_path / "clip.mp4")
    assert ffmpeg.decode(tmp_path / "clip.mp4").frames


def test_runway_missing_output_raises_output_lost(
    session: VendorSession, provider: Runway, finished_job: JobRef, tmp_path: Path
) -> None:
    session.vendor.fault("outputs", "404")
    with pytest.raises(PermanentError) as caught:
        provider.fetch(finished_job, provider.poll(finished_job), tmp_path / "clip.mp4")
    assert (caught.value.error_code, caught.value.billed) == ("clip.output_lost", True)
    provider.fetch(finished_job, provider.poll(finished_job), tmp_path / "clip.mp4")


@pytest.mark.parametrize("mode", ["truncated", "html", "503", "reset", "wrong_type"])
def test_runway_failed_download_leaves_no_file_and_is_retryable(
    mode: str, session: VendorSession, provider: Runway, finished_job: JobRef, tmp_path: Path
) -> None:
    state, target = provider.poll(finished_job), tmp_path / "clip.mp4"
    session.vendor.fault("outputs", mode)
    with pytest.raises(TransientError):
        provider.fetch(finished_job, state, target)
    assert not target.exists()
    provider.fetch(finished_job, state, target)
    assert target.stat().st_size


def test_runway_download_size_is_limited(
    provider: Runway, finished_job: JobRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_MAX_CLIP_BYTES", 1000)
    with pytest.raises(MediaError):
        provider.fetch(finished_job, provider.poll(finished_job), tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


# -- cancel ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["", "stuck_throttled"])
def test_runway_cancel_of_waiting_task_is_free(
    mode: str, session: VendorSession, provider: Runway
) -> None:
    if mode:
        session.vendor.fault("image_to_video", mode)
    job = provider.submit(vendors.clip_request())
    state = provider.cancel(job, provider.poll(job))
    assert state.status is JobStatus.CANCELED
    assert state.cost is not None
    assert state.cost.usd == session.spent() == 0
    assert (session.calls("tasks.get"), session.calls("tasks.delete")) == (1, 1)


def test_runway_cancel_leaves_running_task_to_finish(
    session: VendorSession, provider: Runway, tmp_path: Path
) -> None:
    job = provider.submit(vendors.clip_request())
    session.vendor.advance(20)
    assert provider.cancel(job, provider.poll(job)).status is JobStatus.RUNNING
    assert session.calls("tasks.delete") == 0
    session.vendor.advance(40)
    provider.fetch(job, provider.poll(job), tmp_path / "clip.mp4")


def test_runway_cancel_keeps_finished_clip(
    session: VendorSession, provider: Runway, finished_job: JobRef, tmp_path: Path
) -> None:
    state = provider.cancel(finished_job, provider.poll(finished_job))
    assert state.status is JobStatus.SUCCEEDED
    assert session.calls("tasks.delete") == 0
    provider.fetch(finished_job, state, tmp_path / "clip.mp4")


@pytest.mark.parametrize("mode", ["500", "reset", "429", "404", "401"])
def test_runway_failed_cancel_leaves_task_queued(
    mode: str, session: VendorSession, provider: Runway
) -> None:
    job = provider.submit(vendors.clip_request())
    session.vendor.fault("tasks.delete", mode)
    assert provider.cancel(job, provider.poll(job)).status is JobStatus.QUEUED


def test_runway_cancel_ignores_task_with_unknown_status(
    session: VendorSession, provider: Runway
) -> None:
    for mode, status in (("unknown_status", JobStatus.RUNNING), ("late", JobStatus.QUEUED)):
        session.vendor.fault("image_to_video", mode, seconds=60)
        job = provider.submit(vendors.clip_request())
        assert provider.cancel(job, provider.poll(job)).status is status
    assert session.calls("tasks.delete") == 0
