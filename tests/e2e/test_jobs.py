"""The video API on the deployed stack: idempotency, wait, cancel, resume, delete and CORS."""

import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.local.connection import Connection
from tests.e2e import vendors
from tests.e2e.client import Client, StackAccess
from tests.e2e.test_refusals import assert_problem
from tests.e2e.vendors import PAID, Vendors

FOLDERS = (
    *("user-uploads", "reference-frames", "video-clips"),
    *("narrations", "provenance", "receipts"),
)
"""The S3 folders of a video."""
SMALL = {"prompt": "A paper boat", "scenes": 1, "seconds": 2, "ratio": "960:960"}


def idempotency_key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


@pytest.mark.deployed
def test_prefer_wait_returns_finished_video(alice: Client) -> None:
    started = time.monotonic()
    response = alice.call("POST", "/v1/videos", SMALL, headers={"Prefer": "wait=25"})
    assert time.monotonic() - started < 29
    assert response.headers["Preference-Applied"] == "wait=25"
    if response.status_code == 202:  # on a busy machine
        response = alice.call("GET", response.headers["Location"], headers={"Prefer": "wait=25"})
    assert (response.status_code, response.json()["status"]) == (200, "succeeded")
    assert response.json()["output"]["url"]


def test_concurrent_requests_with_same_idempotency_key_start_one_run(
    alice: Client, stack: StackAccess
) -> None:
    body = {**SMALL, "prompt": f"Once {uuid.uuid4()}"}
    headers = idempotency_key()

    def create(_: int) -> Any:
        for _ in range(20):
            response = alice.call("POST", "/v1/videos", body, headers=headers)
            if response.status_code == 202:
                return response
            assert response.status_code in (409, 429, 503), response.text
            time.sleep(float(response.headers["Retry-After"]))
        raise AssertionError("no successful response in time")

    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(create, range(24)))
    assert len({response.text for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    run_rows = stack.rows(
        "SELECT r.run_id FROM runs r JOIN video_sessions USING (session_id) "
        "WHERE original_prompt = %s",
        body["prompt"],
    )
    assert len(run_rows) == 1
    other = alice.call("POST", "/v1/videos", SMALL, headers=headers)
    assert_problem(other, 422, "idempotency.other_request")
    assert alice.wait(responses[0].json()["id"])["status"] == "succeeded"


def test_cancel_ends_video_immediately_and_resume_finishes_it(
    alice: Client, as_user: Any, stack: StackAccess
) -> None:
    video = alice.create(**{**SMALL, "scenes": 6, "seconds": 4})
    assert_problem(as_user("bob").call("POST", video["links"]["cancel"]), 404, "not_found")
    response = alice.call("POST", video["links"]["cancel"])
    assert response.status_code == 200, response.text
    assert response.json()["video"]["status"] == "canceled"
    assert response.json()["billing"]["at_most"] == "0.0000"
    deadline = time.monotonic() + 20
    while stack.execution(video["run_id"])["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert stack.execution(video["run_id"])["status"] == "ABORTED"
    stack.sweep()
    assert alice.call("GET", video["links"]["self"]).json()["status"] == "canceled"
    resumed = alice.call("POST", video["links"]["resume"], headers=idempotency_key())
    assert resumed.status_code == 202
    ended = alice.wait(video["id"])
    assert ended["status"] == "succeeded", ended["error"]
    assert_problem(alice.call("POST", video["links"]["cancel"]), 409, "video.not_running")


@pytest.fixture(scope="module")
def paid_vendors(
    link: Connection, stack: StackAccess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vendors]:
    with vendors.serve(link, stack, Path(tmp_path_factory.mktemp("vendors"))) as vendors_:
        yield vendors_


def test_cancel_stops_provider_jobs_and_keeps_finished_clip(
    paid_vendors: Vendors, as_user: Any, stack: StackAccess
) -> None:
    client = as_user("canceler")
    paid_vendors.runway.fault("image_to_video", "stuck_pending", times=1)
    video = client.create(prompt="A heron", scenes=2, seconds=2, models=PAID)
    deadline = time.monotonic() + 60
    while len(paid_vendors.runway.charges()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(1)
    deadline = time.monotonic() + 60
    steps: list[str] = []
    # Jobs are polled at most every five seconds, so the cancellation takes a while.
    while steps != ["canceled", "succeeded"] or not paid_vendors.runway.requests("tasks.delete"):
        assert time.monotonic() < deadline, steps
        response = client.call("POST", video["links"]["cancel"], {"provider": True}).json()
        assert response["video"]["status"] == "canceled"
        steps = sorted(scene["clip"]["status"] for scene in response["video"]["scenes"])
    credits_ = sum(
        float(charge.amount) for charge in paid_vendors.runway.bookings()
    )  # one cent each
    dollars = sum(float(charge.amount) for charge in paid_vendors.openai.charges())
    billed = float(response["billing"]["amount"])
    assert billed == pytest.approx(dollars + credits_ / 100, abs=0.0002)
    assert response["billing"]["story"] == "billed"
    # The resume pays only for what is missing.
    stories = len(paid_vendors.openai.charges())
    assert client.call("POST", video["links"]["resume"]).status_code == 202
    ended = client.wait(video["id"])
    assert ended["status"] == "succeeded", ended["error"]
    assert len(paid_vendors.openai.charges()) == stories
    clips = [charge for charge in paid_vendors.runway.bookings() if charge.kind != "refund"]
    assert len(clips) == 3
    history = json.dumps(stack.execution(ended["run_id"]), default=str)
    assert paid_vendors.runway.api_key not in history


def test_delete_removes_all_object_versions_and_late_objects(
    as_user: Any, stack: StackAccess, link: Connection
) -> None:
    client = as_user("eraser")
    video = client.wait(client.create(**SMALL)["id"])
    bucket, s3 = link.outputs["MediaBucketName"], link.client("s3")
    folder = f"eraser/{video['id']}/"

    def put_objects(name: str) -> None:
        for kind in FOLDERS:
            s3.put_object(Bucket=bucket, Key=f"{folder}{kind}/{name}", Body=b"left")

    # An overwritten object also has an older version.
    put_objects("twice")
    put_objects("twice")

    def versions() -> list[Any]:
        page = s3.list_object_versions(Bucket=bucket, Prefix=folder)
        return [*page.get("Versions", []), *page.get("DeleteMarkers", [])]

    assert len(versions()) >= 6 + 2 * len(FOLDERS)
    deleted = client.call("DELETE", video["links"]["self"])
    assert deleted.status_code == 204, deleted.text
    assert deleted.text == ""
    assert versions() == []
    assert_problem(client.call("GET", video["links"]["self"]), 404, "not_found")
    assert_problem(client.call("DELETE", video["links"]["self"]), 404, "not_found")
    # A late worker leaves an object behind, which is erased once the worker is certainly gone.
    put_objects("late")
    stack.sweep()
    assert len(versions()) == len(FOLDERS)
    with stack.database() as cursor:
        cursor.execute("UPDATE deleted_videos SET deleted_at = now() - interval '21 minutes'")
    stack.sweep()
    assert versions() == []


@pytest.mark.deployed
def test_video_list_filters_and_events(as_user: Any) -> None:
    client = as_user("lister")
    made = client.call(
        "POST",
        "/v1/videos",
        {**SMALL, "prompt": "A heron in the fog", "metadata": {"order": "7"}},
        headers={"X-Request-ID": "my-heron", "Prefer": "wait=25"},
    ).json()
    client.wait(made["id"])
    for query in ("q=heron+fo", "metadata=order:7", "style=cinematic&status=succeeded"):
        listed = client.call("GET", f"/v1/videos?{query}").json()["data"]
        assert [video["id"] for video in listed] == [made["id"]], query
    assert client.call("GET", "/v1/videos?q=whale").json()["data"] == []
    events = client.call("GET", "/v1/videos/my-heron/events").json()["data"]
    assert (events[0]["type"], events[-1]["type"]) == ("run.queued", "run.succeeded")
    scene = client.call("GET", "/v1/videos/my-heron").json()["scenes"][0]
    picture = requests.get(scene["image"]["url"], timeout=30)
    clip = requests.get(scene["clip"]["url"], timeout=30)
    assert picture.content.startswith(b"\x89PNG")
    assert clip.content[4:8] == b"ftyp"
    acting = client.call("GET", "/v1/videos", headers={"X-User-ID": "alice"})
    assert "act_as" in assert_problem(acting, 403, "auth.forbidden")["detail"]


def test_cors_allows_only_configured_origin(alice: Client) -> None:
    origin = {"Origin": "http://localhost:3000"}
    preflight = Client(alice.base_url, None).call("OPTIONS", "/v1/videos", headers=origin)
    assert preflight.status_code == 204
    assert preflight.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    assert "Idempotency-Key" in preflight.headers["Access-Control-Allow-Headers"]
    read = alice.call("GET", "/v1/videos", headers=origin)
    assert read.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    # An error of API Gateway.
    refused = Client(alice.base_url, "rubbish").call("GET", "/v1/videos", headers=origin)
    assert_problem(refused, 401, "auth.unauthorized")
    assert refused.headers["Access-Control-Allow-Origin"] == origin["Origin"]
    for method in ("OPTIONS", "GET"):
        other = alice.call(method, "/v1/videos", headers={"Origin": "http://localhost:3001"})
        assert "Access-Control-Allow-Origin" not in other.headers
