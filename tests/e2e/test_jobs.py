"""The job API on the deployed stack: repeat, wait, cancel, resume."""

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
from tests.e2e.client import Backstage, Client
from tests.e2e.test_refusals import assert_problem
from tests.e2e.vendors import PAID, Vendors

KINDS = (
    *("user-uploads", "reference-frames", "video-clips"),
    *("narrations", "provenance", "receipts"),
)
"""The folders of a video's media."""
SMALL = {"prompt": "A paper boat", "scenes": 1, "seconds": 2, "ratio": "960:960"}


def key() -> dict[str, str]:
    return {"Idempotency-Key": uuid.uuid4().hex}


@pytest.mark.deployed
def test_who_waits_gets_the_finished_video(alice: Client) -> None:
    started = time.monotonic()
    answer = alice.call("POST", "/v1/videos", SMALL, headers={"Prefer": "wait=25"})
    assert time.monotonic() - started < 29
    assert answer.headers["Preference-Applied"] == "wait=25"
    if answer.status_code == 202:  # a machine that is busy
        answer = alice.call("GET", answer.headers["Location"], headers={"Prefer": "wait=25"})
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.json()["output"]["url"]


def test_many_at_once_with_one_key_make_one_run(alice: Client, backstage: Backstage) -> None:
    own = {**SMALL, "prompt": f"Once {uuid.uuid4()}"}
    headers = key()

    def ask(_: int) -> Any:
        for _ in range(20):
            answer = alice.call("POST", "/v1/videos", own, headers=headers)
            if answer.status_code == 202:
                return answer
            assert answer.status_code in (409, 429, 503), answer.text
            time.sleep(float(answer.headers["Retry-After"]))
        raise AssertionError("asked in vain")

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    found = backstage.rows(
        "SELECT r.run_id FROM runs r JOIN video_sessions USING (session_id) "
        "WHERE original_prompt = %s",
        own["prompt"],
    )
    assert len(found) == 1
    other = alice.call("POST", "/v1/videos", SMALL, headers=headers)
    assert_problem(other, 422, "idempotency.other_request")
    assert alice.wait(answers[0].json()["id"])["status"] == "succeeded"


def test_a_canceled_video_ends_at_once_and_resumes(
    alice: Client, as_user: Any, backstage: Backstage
) -> None:
    video = alice.create(**{**SMALL, "scenes": 6, "seconds": 4})
    assert_problem(as_user("bob").call("POST", video["links"]["cancel"]), 404, "not_found")
    answer = alice.call("POST", video["links"]["cancel"])
    assert answer.status_code == 200, answer.text
    assert answer.json()["video"]["status"] == "canceled"
    assert answer.json()["billing"]["at_most"] == "0.0000"
    deadline = time.monotonic() + 20
    while backstage.execution(video["run_id"])["status"] == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert backstage.execution(video["run_id"])["status"] == "ABORTED"
    backstage.sweep()
    assert alice.call("GET", video["links"]["self"]).json()["status"] == "canceled"
    resumed = alice.call("POST", video["links"]["resume"], headers=key())
    assert resumed.status_code == 202
    ended = alice.wait(video["id"])
    assert ended["status"] == "succeeded", ended["error"]
    assert_problem(alice.call("POST", video["links"]["cancel"]), 409, "video.not_running")


@pytest.fixture(scope="module")
def paid(
    link: Connection, backstage: Backstage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Vendors]:
    with vendors.serve(link, backstage, Path(tmp_path_factory.mktemp("vendors"))) as made:
        yield made


def test_jobs_at_the_provider_are_canceled_and_a_finished_clip_is_kept(
    paid: Vendors, as_user: Any, backstage: Backstage
) -> None:
    client = as_user("canceler")
    paid.runway.fault("image_to_video", "stuck_pending", times=1)
    video = client.create(prompt="A heron", scenes=2, seconds=2, models=PAID)
    deadline = time.monotonic() + 60
    while len(paid.runway.charges()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    time.sleep(1)
    deadline = time.monotonic() + 60
    steps: list[str] = []
    # Jobs may be asked after every five seconds only, so the cancellation takes a while.
    while steps != ["canceled", "succeeded"] or not paid.runway.requests("tasks.delete"):
        assert time.monotonic() < deadline, steps
        answer = client.call("POST", video["links"]["cancel"], {"provider": True}).json()
        assert answer["video"]["status"] == "canceled"
        steps = sorted(scene["clip"]["status"] for scene in answer["video"]["scenes"])
    credits_ = sum(float(charge.amount) for charge in paid.runway.bookings())  # a cent each
    dollars = sum(float(charge.amount) for charge in paid.openai.charges())
    billed = float(answer["billing"]["amount"])
    assert billed == pytest.approx(dollars + credits_ / 100, abs=0.0002)
    assert answer["billing"]["story"] == "billed"
    # What is missing is bought, and nothing else.
    stories = len(paid.openai.charges())
    assert client.call("POST", video["links"]["resume"]).status_code == 202
    ended = client.wait(video["id"])
    assert ended["status"] == "succeeded", ended["error"]
    assert len(paid.openai.charges()) == stories
    clips = [charge for charge in paid.runway.bookings() if charge.kind != "refund"]
    assert len(clips) == 3
    history = json.dumps(backstage.execution(ended["run_id"]), default=str)
    assert paid.runway.api_key not in history


def test_a_deleted_video_leaves_nothing_and_a_late_object_is_erased(
    as_user: Any, backstage: Backstage, link: Connection
) -> None:
    client = as_user("eraser")
    video = client.wait(client.create(**SMALL)["id"])
    bucket, s3 = link.outputs["MediaBucketName"], link.client("s3")
    folder = f"eraser/{video['id']}/"

    def leave(name: str) -> None:
        for kind in KINDS:
            s3.put_object(Bucket=bucket, Key=f"{folder}{kind}/{name}", Body=b"left")

    # An object that was overwritten has an older version too.
    leave("twice")
    leave("twice")

    def versions() -> list[Any]:
        found = s3.list_object_versions(Bucket=bucket, Prefix=folder)
        return [*found.get("Versions", []), *found.get("DeleteMarkers", [])]

    assert len(versions()) >= 6 + 2 * len(KINDS)
    gone = client.call("DELETE", video["links"]["self"])
    assert gone.status_code == 204, gone.text
    assert gone.text == ""
    assert versions() == []
    assert_problem(client.call("GET", video["links"]["self"]), 404, "not_found")
    assert_problem(client.call("DELETE", video["links"]["self"]), 404, "not_found")
    # A worker that was at it leaves something behind; when it is dead, that goes too.
    leave("late")
    backstage.sweep()
    assert len(versions()) == len(KINDS)
    with backstage.database() as cursor:
        cursor.execute("UPDATE deleted_videos SET deleted_at = now() - interval '21 minutes'")
    backstage.sweep()
    assert versions() == []


@pytest.mark.deployed
def test_lists_names_and_the_timeline(as_user: Any) -> None:
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


def test_a_page_of_the_allowed_site_may_call_and_no_other(alice: Client) -> None:
    mine = {"Origin": "http://localhost:3000"}
    asked = Client(alice.base_url, None).call("OPTIONS", "/v1/videos", headers=mine)
    assert asked.status_code == 204
    assert asked.headers["Access-Control-Allow-Origin"] == mine["Origin"]
    assert "Idempotency-Key" in asked.headers["Access-Control-Allow-Headers"]
    read = alice.call("GET", "/v1/videos", headers=mine)
    assert read.headers["Access-Control-Allow-Origin"] == mine["Origin"]
    # An error of the gateway itself.
    refused = Client(alice.base_url, "rubbish").call("GET", "/v1/videos", headers=mine)
    assert_problem(refused, 401, "auth.unauthorized")
    assert refused.headers["Access-Control-Allow-Origin"] == mine["Origin"]
    for method in ("OPTIONS", "GET"):
        other = alice.call(method, "/v1/videos", headers={"Origin": "http://localhost:3001"})
        assert "Access-Control-Allow-Origin" not in other.headers
