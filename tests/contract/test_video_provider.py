"""The contract of video providers, checked against the stand-in of each vendor.

Providers are discovered by their module. A new provider needs an entry in `PROVIDER_FACTORIES`,
with a stand-in if it calls a vendor.
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
from tests.support.media_store import InMemoryMediaStore


@dataclass(frozen=True, slots=True)
class ProviderHarness:
    """A provider and a function that advances its stand-in's clock."""

    provider: VideoProvider
    advance: Callable[[], None]

    def wait_until_finished(self, job: JobRef) -> JobState:
        """Advance the clock until the job ends; return its state."""
        for _ in range(20):
            state = self.provider.poll(job)
            assert state.wait_seconds >= 0
            if state.status not in (JobStatus.QUEUED, JobStatus.THROTTLED, JobStatus.RUNNING):
                return state
            self.advance()
        raise AssertionError("the job does not end")


ProviderFactory = Callable[
    [pytest.FixtureRequest, pytest.MonkeyPatch], AbstractContextManager[ProviderHarness]
]


class SampleImageStore(InMemoryMediaStore):
    """A media store with the sample image under every key."""

    def get(self, key: str) -> bytes:
        return self.objects.get(key) or vendors.sample_image().data


@contextmanager
def _offline(
    _request: pytest.FixtureRequest, _patch: pytest.MonkeyPatch
) -> Iterator[ProviderHarness]:
    yield ProviderHarness(
        video_provider("offline", vendors.context(store=SampleImageStore())), lambda: None
    )


@pytest.fixture(scope="module")
def runway_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    folder = tmp_path_factory.mktemp("runway")
    with runway.serve(folder, pending_seconds=1, running_seconds=5, concurrency=None) as vendor:
        yield vendor


@contextmanager
def _runway(
    request: pytest.FixtureRequest, _patch: pytest.MonkeyPatch
) -> Iterator[ProviderHarness]:
    vendor: StandIn = request.getfixturevalue("runway_stand_in")
    vendor.clear()
    vendor.set(daily_generations=None, credits=100_000)
    provider = video_provider("runway", vendors.context(runway=vendor))
    yield ProviderHarness(provider, lambda: _advance(vendor))


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
    with bedrock.serve(tmp_path_factory.mktemp("bedrock"), running_seconds=5) as vendor:
        yield vendor


@contextmanager
def _luma(request: pytest.FixtureRequest, patch: pytest.MonkeyPatch) -> Iterator[ProviderHarness]:
    vendor: StandIn = request.getfixturevalue("bedrock_stand_in")
    vendor.clear()
    with vendors.aws(patch, vendor.url):
        store = BucketStore(vendor=vendor)
        yield ProviderHarness(
            video_provider("luma", vendors.context(store=store)), lambda: _advance(vendor)
        )


def _advance(vendor: StandIn) -> None:
    vendor.advance(10)


PROVIDER_FACTORIES: dict[str, ProviderFactory] = {
    "offline": _offline,
    "runway": _runway,
    "luma": _luma,
}


@pytest.fixture(params=names("video"))
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in PROVIDER_FACTORIES:
        pytest.fail(f"Video provider '{name}' is missing from PROVIDER_FACTORIES in {__file__}.")
    return name


@pytest.fixture
def harness(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ProviderHarness]:
    with PROVIDER_FACTORIES[name](request, monkeypatch) as harness:
        yield harness


def clip_request(name: str) -> ClipRequest:
    model = models.find("video", name)
    return vendors.clip_request(
        model=model.model, seconds=model.seconds[0], token=vendors.fresh_token()
    )


def test_video_job_round_trips_through_json(name: str, harness: ProviderHarness) -> None:
    job = harness.provider.submit(clip_request(name))
    assert job.provider == name
    assert job.wait_seconds >= 0
    assert JobRef.from_json(job.as_json()) == job


def test_video_job_produces_clip_of_requested_duration_and_size(
    name: str, harness: ProviderHarness, tmp_path: Path
) -> None:
    request = clip_request(name)
    job = JobRef.from_json(harness.provider.submit(request).as_json())
    state = harness.wait_until_finished(job)
    assert state.status is JobStatus.SUCCEEDED
    assert state.failure is None
    harness.provider.fetch(job, state, tmp_path / "clip.mp4")
    facts = ffmpeg.decode(tmp_path / "clip.mp4")
    assert (facts.width, facts.height) == RATIOS[request.ratio]
    assert facts.seconds == pytest.approx(request.seconds, abs=0.25)
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_video_poll_and_fetch_are_idempotent(
    name: str, harness: ProviderHarness, tmp_path: Path
) -> None:
    job = harness.provider.submit(clip_request(name))
    first = harness.wait_until_finished(job)
    second = harness.provider.poll(job)
    assert second.status is first.status is JobStatus.SUCCEEDED
    for file in ("one.mp4", "two.mp4"):
        harness.provider.fetch(job, harness.provider.poll(job), tmp_path / file)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "two.mp4").read_bytes()


def test_video_provider_cost_matches_registry(name: str, harness: ProviderHarness) -> None:
    model = models.find("video", name)
    job = harness.provider.submit(clip_request(name))
    assert job.estimated.usd == model.clip_cost(model.seconds[0]).usd
    assert (job.estimated.usd > 0) == model.is_paid
    cost = harness.wait_until_finished(job).cost
    assert cost is None or cost.usd == job.estimated.usd


def test_video_job_can_be_canceled(name: str, harness: ProviderHarness) -> None:
    job = harness.provider.submit(clip_request(name))
    state = harness.provider.cancel(job, harness.provider.poll(job))
    assert isinstance(state, JobState)
    assert state.status is not JobStatus.FAILED
