"""A failed scene of a video: repeating its step alone, and resuming the whole video."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from common.media import ffmpeg
from infra.local.connection import Connection
from tests.e2e.client import Client, StackAccess
from tests.e2e.vendors import PAID, Vendors, serve

PAINT, ANIMATE = "/api/generate_single_image", "/api/generate_single_video_clip"


@pytest.fixture(scope="module")
def vendors(
    link: Connection, stack: StackAccess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vendors]:
    """Stand-ins of both vendors, called by the deployed stack."""
    with serve(link, stack, Path(tmp_path_factory.mktemp("vendors"))) as both:
        yield both


@pytest.fixture
def client(vendors: Vendors, as_user: Callable[[str], Client]) -> Client:
    for vendor in (vendors.openai, vendors.runway):
        vendor.clear()
    return as_user("fixer")


def make_video_with_refused_image(client: Client, vendors: Vendors, times: int = 1) -> str:
    """Return the id of a video of two scenes whose second image was refused."""
    vendors.openai.fault("images.edits", "moderation_input", times=times)
    video = client.create(
        prompt="A heron sails at dawn",
        scenes=2,
        seconds=2,
        models=PAID,
        style="Watercolor",
        mood="Calm",
    )
    failed = client.wait(video["id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "safety.input")
    assert failed["error"]["scene"] == 2
    return str(video["id"])


def repeat_step(client: Client, path: str, video_id: str, **body: Any) -> requests.Response:
    wait = {"Prefer": "wait=25"}
    response = client.call("POST", path, {"requestId": video_id, **body}, headers=wait)
    while response.status_code == 202:
        response = client.call("GET", response.json()["statusUrl"], headers=wait)
    return response


def assert_unfinished(client: Client, video_id: str) -> dict[str, Any]:
    """Assert that every endpoint shows the video as failed; return its error."""
    video: dict[str, Any] = client.call("GET", f"/v1/videos/{video_id}").json()
    assert (video["status"], video["output"]) == ("failed", None)
    download = client.call("GET", video["links"]["download"])
    assert (download.status_code, download.json()["code"]) == (409, "video.not_finished")
    listed = client.call("GET", "/v1/videos?status=failed").json()["data"]
    assert video_id in [item["id"] for item in listed]
    error: dict[str, Any] = video["error"]
    return error


def resume_and_assert_finished(client: Client, video_id: str, folder: Path) -> None:
    """Resume the video, check the file, and assert that there is nothing left to resume."""
    resumed = client.call("POST", f"/v1/videos/{video_id}/resume")
    assert resumed.status_code == 202, resumed.text
    video = client.wait(video_id)
    assert video["status"] == "succeeded", video["error"]
    path = folder / "final.mp4"
    path.write_bytes(requests.get(video["output"]["url"], timeout=60).content)
    assert ffmpeg.decode(path).frames == 2 * 2 * 24
    repeated = client.call("POST", f"/v1/videos/{video_id}/resume")
    assert (repeated.status_code, repeated.json()["code"]) == (409, "video.not_failed")


def test_resume_after_repeated_image_finishes_video_in_same_style(
    client: Client, vendors: Vendors, stack: StackAccess, tmp_path: Path
) -> None:
    before = len(vendors.openai.charges()), len(vendors.runway.charges())
    video_id = make_video_with_refused_image(client, vendors)
    response = repeat_step(client, PAINT, video_id, prompt="A heron on a pier", frameIndex=1)
    assert response.status_code == 200, response.text
    assert assert_unfinished(client, video_id)["code"] == "video.incomplete"
    (row,) = stack.rows(
        "SELECT style, mood FROM video_frames WHERE session_id = %s AND version = 2", video_id
    )
    assert row == {"style": "Watercolor", "mood": "Calm"}
    resume_and_assert_finished(client, video_id, tmp_path)
    # A story, two images and two clips: nothing was paid for twice.
    assert len(vendors.openai.charges()) - before[0] == 3
    assert len(vendors.runway.charges()) - before[1] == 2


def test_resume_after_repeated_clip_finishes_video(
    client: Client, vendors: Vendors, tmp_path: Path
) -> None:
    before = len(vendors.runway.charges())
    vendors.runway.fault("image_to_video", "failed", code="SAFETY.OUTPUT.VIDEO", credits=10)
    video = client.create(prompt="A heron sails at dawn", scenes=2, seconds=2, models=PAID)
    failed = client.wait(video["id"])
    assert (failed["status"], failed["error"]["code"]) == ("failed", "safety.output")
    index = failed["error"]["scene"] - 1
    response = repeat_step(client, ANIMATE, video["id"], prompt="It takes off", clipIndex=index)
    assert response.status_code == 200, response.text
    assert assert_unfinished(client, video["id"])["code"] == "video.incomplete"
    resume_and_assert_finished(client, video["id"], tmp_path)
    assert len(vendors.runway.charges()) - before == 3


def test_resume_with_changed_prompt_finishes_video_after_repeated_refusals(
    client: Client, vendors: Vendors, tmp_path: Path
) -> None:
    video_id = make_video_with_refused_image(client, vendors, times=3)
    response = repeat_step(client, PAINT, video_id, prompt="A heron on a pier", frameIndex=1)
    assert (response.status_code, response.json()["code"]) == (400, "safety.input")
    assert assert_unfinished(client, video_id)["code"] == "safety.input"
    resume = f"/v1/videos/{video_id}/resume"
    unknown = client.call("POST", resume, {"scenes": {"3": {"prompt": "x"}}})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/scenes/3")
    # The third attempt is refused too, and the resumed run fails at that scene.
    assert client.call("POST", resume).status_code == 202
    assert client.wait(video_id)["error"]["code"] == "safety.input"
    changed = client.call("POST", resume, {"scenes": {"2": {"prompt": "A heron in reeds"}}})
    assert changed.status_code == 202, changed.text
    video = client.wait(video_id)
    assert video["status"] == "succeeded", video["error"]
    assert video["scenes"][1]["prompt"].startswith("A heron in reeds")
