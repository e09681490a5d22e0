"""The Runway stand-in, called by Runway's SDK with strict validation."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import runwayml

from common.media import ffmpeg
from tests.stand_ins import pictures, runway, vectors
from tests.stand_ins.process import StandIn


def uri(size: tuple[int, int] = (1280, 720), words: str = "scene", form: str = "png") -> str:
    data = base64.b64encode(pictures.draw(size, words, form=form)).decode()
    return f"data:image/{form};base64,{data}"


CLIP: dict[str, Any] = {
    "model": "gen4_turbo",
    "prompt_image": uri(),
    "prompt_text": "Slow push-in",
    "ratio": "1280:720",
    "duration": 2,
    "seed": 42,
}


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with runway.serve(tmp_path_factory.mktemp("book"), credits=100_000) as stand_in:
        yield stand_in


@pytest.fixture
def vendor(stand_in: StandIn) -> Iterator[StandIn]:
    yield stand_in
    stand_in.clear()
    stand_in.set(concurrency=5, daily_generations=None, credits=100_000)


@pytest.fixture(scope="module")
def client(stand_in: StandIn) -> Iterator[runwayml.RunwayML]:
    with runwayml.RunwayML(
        base_url=stand_in.base_url,
        api_key=stand_in.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def create_task(client: runwayml.RunwayML, **more: Any) -> Any:
    return client.image_to_video.create(**{**CLIP, **more})


def status(client: runwayml.RunwayML, task: str) -> str:
    return client.tasks.retrieve(task).status


def output(vendor: StandIn, client: runwayml.RunwayML, **more: Any) -> tuple[str, str]:
    """Make a clip; return the task id and the output URL."""
    task = create_task(client, **more).id
    vendor.advance(1)
    return task, _output_url(client, task)


def _output_url(client: runwayml.RunwayML, task: str) -> str:
    retrieved: Any = client.tasks.retrieve(task)
    return str(retrieved.output[0])


def get(url: str, **more: Any) -> requests.Response:
    return requests.get(url, timeout=10, **more)


# -- tasks -----------------------------------------------------------------------------------------
def test_runway_task_lifecycle_and_charge(vendor: StandIn, client: runwayml.RunwayML) -> None:
    vendor.set(pending_seconds=10, running_seconds=20)
    task = create_task(client)
    assert task.estimated_cost.credits == 10
    assert status(client, task.id) == "PENDING"
    vendor.advance(15)
    retrieved: Any = client.tasks.retrieve(task.id)
    assert (retrieved.status, retrieved.progress) == ("RUNNING", pytest.approx(0.25, abs=0.05))
    vendor.advance(15)
    retrieved = client.tasks.retrieve(task.id)
    assert (retrieved.status, retrieved.cost.credits, len(retrieved.output)) == ("SUCCEEDED", 10, 1)
    vendor.set(pending_seconds=0.1, running_seconds=0.2)
    charge = vendor.charges()[-1]
    assert (str(charge.amount), charge.unit, charge.seed) == ("10", "credits", 42)
    assert (charge.prompt, charge.job, charge.model) == ("Slow push-in", task.id, "gen4_turbo")


@pytest.mark.parametrize(("ratio", "seconds"), [("1280:720", 2), ("832:1104", 3)])
def test_runway_output_is_real_clip(
    vendor: StandIn, client: runwayml.RunwayML, tmp_path: Path, ratio: str, seconds: int
) -> None:
    _, url = output(vendor, client, ratio=ratio, duration=seconds)
    response = get(url)
    assert response.headers["content-type"] == "video/mp4"
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(response.content)
    facts = ffmpeg.inspect(clip)
    assert (facts.codec, f"{facts.width}:{facts.height}") == ("h264", ratio)
    assert (facts.frames, facts.seconds) == (24 * seconds, seconds)


def test_runway_concurrency_limit_throttles_tasks(
    vendor: StandIn, client: runwayml.RunwayML
) -> None:
    vendor.advance(3600)
    vendor.set(concurrency=1, pending_seconds=10, running_seconds=10)
    first, second, third = (create_task(client).id for _ in range(3))
    assert [status(client, task) for task in (first, second)] == ["PENDING", "THROTTLED"]
    vendor.advance(25)
    vendor.fault("image_to_video", "stuck_throttled")
    stuck = create_task(client).id  # uses no capacity
    states = [status(client, task) for task in (first, second, third)]
    assert states == ["SUCCEEDED", "PENDING", "THROTTLED"]
    client.tasks.delete(second)
    assert status(client, third) == "PENDING"
    client.tasks.delete(stuck)
    vendor.set(pending_seconds=0.1, running_seconds=0.2)


def test_runway_deleted_task_is_refunded_only_before_running(
    vendor: StandIn, client: runwayml.RunwayML
) -> None:
    vendor.fault("image_to_video", "stuck_pending")
    vendor.fault("image_to_video", "stuck_running")
    pending, started = create_task(client).id, create_task(client).id
    vendor.advance(1)
    for task in (pending, started):
        client.tasks.delete(task)
        for call in (client.tasks.retrieve, client.tasks.delete):
            with pytest.raises(runwayml.NotFoundError):
                call(task)
    refunded = {booking.job for booking in vendor.bookings() if booking.kind == "refund"}
    assert refunded & {pending, started} == {pending}


def test_runway_records_too_frequent_polls(vendor: StandIn, client: runwayml.RunwayML) -> None:
    before, task = len(runway.too_fast(vendor)), create_task(client).id
    for pause in (0, 2, 6, 1):
        vendor.advance(pause)
        status(client, task)
    short_pauses = runway.too_fast(vendor)[before:]
    assert [round(pause) for pause in short_pauses] == [2, 1]


@pytest.mark.parametrize("mode", ["stuck_pending", "stuck_throttled", "stuck_running"])
def test_runway_stuck_task_keeps_status(
    vendor: StandIn, client: runwayml.RunwayML, mode: str
) -> None:
    vendor.fault("image_to_video", mode)
    task = create_task(client).id
    vendor.advance(3600)
    assert status(client, task) == mode.removeprefix("stuck_").upper()
    client.tasks.delete(task)


def test_runway_throttled_late_and_unknown_tasks_recover(
    vendor: StandIn, client: runwayml.RunwayML
) -> None:
    vendor.fault("image_to_video", "throttled", seconds=30)
    vendor.fault("image_to_video", "late", seconds=30)
    vendor.fault("image_to_video", "unknown_status", seconds=30, status="PAUSED")
    throttled, late, unknown = (create_task(client).id for _ in range(3))
    assert status(client, throttled) == "THROTTLED"
    with pytest.raises(runwayml.NotFoundError):
        status(client, late)
    headers = {"authorization": f"Bearer {vendor.api_key}", "x-runway-version": runway.VERSION}
    retrieved = get(f"{vendor.url}/v1/tasks/{unknown}", headers=headers).json()
    assert retrieved["status"] == "PAUSED"
    vendor.advance(31)
    assert {status(client, task) for task in (throttled, late, unknown)} == {"SUCCEEDED"}


@pytest.mark.parametrize("name", vectors.names("response", vendor="runway_task_failed"))
def test_runway_failures_match_vectors(
    vendor: StandIn, client: runwayml.RunwayML, name: str
) -> None:
    body = vectors.load(name)["body"]
    vendor.fault("image_to_video", "failed", code=body.get("failureCode"))
    task = create_task(client, duration=5).id
    vendor.advance(1)
    retrieved: Any = client.tasks.retrieve(task)
    assert (retrieved.status, retrieved.failure) == ("FAILED", body["failure"])
    assert retrieved.failure_code == body.get("failureCode")
    assert retrieved.cost.credits == body["cost"]["credits"]
    refunds = [-b.amount for b in vendor.bookings() if b.kind == "refund" and b.job == task]
    assert refunds == ([] if retrieved.cost.credits else [25])


# -- outputs ---------------------------------------------------------------------------------------
def test_runway_media_host_reports_leaked_key(vendor: StandIn, client: runwayml.RunwayML) -> None:
    _, url = output(vendor, client)
    assert get(url).ok
    assert vendor.leaks() == []
    assert get(url, headers={"authorization": f"Bearer {vendor.api_key}"}).status_code == 400
    assert get(f"{url}&key={vendor.api_key}").status_code == 400
    assert [leak["place"] for leak in vendor.leaks()] == ["authorization", "the query"]


def test_runway_output_url_expires_and_is_renewed(
    vendor: StandIn, client: runwayml.RunwayML
) -> None:
    task, url = output(vendor, client)
    vendor.fault("outputs", "expired")
    assert get(url).status_code == 403
    assert get(url).status_code == 403
    assert get(_output_url(client, task)).ok
    second = _output_url(client, task)
    vendor.advance(25 * 3600)
    assert get(second).status_code == 403
    assert get(_output_url(client, task)).ok
    assert get(url.replace("_jwt=", "_jwt=x")).status_code == 403


def test_runway_scripted_download_faults(
    vendor: StandIn, client: runwayml.RunwayML, tmp_path: Path
) -> None:
    _, url = output(vendor, client)
    content = get(url).content

    def download_with_fault(mode: str, **options: Any) -> requests.Response:
        vendor.fault("outputs", mode, **options)
        return get(url)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        download_with_fault("truncated")
    assert download_with_fault("wrong_type").headers["content-type"] == "image/png"
    assert download_with_fault("html").text.startswith("<html>")
    assert download_with_fault("slow", seconds=0.2).content == content
    corrupt = download_with_fault("corrupt")
    assert (len(corrupt.content), corrupt.content[4:8]) == (len(content), b"ftyp")
    assert len(download_with_fault("oversize", megabytes=2).content) == 2 * 2**20
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(download_with_fault("short_clip").content)
    assert ffmpeg.inspect(clip).seconds == 1
    clip.write_bytes(download_with_fault("small_clip").content)
    assert (ffmpeg.inspect(clip).width, ffmpeg.inspect(clip).height) == (640, 360)
    vendor.fault("image_to_video", "no_output")
    task = create_task(client).id
    vendor.advance(1)
    retrieved: Any = client.tasks.retrieve(task)
    assert retrieved.output == []
