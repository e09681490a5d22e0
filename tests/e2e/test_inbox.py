"""Files that are dropped into the bucket become videos, once, and are answered there."""

import base64
import io
import json
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from infra.local.connection import Connection
from tests.e2e.client import Backstage, Client

QUICK = {"scenes": 1, "seconds": 2, "ratio": "960:960"}


def picture(colour: tuple[int, int, int] = (250, 20, 200)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 400), colour).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Inbox:
    """The inbox of one user, as somebody with rights on the bucket sees it."""

    backstage: Backstage
    user_id: str

    @property
    def bucket(self) -> str:
        return self.backstage.link.outputs["MediaBucketName"]

    def drop(self, name: str, body: Any, **metadata: str) -> dict[str, Any]:
        """Put a file (JSON unless it is bytes); return the detail of the event that is sent."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = f"inbox/{self.user_id}/{name}"
        answer = self.backstage.link.client("s3").put_object(
            Bucket=self.bucket, Key=key, Body=data, Metadata=metadata
        )
        version = answer["VersionId"]
        return {
            "bucket": {"name": self.bucket},
            "object": {"key": key, "size": len(data), "version-id": version},
        }

    def deliver(self, detail: dict[str, Any], receives: int = 1) -> Any:
        """Hand the event to the function, as the queue does; return what it did, or its error."""
        environment = self.backstage.environment("intake")
        assert environment["INBOX_RECEIVES"]
        event = {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}
        record = {
            "body": json.dumps(event),
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "eventSource": "aws:sqs",
        }
        answer = self.backstage.link.client("lambda").invoke(
            FunctionName=f"{self.backstage.link.stack}-intake",
            Payload=json.dumps({"Records": [record]}),
        )
        body = json.loads(answer["Payload"].read())
        return body["errorType"] if "FunctionError" in answer else body["done"]

    def answer(self, name: str, seconds: float = 90) -> dict[str, Any]:
        """Wait for the answer to a file; it says how it was named."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for kind in ("result", "error"):
                try:
                    data = self.backstage.read(f"outbox/{self.user_id}/{name}.{kind}.json")
                except ClientError:
                    continue
                return {"kind": kind, **json.loads(data)}
            time.sleep(0.3)
        raise AssertionError(f"{name} was not answered within {seconds} s")

    def runs(self, name: str) -> list[dict[str, Any]]:
        """The runs that a file started."""
        return self.backstage.rows(
            "SELECT r.* FROM inbox_objects o JOIN inbox_jobs j USING (object_id) "
            "JOIN runs r USING (run_id) WHERE o.object_key = %s ORDER BY j.line",
            f"inbox/{self.user_id}/{name}",
        )


@pytest.fixture
def box(as_user: Callable[[str], Client], backstage: Backstage) -> Inbox:
    """The inbox of a new user, who has a key."""
    user_id = f"box-{uuid.uuid4().hex[:8]}"
    as_user(user_id)
    return Inbox(backstage, user_id)


def test_a_job_is_made_and_answered(
    box: Inbox, link: Connection, as_user: Callable[[str], Client]
) -> None:
    """The whole way: bucket, event, queue, function, execution, and back into the bucket."""
    box.drop("may/kite.json", {"prompt": "A kite", "metadata": {"order": "4711"}, **QUICK})
    answer = box.answer("may/kite.json")
    assert (answer["kind"], answer["status"]) == ("result", "succeeded"), answer
    assert answer["source"] == f"inbox/{box.user_id}/may/kite.json"
    assert answer["metadata"] == {"order": "4711"}
    nothing = dict.fromkeys(("actual", "open", "possible", "at_most"), "0.0000")
    assert answer["cost"] == {**nothing, "currency": "USD"}
    data = box.backstage.read(answer["output"]["key"])
    assert data[4:8] == b"ftyp"
    assert len(data) == answer["output"]["size_bytes"]
    # The run appears in the API like any other, and says where it came from.
    video = as_user(box.user_id).call("GET", answer["links"]["self"]).json()
    assert (video["id"], video["status"]) == (answer["video_id"], "succeeded")
    assert video["source"] == answer["source"]
    (run,) = box.runs("may/kite.json")
    assert (run["run_id"], run["kind"]) == (answer["run_id"], "create")
    assert box.backstage.execution(run["run_id"])["status"] == "SUCCEEDED"


def test_events_delivered_five_times_and_shuffled_make_one_run_each(box: Inbox) -> None:
    dropped = {f"{n}.json": box.drop(f"{n}.json", {"prompt": f"Kite {n}", **QUICK}) for n in "abc"}
    # A new version of the same name is another job.
    again = box.drop("c.json", {"prompt": "Kite d", **QUICK})
    deliveries = [*dropped.values(), again] * 5
    random.Random(4711).shuffle(deliveries)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(box.deliver, deliveries))
    assert done.count("started") == 4
    assert done.count("known") == 16
    assert {name: len(box.runs(name)) for name in dropped} == {
        "a.json": 1,
        "b.json": 1,
        "c.json": 2,
    }
    for name in ("a.json", "b.json"):
        assert box.answer(name)["status"] == "succeeded"
    assert box.deliver(again) == "known"
    counted = box.backstage.rows(
        "SELECT count(*) AS n FROM video_sessions WHERE user_id = %s", box.user_id
    )
    assert counted[0]["n"] == 4


def test_a_batch_is_all_or_nothing(box: Inbox) -> None:
    good = [{"prompt": f"Kite {n}", **QUICK} for n in (1, 2, 3)]
    bad = [good[0], {"prompt": "Kite", "style": "Nonsense"}, {"prompt": "Kite", "seconds": 60}]
    assert box.deliver(box.drop("bad.jsonl", "\n".join(map(json.dumps, bad)).encode())) == "refused"
    refused = box.answer("bad.jsonl")
    assert (refused["kind"], refused["status"], refused["success"]) == ("error", "refused", False)
    assert [fault["pointer"] for fault in refused["errors"]] == ["/2/style", "/3/seconds"]
    assert "Cinematic" in refused["errors"][0]["allowed"]
    assert box.runs("bad.jsonl") == []
    assert box.deliver(box.drop("good.jsonl", "\n".join(map(json.dumps, good)).encode())) == (
        "started"
    )
    answer = box.answer("good.jsonl")
    assert (answer["kind"], answer["jobs"], answer["succeeded"]) == ("result", 3, 3)
    assert [result["line"] for result in answer["results"]] == [1, 2, 3]
    assert len({result["video_id"] for result in answer["results"]}) == 3


def test_a_batch_over_a_cap_starts_nothing(box: Inbox, link: Connection) -> None:
    with box.backstage.database() as cursor:
        cursor.execute(
            "UPDATE api_keys SET live = true, daily_cap_usd = 0.1 WHERE user_id = %s",
            (box.user_id,),
        )
    lines = [{"prompt": f"Kite {n}", "max_cost": "0", **QUICK} for n in (1, 2)]
    data = "\n".join(map(json.dumps, lines)).encode()
    # The offline providers cost nothing, so the cap has to be met by limits of its own.
    assert box.deliver(box.drop("free.jsonl", data)) == "started"
    with box.backstage.database() as cursor:
        cursor.execute("UPDATE api_keys SET per_minute = 1 WHERE user_id = %s", (box.user_id,))
    # What can be different in a moment comes again, until the queue gives up.
    over = box.drop("over.jsonl", data)
    assert box.deliver(over) == "TooManyRequests"
    assert box.runs("over.jsonl") == []
    last = int(box.backstage.environment("intake")["INBOX_RECEIVES"])
    assert box.deliver(over, receives=last) == "refused"
    assert box.answer("over.jsonl")["code"] == "rate.requests"
    assert box.answer("over.jsonl")["retryable"] is True


def test_a_picture_with_its_prompt_is_a_job(box: Inbox) -> None:
    box.drop(
        "cat.png", picture(), prompt="A cat in a hat", scenes="1", seconds="2", ratio="960:960"
    )
    answer = box.answer("cat.png")
    assert answer["status"] == "succeeded", answer
    reference = f"{box.user_id}/{answer['video_id']}/user-uploads/reference_image_1.png"
    assert reference in box.backstage.objects(f"{box.user_id}/")


@pytest.mark.parametrize(
    ("image", "job", "first"),
    [
        ("cat.PNG", "cat.json", "picture"),
        ("cat.PNG", "cat.json", "json"),
        ("Me\u0301lie\u0300s.png", "Méliès.png.json", "picture"),  # decomposed, as by macOS
    ],
)
def test_a_picture_and_the_json_beside_it_are_one_job(
    box: Inbox, image: str, job: str, first: str
) -> None:
    files: list[tuple[str, Any]] = [(image, picture()), (job, {"prompt": "A cat", **QUICK})]
    details = [box.drop(*file) for file in (files if first == "picture" else files[::-1])]
    for detail in details * 2:
        box.deliver(detail)
    answer = box.answer(quote(job))
    assert answer["status"] == "succeeded", answer
    assert len(box.runs(job)) == 1
    assert box.runs(image) == []
    row = box.backstage.rows(
        "SELECT reference_key FROM video_sessions WHERE session_id = %s", answer["video_id"]
    )
    assert row[0]["reference_key"]


def test_a_job_may_name_a_picture_that_is_there(
    box: Inbox, as_user: Callable[[str], Client]
) -> None:
    client = as_user(box.user_id)
    sent = {"image": base64.b64encode(picture()).decode()}
    assert client.call("POST", "/api/upload_image", sent).status_code == 200
    assert client.wait(client.create(prompt="A cat", **QUICK)["id"])["status"] == "succeeded"
    media = client.call("GET", "/v1/media").json()["data"]
    for kind in ("upload", "image"):
        (found,) = [one for one in media if one["kind"] == kind]
        box.drop(f"{kind}.json", {"prompt": "A cat", "image_id": found["id"], **QUICK})
        answer = box.answer(f"{kind}.json")
        assert answer["status"] == "succeeded", answer


def test_a_picture_that_comes_too_late_or_alone_is_told_so(box: Inbox) -> None:
    alone = box.drop("alone.png", picture())
    assert box.deliver(alone) == "refused"
    assert box.answer("alone.png")["code"] == "inbox.no_prompt"
    assert box.deliver(box.drop("dog.json", {"prompt": "A dog", **QUICK})) == "started"
    assert box.deliver(box.drop("dog.png", picture())) == "refused"
    assert box.answer("dog.png")["code"] == "inbox.late_picture"


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("notes.txt", b"hello", "inbox.type"),
        ("no-end", b"{}", "inbox.type"),
        ("broken.json", b"{", "request.malformed"),
        ("wrong.json", {"prompt": "A kite", "scenes": 61}, "request.invalid"),
        ("style.json", {"prompt": "A kite", "style": "Nonsense"}, "request.invalid"),
        ("my kite.json", b"[]", "request.invalid"),
        ("fake.png", b"%PDF-1.4", "image.invalid"),
        ("whose.json", {"prompt": "A kite", "userId": "alice"}, "request.invalid"),
        ("cost.json", {"prompt": "A kite", "max_cost": "-1"}, "request.invalid"),
    ],
)
def test_what_is_no_job_is_refused_with_the_reason(
    box: Inbox, name: str, body: Any, code: str
) -> None:
    metadata = {"prompt": "x"} if name.endswith(".png") else {}
    assert box.deliver(box.drop(name, body, **metadata)) == "refused"
    answer = box.answer(name.replace(" ", "%20"))
    assert (answer["kind"], answer["code"], answer["status"]) == ("error", code, "refused")
    assert answer["success"] is False
    assert answer["error"] == answer["detail"]
    assert box.runs(name) == []


def test_more_than_is_read_is_refused_unread(box: Inbox) -> None:
    assert box.deliver(box.drop("huge.json", b" " * (6 * 1024 * 1024 + 1))) == "refused"
    assert box.answer("huge.json")["code"] == "inbox.too_large"


def test_only_owners_that_exist_and_may(
    backstage: Backstage, link: Connection, as_user: Callable[[str], Client]
) -> None:
    nobody = Inbox(backstage, f"nobody-{uuid.uuid4().hex[:8]}")
    job = {"prompt": "A kite", **QUICK}
    assert nobody.deliver(nobody.drop("kite.json", job)) == "refused"
    assert nobody.answer("kite.json")["code"] == "inbox.owner"
    for change in ("active = false", "expires_at = now()", "endpoints = '{GET /v1/videos}'"):
        user = Inbox(backstage, f"may-not-{uuid.uuid4().hex[:8]}")
        as_user(user.user_id)
        with backstage.database() as cursor:
            cursor.execute(f"UPDATE api_keys SET {change} WHERE user_id = %s", (user.user_id,))
        assert user.deliver(user.drop("kite.json", job)) == "refused", change
    # Nobody's folder: there is nowhere to answer.
    assert Inbox(backstage, "al ice").deliver(Inbox(backstage, "al ice").drop("x.json", job)) == (
        "ignored"
    )
    assert Inbox(backstage, "outbox").deliver(Inbox(backstage, "outbox").drop("x.json", job)) == (
        "ignored"
    )


def test_a_failed_run_is_answered_with_its_error(box: Inbox, link: Connection) -> None:
    detail = box.drop("stopped.json", {"prompt": "Stopped", "scenes": 12, "seconds": 4})
    assert box.deliver(detail) == "started"
    (run,) = box.runs("stopped.json")
    execution = box.backstage.execution(run["run_id"])
    link.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    answer = box.answer("stopped.json", seconds=40)
    assert (answer["kind"], answer["status"]) == ("error", "failed")
    assert answer["error"]["code"] == "run.stopped"
    assert answer["links"]["resume"].endswith("/resume")


def test_an_answer_that_a_crash_left_out_is_written_by_the_sweeper(box: Inbox) -> None:
    assert box.deliver(box.drop("lost.json", {"prompt": "Lost", **QUICK})) == "started"
    first = box.answer("lost.json")
    with box.backstage.database() as cursor:
        cursor.execute(
            "UPDATE inbox_objects SET answered_at = NULL WHERE user_id = %s", (box.user_id,)
        )
    box.backstage.link.client("s3").delete_object(
        Bucket=box.bucket, Key=f"outbox/{box.user_id}/lost.json.result.json"
    )
    box.backstage.sweep()
    assert box.answer("lost.json", seconds=5) == first


def test_nothing_that_runs_here_can_write_into_the_inbox(
    box: Inbox, link: Connection, backstage: Backstage
) -> None:
    """The functions' own roles try it, on the deployed stack; so nothing can start itself."""
    iam = link.client("iam")
    names = [
        role["RoleName"]
        for page in iam.get_paginator("list_roles").paginate()
        for role in page["Roles"]
        if "Function" in role["RoleName"]
    ]
    assert len(names) >= 10
    for name in names:
        statements = [
            statement
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            for statement in iam.get_role_policy(RoleName=name, PolicyName=policy)[
                "PolicyDocument"
            ]["Statement"]
        ]
        assert any(
            statement["Effect"] == "Deny" and f"{box.bucket}/inbox/*" in str(statement["Resource"])
            for statement in statements
        ), name
