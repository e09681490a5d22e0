"""What every video provider promises, whoever it is; each is reached over its stand-in.

A new provider is picked up by its file. It needs an entry in `DOORS` here that opens it, with a
stand-in behind it where it speaks to somebody.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from common.domain import models
from common.domain.video import RATIOS
from common.media import ffmpeg
from common.providers import (
    ClipRequest,
    JobRef,
    JobState,
    JobStatus,
    VideoProvider,
    names,
    video_provider,
)
from tests.stand_ins import bedrock, runway
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import Shelf


@dataclass(frozen=True, slots=True)
class Camera:
    """A provider, and how to let time pass for it."""

    provider: VideoProvider
    wait: Callable[[], None]

    def finished(self, job: JobRef) -> JobState:
        """Let time pass until the job has ended."""
        for _ in range(20):
            state = self.provider.poll(job)
            assert state.wait_seconds >= 0
            if state.status not in (JobStatus.QUEUED, JobStatus.THROTTLED, JobStatus.RUNNING):
                return state
            self.wait()
        raise AssertionError("the job does not end")


Door = Callable[[pytest.FixtureRequest, pytest.MonkeyPatch], AbstractContextManager[Camera]]


class Everything(Shelf):
    """A store that holds the test picture under every key."""

    def get(self, key: str) -> bytes:
        return self.objects.get(key) or vendors.picture().data


@contextmanager
def _offline(_request: pytest.FixtureRequest, _patch: pytest.MonkeyPatch) -> Iterator[Camera]:
    yield Camera(video_provider("offline", vendors.context(store=Everything())), lambda: None)


@pytest.fixture(scope="module")
def runway_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("runway")
    with runway.serve(folder, pending_seconds=1, running_seconds=5, concurrency=None) as vendor:
        yield vendor


@contextmanager
def _runway(request: pytest.FixtureRequest, _patch: pytest.MonkeyPatch) -> Iterator[Camera]:
    vendor: StandIn = request.getfixturevalue("runway_stand_in")
    vendor.clear()
    vendor.set(daily_generations=None, credits=100_000)
    provider = video_provider("runway", vendors.context(runway=vendor))
    yield Camera(provider, lambda: _pass(vendor))


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
def bedrock_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with bedrock.serve(tmp_path_factory.mktemp("bedrock"), running_seconds=5) as vendor:
        yield vendor


@contextmanager
def _luma(request: pytest.FixtureRequest, patch: pytest.MonkeyPatch) -> Iterator[Camera]:
    vendor: StandIn = request.getfixturevalue("bedrock_stand_in")
    vendor.clear()
    with vendors.aws(patch, vendor.url):
        store = Bucket(vendor=vendor)
        yield Camera(video_provider("luma", vendors.context(store=store)), lambda: _pass(vendor))


def _pass(vendor: StandIn) -> None:
    vendor.advance(10)


DOORS: dict[str, Door] = {"offline": _offline, "runway": _runway, "luma": _luma}


@pytest.fixture(params=names("video"))
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if found not in DOORS:
        pytest.fail(f"No way to reach the video provider '{found}': add it to DOORS in {__file__}.")
    return found


@pytest.fixture
def camera(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Camera]:
    with DOORS[name](request, monkeypatch) as opened:
        yield opened


def wish(name: str) -> ClipRequest:
    model = models.find("video", name)
    return vendors.clip_request(
        model=model.model, seconds=model.seconds[0], token=vendors.fresh_token()
    )


def test_a_job_survives_being_stored(name: str, camera: Camera) -> None:
    job = camera.provider.submit(wish(name))
    assert job.provider == name
    assert job.wait_seconds >= 0
    assert JobRef.from_json(job.as_json()) == job


def test_a_job_becomes_a_clip_of_the_wished_length_and_size(
    name: str, camera: Camera, tmp_path: Path
) -> None:
    request = wish(name)
    job = JobRef.from_json(camera.provider.submit(request).as_json())
    state = camera.finished(job)
    assert state.status is JobStatus.SUCCEEDED
    assert state.failure is None
    camera.provider.fetch(job, state, tmp_path / "clip.mp4")
    facts = ffmpeg.decode(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == RATIOS[request.ratio]
    assert facts.seconds == pytest.approx(request.seconds, abs=0.25)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_asking_and_fetching_may_be_repeated(name: str, camera: Camera, tmp_path: Path) -> None:
    job = camera.provider.submit(wish(name))
    first = camera.finished(job)
    again = camera.provider.poll(job)
    assert again.status is first.status is JobStatus.SUCCEEDED
    for file in ("one.mp4", "two.mp4"):
        camera.provider.fetch(job, camera.provider.poll(job), tmp_path / file)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_the_price_is_the_registrys(name: str, camera: Camera) -> None:
    model = models.find("video", name)
    job = camera.provider.submit(wish(name))
    assert job.estimated.usd == model.clip_cost(model.seconds[0]).usd
    assert (job.estimated.usd > 0) == model.is_paid
    cost = camera.finished(job).cost
    assert cost is None or cost.usd == job.estimated.usd


def test_a_job_can_be_given_up(name: str, camera: Camera) -> None:
    job = camera.provider.submit(wish(name))
    state = camera.provider.cancel(job, camera.provider.poll(job))
    assert isinstance(state, JobState)
    assert state.status is not JobStatus.FAILED
