"""The Runway stand-in, driven by Runway's own SDK with strict validation of what it gets."""

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
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with runway.serve(tmp_path_factory.mktemp("book"), credits=100_000) as running:
        yield running


@pytest.fixture
def vendor(running: StandIn) -> Iterator[StandIn]:
    yield running
    running.clear()
    running.set(concurrency=5, daily_generations=None, credits=100_000)


@pytest.fixture(scope="module")
def client(running: StandIn) -> Iterator[runwayml.RunwayML]:
    with runwayml.RunwayML(
        base_url=running.base_url,
        api_key=running.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def made(client: runwayml.RunwayML, **more: Any) -> Any:
    return client.image_to_video.create(**{**CLIP, **more})


def status(client: runwayml.RunwayML, task: str) -> str:
    return client.tasks.retrieve(task).status


def output(vendor: StandIn, client: runwayml.RunwayML, **more: Any) -> tuple[str, str]:
    """Make a clip and return its id and its output's address."""
    task = made(client, **more).id
    vendor.advance(1)
    return task, _address(client, task)


def _address(client: runwayml.RunwayML, task: str) -> str:
    told: Any = client.tasks.retrieve(task)
    return str(told.output[0])


def get(address: str, **more: Any) -> requests.Response:
    return requests.get(address, timeout=10, **more)


# -- tasks -----------------------------------------------------------------------------------------
def test_task_goes_its_way(vendor: StandIn, client: runwayml.RunwayML) -> None:
    vendor.set(pending_seconds=10, running_seconds=20)
    task = made(client)
    assert task.estimated_cost.credits == 10
    assert status(client, task.id) == "PENDING"
    vendor.advance(15)
    told: Any = client.tasks.retrieve(task.id)
    assert (told.status, told.progress) == ("RUNNING", pytest.approx(0.25, abs=0.05))
    vendor.advance(15)
    told = client.tasks.retrieve(task.id)
    assert (told.status, told.cost.credits, len(told.output)) == ("SUCCEEDED", 10, 1)
    vendor.set(pending_seconds=0.1, running_seconds=0.2)
    charge = vendor.charges()[-1]
    assert (str(charge.amount), charge.unit, charge.seed) == ("10", "credits", 42)
    assert (charge.prompt, charge.job, charge.model) == ("Slow push-in", task.id, "gen4_turbo")


@pytest.mark.parametrize(("ratio", "seconds"), [("1280:720", 2), ("832:1104", 3)])
def test_output_is_a_real_clip(
    vendor: StandIn, client: runwayml.RunwayML, tmp_path: Path, ratio: str, seconds: int
) -> None:
    _, address = output(vendor, client, ratio=ratio, duration=seconds)
    answer = get(address)
    assert answer.headers["content-type"] == "video/mp4"
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(answer.content)
    facts = ffmpeg.inspect(clip)
    assert (facts.codec, f"{facts.width}:{facts.height}") == ("h264", ratio)
    assert (facts.frames, facts.seconds) == (24 * seconds, seconds)


def test_more_than_the_limit_at_a_time_is_throttled(
    vendor: StandIn, client: runwayml.RunwayML
) -> None:
    vendor.advance(3600)
    vendor.set(concurrency=1, pending_seconds=10, running_seconds=10)
    first, second, third = (made(client).id for _ in range(3))
    assert [status(client, task) for task in (first, second)] == ["PENDING", "THROTTLED"]
    vendor.advance(25)
    vendor.fault("image_to_video", "stuck_throttled")
    for_ever = made(client).id  # takes nobody's place
    states = [status(client, task) for task in (first, second, third)]
    assert states == ["SUCCEEDED", "PENDING", "THROTTLED"]
    client.tasks.delete(second)
    assert status(client, third) == "PENDING"
    client.tasks.delete(for_ever)
    vendor.set(pending_seconds=0.1, running_seconds=0.2)


def test_deleted_task_is_gone_and_pays_back_only_before_it_runs(
    vendor: StandIn, client: runwayml.RunwayML
) -> None:
    vendor.fault("image_to_video", "stuck_pending")
    vendor.fault("image_to_video", "stuck_running")
    waiting, running = made(client).id, made(client).id
    vendor.advance(1)
    for task in (waiting, running):
        client.tasks.delete(task)
        for call in (client.tasks.retrieve, client.tasks.delete):
            with pytest.raises(runwayml.NotFoundError):
                call(task)
    refunded = {booking.job for booking in vendor.bookings() if booking.kind == "refund"}
    assert refunded & {waiting, running} == {waiting}


def test_polls_that_come_too_soon_are_noted(vendor: StandIn, client: runwayml.RunwayML) -> None:
    before, task = len(runway.too_fast(vendor)), made(client).id
    for pause in (0, 2, 6, 1):
        vendor.advance(pause)
        status(client, task)
    noted = runway.too_fast(vendor)[before:]
    assert [round(pause) for pause in noted] == [2, 1]


@pytest.mark.parametrize("mode", ["stuck_pending", "stuck_throttled", "stuck_running"])
def test_stuck_stays_so(vendor: StandIn, client: runwayml.RunwayML, mode: str) -> None:
    vendor.fault("image_to_video", mode)
    task = made(client).id
    vendor.advance(3600)
    assert status(client, task) == mode.removeprefix("stuck_").upper()
    client.tasks.delete(task)


def test_throttled_late_and_unknown_for_a_while(vendor: StandIn, client: runwayml.RunwayML) -> None:
    vendor.fault("image_to_video", "throttled", seconds=30)
    vendor.fault("image_to_video", "late", seconds=30)
    vendor.fault("image_to_video", "unknown_status", seconds=30, status="PAUSED")
    throttled, late, unknown = (made(client).id for _ in range(3))
    assert status(client, throttled) == "THROTTLED"
    with pytest.raises(runwayml.NotFoundError):
        status(client, late)
    headers = {"authorization": f"Bearer {vendor.api_key}", "x-runway-version": runway.VERSION}
    told = get(f"{vendor.url}/v1/tasks/{unknown}", headers=headers).json()
    assert told["status"] == "PAUSED"
    vendor.advance(31)
    assert {status(client, task) for task in (throttled, late, unknown)} == {"SUCCEEDED"}


@pytest.mark.parametrize("name", vectors.names("response", vendor="runway_task_failed"))
def test_failures_are_those_of_the_vectors(
    vendor: StandIn, client: runwayml.RunwayML, name: str
) -> None:
    body = vectors.load(name)["body"]
    vendor.fault("image_to_video", "failed", code=body.get("failureCode"))
    task = made(client, duration=5).id
    vendor.advance(1)
    told: Any = client.tasks.retrieve(task)
    assert (told.status, told.failure) == ("FAILED", body["failure"])
    assert told.failure_code == body.get("failureCode")
    assert told.cost.credits == body["cost"]["credits"]
    refunds = [-b.amount for b in vendor.bookings() if b.kind == "refund" and b.job == task]
    assert refunds == ([] if told.cost.credits else [25])


# -- outputs ---------------------------------------------------------------------------------------
def test_key_must_not_come_to_the_media_host(vendor: StandIn, client: runwayml.RunwayML) -> None:
    _, address = output(vendor, client)
    assert get(address).ok
    assert vendor.leaks() == []
    assert get(address, headers={"authorization": f"Bearer {vendor.api_key}"}).status_code == 400
    assert get(f"{address}&key={vendor.api_key}").status_code == 400
    assert [leak["place"] for leak in vendor.leaks()] == ["authorization", "the query"]


def test_address_expires_and_is_given_anew(vendor: StandIn, client: runwayml.RunwayML) -> None:
    task, address = output(vendor, client)
    vendor.fault("outputs", "expired")
    assert get(address).status_code == 403
    assert get(address).status_code == 403
    assert get(_address(client, task)).ok
    second = _address(client, task)
    vendor.advance(25 * 3600)
    assert get(second).status_code == 403
    assert get(_address(client, task)).ok
    assert get(address.replace("_jwt=", "_jwt=x")).status_code == 403


def test_downloads_that_go_wrong(
    vendor: StandIn, client: runwayml.RunwayML, tmp_path: Path
) -> None:
    _, address = output(vendor, client)
    right = get(address).content

    def struck(mode: str, **options: Any) -> requests.Response:
        vendor.fault("outputs", mode, **options)
        return get(address)

    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        struck("truncated")
    assert struck("wrong_type").headers["content-type"] == "image/png"
    assert struck("html").text.startswith("<html>")
    assert struck("slow", seconds=0.2).content == right
    corrupt = struck("corrupt")
    assert (len(corrupt.content), corrupt.content[4:8]) == (len(right), b"ftyp")
    assert len(struck("oversize", megabytes=2).content) == 2 * 2**20
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(struck("short_clip").content)
    assert ffmpeg.inspect(clip).seconds == 1
    clip.write_bytes(struck("small_clip").content)
    assert (ffmpeg.inspect(clip).width, ffmpeg.inspect(clip).height) == (640, 360)
    vendor.fault("image_to_video", "no_output")
    task = made(client).id
    vendor.advance(1)
    told: Any = client.tasks.retrieve(task)
    assert told.output == []
