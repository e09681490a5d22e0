"""Tasks of Runway, from the first question to the clip, with a stand-in's own clock and book."""

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
from tests.support.vendors import Visit

PRICE = models.find("video", "runway").usd_per_unit


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("runway")
    with runway.serve(folder, pending_seconds=5, running_seconds=30, concurrency=None) as vendor:
        yield vendor


@pytest.fixture
def visit(running: StandIn) -> Visit:
    running.set(daily_generations=None, credits=100_000)
    return Visit(running)


@pytest.fixture
def camera(running: StandIn) -> Runway:
    provider = video_provider("runway", vendors.context(runway=running))
    assert isinstance(provider, Runway)
    return provider


# -- poll ------------------------------------------------------------------------------------------
def test_a_task_goes_through_its_states(visit: Visit, camera: Runway) -> None:
    job = camera.submit(vendors.clip_request())
    assert camera.poll(job).status is JobStatus.QUEUED
    visit.vendor.advance(20)
    running = camera.poll(job)
    assert running.status is JobStatus.RUNNING
    assert running.progress == pytest.approx(0.5, abs=0.05)
    assert running.wait_seconds >= 5
    visit.vendor.advance(20)
    done = camera.poll(job)
    assert done.status is JobStatus.SUCCEEDED
    assert done.cost == job.estimated
    assert visit.spent() == job.estimated.units


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
def test_waiting_is_not_failing(mode: str, status: JobStatus, visit: Visit, camera: Runway) -> None:
    options: dict[str, Any] = {"seconds": 60} if mode == "late" else {}
    visit.vendor.fault("image_to_video", mode, **options)
    job = camera.submit(vendors.clip_request())
    visit.vendor.advance(10)
    assert camera.poll(job).status is status


@pytest.mark.parametrize("mode", ["500", "502", "503", "504", "429", "reset", "truncated", "html"])
def test_a_failed_question_is_asked_again(mode: str, visit: Visit, camera: Runway) -> None:
    job = camera.submit(vendors.clip_request())
    visit.vendor.fault("tasks.get", mode)
    with pytest.raises(TransientError):
        camera.poll(job)
    assert camera.poll(job).status is JobStatus.QUEUED


def test_a_task_that_stays_unknown_is_gone(camera: Runway) -> None:
    job = JobRef("runway", "gen4_turbo", "17f20503-6c24-4c16-946b-35dbbce2af2f")
    state = camera.poll(job)
    assert state.status is JobStatus.FAILED
    assert state.failure is not None
    assert state.failure.code == "provider.job_gone"


@pytest.mark.parametrize(
    ("code", "own", "retry", "credits_"),
    [
        ("SAFETY.INPUT.IMAGE", "safety.input", Retry.NO, 25),
        ("SAFETY.OUTPUT.VIDEO", "safety.output", Retry.CHANGED_INPUT, 25),
        ("INTERNAL.BAD_OUTPUT.CODE01", "clip.bad_output", Retry.CHANGED_INPUT, 0),
        ("INTERNAL", "provider.internal", Retry.LATER, 0),
        (None, "provider.internal", Retry.LATER, 0),
    ],
)
def test_a_failed_task_costs_what_it_says(
    code: str | None, own: str, retry: Retry, credits_: int, visit: Visit, camera: Runway
) -> None:
    visit.vendor.fault("image_to_video", "failed", code=code)
    job = camera.submit(vendors.clip_request())
    visit.vendor.advance(60)
    state = camera.poll(job)
    assert state.failure is not None
    assert (state.failure.code, state.failure.retry) == (own, retry)
    assert state.cost is not None
    assert state.cost.units == credits_ == visit.spent()
    assert state.cost.usd == credits_ * PRICE


def test_success_without_a_link_is_a_clip_that_cannot_be_fetched(
    visit: Visit, camera: Runway, tmp_path: Path
) -> None:
    visit.vendor.fault("image_to_video", "no_output")
    job = camera.submit(vendors.clip_request())
    visit.vendor.advance(60)
    state = camera.poll(job)
    assert (state.status, state.outputs) == (JobStatus.SUCCEEDED, ())
    assert state.cost == job.estimated
    with pytest.raises(MediaError) as caught:
        camera.fetch(job, state, tmp_path / "clip.mp4")
    assert (caught.value.error_code, caught.value.billed) == ("clip.output_lost", True)


# -- fetch -----------------------------------------------------------------------------------------
@pytest.fixture
def finished(visit: Visit, camera: Runway) -> JobRef:
    job = camera.submit(vendors.clip_request())
    visit.vendor.advance(60)
    return job


def test_the_clip_is_downloaded_without_our_key(
    visit: Visit, camera: Runway, finished: JobRef, tmp_path: Path
) -> None:
    camera.fetch(finished, camera.poll(finished), tmp_path / "clip.mp4")
    facts = ffmpeg.decode(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == RATIOS["1280:720"]
    assert facts.seconds == pytest.approx(5, abs=0.25)
    assert visit.vendor.leaks() == []


def test_a_poll_names_another_link_for_an_expired_one(
    visit: Visit, camera: Runway, finished: JobRef, tmp_path: Path
) -> None:
    state = camera.poll(finished)
    visit.vendor.advance(25 * 3600)
    with pytest.raises(MediaError):
        camera.fetch(finished, state, tmp_path / "clip.mp4")
    assert visit.calls("tasks.get") == 1, "two polls at once are too many"
    camera.fetch(finished, camera.poll(finished), tmp_path / "clip.mp4")
    assert ffmpeg.decode(tmp_path / "clip.mp4").frames


def test_a_clip_that_is_not_handed_out_is_lost(
    visit: Visit, camera: Runway, finished: JobRef, tmp_path: Path
) -> None:
    visit.vendor.fault("outputs", "404")
    with pytest.raises(PermanentError) as caught:
        camera.fetch(finished, camera.poll(finished), tmp_path / "clip.mp4")
    assert (caught.value.error_code, caught.value.billed) == ("clip.output_lost", True)
    camera.fetch(finished, camera.poll(finished), tmp_path / "clip.mp4")


@pytest.mark.parametrize("mode", ["truncated", "html", "503", "reset", "wrong_type"])
def test_a_failed_download_leaves_no_file_and_may_be_repeated(
    mode: str, visit: Visit, camera: Runway, finished: JobRef, tmp_path: Path
) -> None:
    state, target = camera.poll(finished), tmp_path / "clip.mp4"
    visit.vendor.fault("outputs", mode)
    with pytest.raises(TransientError):
        camera.fetch(finished, state, target)
    assert not target.exists()
    camera.fetch(finished, state, target)
    assert target.stat().st_size


def test_a_download_has_a_limit(
    camera: Runway, finished: JobRef, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "_MOST_CLIP_BYTES", 1000)
    with pytest.raises(MediaError):
        camera.fetch(finished, camera.poll(finished), tmp_path / "clip.mp4")
    assert not list(tmp_path.iterdir())


# -- cancel ----------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["", "stuck_throttled"])
def test_a_task_that_waits_is_canceled_for_free(mode: str, visit: Visit, camera: Runway) -> None:
    if mode:
        visit.vendor.fault("image_to_video", mode)
    job = camera.submit(vendors.clip_request())
    state = camera.cancel(job, camera.poll(job))
    assert state.status is JobStatus.CANCELED
    assert state.cost is not None
    assert state.cost.usd == visit.spent() == 0
    assert (visit.calls("tasks.get"), visit.calls("tasks.delete")) == (1, 1)


def test_a_task_that_is_billed_anyway_is_left_to_finish(
    visit: Visit, camera: Runway, tmp_path: Path
) -> None:
    job = camera.submit(vendors.clip_request())
    visit.vendor.advance(20)
    assert camera.cancel(job, camera.poll(job)).status is JobStatus.RUNNING
    assert visit.calls("tasks.delete") == 0
    visit.vendor.advance(40)
    camera.fetch(job, camera.poll(job), tmp_path / "clip.mp4")


def test_a_finished_clip_is_kept(
    visit: Visit, camera: Runway, finished: JobRef, tmp_path: Path
) -> None:
    state = camera.cancel(finished, camera.poll(finished))
    assert state.status is JobStatus.SUCCEEDED
    assert visit.calls("tasks.delete") == 0
    camera.fetch(finished, state, tmp_path / "clip.mp4")


@pytest.mark.parametrize("mode", ["500", "reset", "429", "404"])
def test_a_task_that_cannot_be_stopped_goes_on(mode: str, visit: Visit, camera: Runway) -> None:
    job = camera.submit(vendors.clip_request())
    visit.vendor.fault("tasks.delete", mode)
    assert camera.cancel(job, camera.poll(job)).status is JobStatus.QUEUED


def test_a_task_in_a_strange_state_is_left_alone(visit: Visit, camera: Runway) -> None:
    for mode, seen in (("unknown_status", JobStatus.RUNNING), ("late", JobStatus.QUEUED)):
        visit.vendor.fault("image_to_video", mode, seconds=60)
        job = camera.submit(vendors.clip_request())
        assert camera.cancel(job, camera.poll(job)).status is seen
    assert visit.calls("tasks.delete") == 0
