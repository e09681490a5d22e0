"""Clips by Luma on Amazon Bedrock, over the wire of a stand-in that keeps its own book."""

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
from tests.support.vendors import Shelf, Visit

MODEL = models.find("video", "luma")
START, GET = "async_invoke.start", "async_invoke.get"


@dataclass
class Bucket(Shelf):
    """The media store, into which the stand-in's results are carried over."""

    vendor: StandIn | None = None

    def get(self, key: str) -> bytes:
        assert self.vendor is not None
        for address, data in bedrock.outputs(self.vendor).items():
            self.objects[address.removeprefix(self.location(""))] = data
        return super().get(key)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with bedrock.serve(tmp_path_factory.mktemp("bedrock"), running_seconds=60) as vendor:
        yield vendor


@pytest.fixture
def visit(running: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Visit]:
    with vendors.aws(monkeypatch, running.url):
        yield Visit(running)


@pytest.fixture
def camera(visit: Visit) -> Luma:
    provider = video_provider("luma", vendors.context(store=Bucket(vendor=visit.vendor)))
    assert isinstance(provider, Luma)
    return provider


def wish(ratio: str = "1280:720", seconds: int = 5, token: str = "") -> ClipRequest:
    return vendors.clip_request(
        model=MODEL.model, ratio=ratio, seconds=seconds, token=token or vendors.fresh_token()
    )


@pytest.mark.parametrize(("ratio", "seconds"), list(zip(MODEL.ratios, MODEL.seconds, strict=True)))
def test_a_clip_is_left_in_our_bucket_and_costs_what_the_book_says(
    ratio: str, seconds: int, visit: Visit, camera: Luma, tmp_path: Path
) -> None:
    job = camera.submit(wish(ratio, seconds))
    assert JobRef.from_json(job.as_json()) == job
    assert camera.poll(job).status is JobStatus.RUNNING
    visit.vendor.advance(120)
    state = camera.poll(job)
    assert state.status is JobStatus.SUCCEEDED
    assert state.cost is not None
    assert [charge.amount for charge in visit.charges()] == [state.cost.usd]
    camera.fetch(job, state, tmp_path / "clip.mp4")
    facts = ffmpeg.inspect(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == RATIOS[ratio]
    assert facts.seconds == pytest.approx(seconds, abs=0.25)


def test_the_result_lies_in_the_folder_of_the_video(camera: Luma) -> None:
    job = camera.submit(wish(token="att_42"))
    assert job.facts["key"].startswith("alice/vid_1/video-clips/delivered/att_42/")


def test_the_token_makes_a_repeated_submit_the_same_job(visit: Visit, camera: Luma) -> None:
    request = wish()
    assert camera.submit(request).id == camera.submit(request).id
    assert len(visit.charges()) == 1


@pytest.mark.parametrize(
    ("mode", "code"), [("quota", "provider.quota"), ("access_denied", "provider.forbidden")]
)
def test_bedrock_says_more_by_its_codes(mode: str, code: str, visit: Visit, camera: Luma) -> None:
    visit.vendor.fault(START, mode)
    with pytest.raises(ProviderRefused) as caught:
        camera.submit(wish())
    assert caught.value.error_code == code
    assert visit.charges() == []


def test_what_the_model_does_not_make_is_refused_before_the_call(
    visit: Visit, camera: Luma
) -> None:
    for request in (wish(seconds=6), wish(ratio="960:960")):
        with pytest.raises(InvalidInput):
            camera.submit(request)
    assert visit.calls(START) == 0


def test_a_failed_invocation_has_no_reason_that_we_could_tell_apart(
    visit: Visit, camera: Luma
) -> None:
    visit.vendor.fault(START, "failed", message=f"content filtered {vendors.CANARY}")
    job = camera.submit(wish())
    visit.vendor.advance(120)
    state = camera.poll(job)
    assert state.status is JobStatus.FAILED
    assert state.failure is not None
    assert state.failure.code == "provider.failed"
    assert vendors.CANARY not in str(state)


@pytest.mark.parametrize("mode", ["500", "503", "429", "reset", "truncated", "html", "empty"])
def test_a_failed_question_is_asked_again(mode: str, visit: Visit, camera: Luma) -> None:
    job = camera.submit(wish())
    visit.vendor.fault(GET, mode)
    with pytest.raises(TransientError):
        camera.poll(job)
    assert visit.calls(GET) == 1
    assert camera.poll(job).status is JobStatus.RUNNING


def test_a_result_that_never_came_is_lost(visit: Visit, camera: Luma, tmp_path: Path) -> None:
    visit.vendor.fault(START, "no_output")
    job = camera.submit(wish())
    visit.vendor.advance(120)
    with pytest.raises(PermanentError) as caught:
        camera.fetch(job, camera.poll(job), tmp_path / "clip.mp4")
    assert (caught.value.error_code, caught.value.billed) == ("clip.output_lost", True)


def test_there_is_no_way_to_stop(camera: Luma) -> None:
    job = camera.submit(wish())
    assert camera.cancel(job, camera.poll(job)).status is JobStatus.RUNNING


def test_media_elsewhere_than_in_s3_are_refused_before_the_call(visit: Visit) -> None:
    class Elsewhere(Shelf):
        location = None  # type: ignore[assignment]  # a store that does not know S3

    provider = Luma(ProviderContext(store=Elsewhere()))
    with pytest.raises(PermanentError):
        provider.submit(wish())
    assert visit.calls(START) == 0


@pytest.mark.parametrize("age", [30, 10**6], ids=["a moment ago", "long ago"])
def test_an_invocation_whose_answer_was_lost_is_found(age: int, visit: Visit, camera: Luma) -> None:
    wished = wish()
    visit.vendor.fault(START, "charge_then_reset")
    with pytest.raises(OutcomeUnknown):
        camera.submit(wished)
    trace = camera.reconcile(wished, age)
    assert trace.job is not None
    assert trace.job.id == visit.charges()[0].job
    assert camera.poll(trace.job).status is JobStatus.RUNNING
    assert (visit.calls(START), len(visit.charges())) == (1, 1)


def test_one_that_never_arrived_is_made_now_and_once(visit: Visit, camera: Luma) -> None:
    wished = wish()
    visit.vendor.fault(START, "reset")
    with pytest.raises(OutcomeUnknown):
        camera.submit(wished)
    first, second = camera.reconcile(wished, 30).job, camera.reconcile(wished, 60).job
    assert first == second
    assert first is not None
    assert len(visit.charges()) == 1


def test_a_token_that_may_be_forgotten_is_not_used_again(visit: Visit, camera: Luma) -> None:
    wished = wish()
    visit.vendor.fault(START, "reset")
    with pytest.raises(OutcomeUnknown):
        camera.submit(wished)
    assert camera.reconcile(wished, 3600).job is None
    assert visit.charges() == []


@pytest.mark.parametrize(("age", "error"), [(30, NotAccepted), (10**6, TransientError)])
def test_a_list_that_cannot_be_read_is_no_reason_to_submit(
    age: int, error: type[VideoError], visit: Visit, camera: Luma
) -> None:
    visit.vendor.fault("async_invoke.list", "500")
    with pytest.raises(error):
        camera.reconcile(wish(), age)
    assert (visit.calls(START), visit.charges()) == (0, [])


@pytest.mark.parametrize("mode", ["500", "503", "charge_then_503", "charge_then_502"])
def test_as_long_as_the_token_is_known_it_is_asked_again_and_paid_once(
    mode: str, visit: Visit, camera: Luma
) -> None:
    wished = wish()
    visit.vendor.fault(START, mode, times=2)
    with pytest.raises(OutcomeUnknown):
        camera.submit(wished)
    if not visit.charges():
        with pytest.raises(NotAccepted, match="pays once"):
            camera.reconcile(wished, 10)
    trace = camera.reconcile(wished, 20)
    assert trace.job is not None
    assert [charge.job for charge in visit.charges()] == [trace.job.id]
