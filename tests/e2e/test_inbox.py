"""The inbox: uploaded files start runs exactly once, and results are written to the outbox."""

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
from tests.e2e.client import Client, StackAccess

QUICK = {"scenes": 1, "seconds": 2, "ratio": "960:960"}


def png(colour: tuple[int, int, int] = (250, 20, 200)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 400), colour).save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True)
class Inbox:
    """The inbox of a user, accessed through the bucket."""

    stack: StackAccess
    user_id: str

    @property
    def bucket(self) -> str:
        return self.stack.link.outputs["MediaBucketName"]

    def drop(self, name: str, body: Any, **metadata: str) -> dict[str, Any]:
        """Put an object (JSON unless bytes); return the detail of its S3 event."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        key = f"inbox/{self.user_id}/{name}"
        response = self.stack.link.client("s3").put_object(
            Bucket=self.bucket, Key=key, Body=data, Metadata=metadata
        )
        version = response["VersionId"]
        return {
            "bucket": {"name": self.bucket},
            "object": {"key": key, "size": len(data), "version-id": version},
        }

    def deliver(self, detail: dict[str, Any], receives: int = 1) -> Any:
        """Invoke the function with the event as the queue does; return its result or error type."""
        environment = self.stack.environment("intake")
        assert environment["INBOX_RECEIVES"]
        event = {"detail-type": "Object Created", "source": "aws.s3", "detail": detail}
        record = {
            "body": json.dumps(event),
            "attributes": {"ApproximateReceiveCount": str(receives)},
            "eventSource": "aws:sqs",
        }
        response = self.stack.link.client("lambda").invoke(
            FunctionName=f"{self.stack.link.stack}-intake",
            Payload=json.dumps({"Records": [record]}),
        )
        body = json.loads(response["Payload"].read())
        return body["errorType"] if "FunctionError" in response else body["done"]

    def result(self, name: str, seconds: float = 90) -> dict[str, Any]:
        """Wait for the result of an object; return it with its kind (result or error)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for kind in ("result", "error"):
                try:
                    data = self.stack.read(f"outbox/{self.user_id}/{name}.{kind}.json")
                except ClientError:
                    continue
                return {"kind": kind, **json.loads(data)}
            time.sleep(0.3)
        raise AssertionError(f"{name} has no result within {seconds} s")

    def runs(self, name: str) -> list[dict[str, Any]]:
        """Return the runs that an object started."""
        return self.stack.rows(
            "SELECT r.* FROM inbox_objects o JOIN inbox_jobs j USING (object_id) "
            "JOIN runs r USING (run_id) WHERE o.object_key = %s ORDER BY j.line",
            f"inbox/{self.user_id}/{name}",
        )


@pytest.fixture
def inbox(as_user: Callable[[str], Client], stack: StackAccess) -> Inbox:
    """The inbox of a new user with a key."""
    user_id = f"box-{uuid.uuid4().hex[:8]}"
    as_user(user_id)
    return Inbox(stack, user_id)


def test_inbox_job_makes_video_and_writes_result(
    inbox: Inbox, link: Connection, as_user: Callable[[str], Client]
) -> None:
    """The whole path: bucket, event, queue, function, execution, and result in the bucket."""
    inbox.drop("may/kite.json", {"prompt": "A kite", "metadata": {"order": "4711"}, **QUICK})
    result = inbox.result("may/kite.json")
    assert (result["kind"], result["status"]) == ("result", "succeeded"), result
    assert result["source"] == f"inbox/{inbox.user_id}/may/kite.json"
    assert result["metadata"] == {"order": "4711"}
    zero = dict.fromkeys(("actual", "open", "possible", "at_most"), "0.0000")
    assert result["cost"] == {**zero, "currency": "USD"}
    data = inbox.stack.read(result["output"]["key"])
    assert data[4:8] == b"ftyp"
    assert len(data) == result["output"]["size_bytes"]
    # The run appears in the API with its source.
    video = as_user(inbox.user_id).call("GET", result["links"]["self"]).json()
    assert (video["id"], video["status"]) == (result["video_id"], "succeeded")
    assert video["source"] == result["source"]
    (run,) = inbox.runs("may/kite.json")
    assert (run["run_id"], run["kind"]) == (result["run_id"], "create")
    assert inbox.stack.execution(run["run_id"])["status"] == "SUCCEEDED"


def test_inbox_events_delivered_repeatedly_start_one_run_each(inbox: Inbox) -> None:
    details = {
        f"{n}.json": inbox.drop(f"{n}.json", {"prompt": f"Kite {n}", **QUICK}) for n in "abc"
    }
    # A new version of the same key is another job.
    newer = inbox.drop("c.json", {"prompt": "Kite d", **QUICK})
    deliveries = [*details.values(), newer] * 5
    random.Random(4711).shuffle(deliveries)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(inbox.deliver, deliveries))
    assert done.count("started") == 4
    assert done.count("known") == 16
    assert {name: len(inbox.runs(name)) for name in details} == {
        "a.json": 1,
        "b.json": 1,
        "c.json": 2,
    }
    for name in ("a.json", "b.json"):
        assert inbox.result(name)["status"] == "succeeded"
    assert inbox.deliver(newer) == "known"
    counted = inbox.stack.rows(
        "SELECT count(*) AS n FROM video_sessions WHERE user_id = %s", inbox.user_id
    )
    assert counted[0]["n"] == 4


def test_inbox_batch_is_atomic(inbox: Inbox) -> None:
    good = [{"prompt": f"Kite {n}", **QUICK} for n in (1, 2, 3)]
    bad = [good[0], {"prompt": "Kite", "style": "Nonsense"}, {"prompt": "Kite", "seconds": 60}]
    assert (
        inbox.deliver(inbox.drop("bad.jsonl", "\n".join(map(json.dumps, bad)).encode()))
        == "refused"
    )
    rejection = inbox.result("bad.jsonl")
    assert (rejection["kind"], rejection["status"], rejection["success"]) == (
        "error",
        "refused",
        False,
    )
    assert [error["pointer"] for error in rejection["errors"]] == ["/2/style", "/3/seconds"]
    assert "Cinematic" in rejection["errors"][0]["allowed"]
    assert inbox.runs("bad.jsonl") == []
    assert inbox.deliver(inbox.drop("good.jsonl", "\n".join(map(json.dumps, good)).encode())) == (
        "started"
    )
    result = inbox.result("good.jsonl")
    assert (result["kind"], result["jobs"], result["succeeded"]) == ("result", 3, 3)
    assert [job["line"] for job in result["results"]] == [1, 2, 3]
    assert len({job["video_id"] for job in result["results"]}) == 3


def test_inbox_batch_over_limit_starts_no_run(inbox: Inbox, link: Connection) -> None:
    with inbox.stack.database() as cursor:
        cursor.execute(
            "UPDATE api_keys SET live = true, daily_cap_usd = 0.1 WHERE user_id = %s",
            (inbox.user_id,),
        )
    lines = [{"prompt": f"Kite {n}", "max_cost": "0", **QUICK} for n in (1, 2)]
    data = "\n".join(map(json.dumps, lines)).encode()
    # Offline providers are free, so the test exceeds a rate limit instead of the cap.
    assert inbox.deliver(inbox.drop("free.jsonl", data)) == "started"
    with inbox.stack.database() as cursor:
        cursor.execute("UPDATE api_keys SET per_minute = 1 WHERE user_id = %s", (inbox.user_id,))
    # A retryable rejection is redelivered until the queue gives up.
    over = inbox.drop("over.jsonl", data)
    assert inbox.deliver(over) == "TooManyRequests"
    assert inbox.runs("over.jsonl") == []
    last = int(inbox.stack.environment("intake")["INBOX_RECEIVES"])
    assert inbox.deliver(over, receives=last) == "refused"
    assert inbox.result("over.jsonl")["code"] == "rate.requests"
    assert inbox.result("over.jsonl")["retryable"] is True


def test_inbox_image_with_prompt_metadata_is_job(inbox: Inbox) -> None:
    inbox.drop("cat.png", png(), prompt="A cat in a hat", scenes="1", seconds="2", ratio="960:960")
    result = inbox.result("cat.png")
    assert result["status"] == "succeeded", result
    reference = f"{inbox.user_id}/{result['video_id']}/user-uploads/reference_image_1.png"
    assert reference in inbox.stack.objects(f"{inbox.user_id}/")


@pytest.mark.parametrize(
    ("image", "job", "first"),
    [
        ("cat.PNG", "cat.json", "picture"),
        ("cat.PNG", "cat.json", "json"),
        ("Me\u0301lie\u0300s.png", "Méliès.png.json", "picture"),  # decomposed, as written by macOS
    ],
)
def test_inbox_image_and_matching_json_are_one_job(
    inbox: Inbox, image: str, job: str, first: str
) -> None:
    files: list[tuple[str, Any]] = [(image, png()), (job, {"prompt": "A cat", **QUICK})]
    details = [inbox.drop(*file) for file in (files if first == "picture" else files[::-1])]
    for detail in details * 2:
        inbox.deliver(detail)
    result = inbox.result(quote(job))
    assert result["status"] == "succeeded", result
    assert len(inbox.runs(job)) == 1
    assert inbox.runs(image) == []
    row = inbox.stack.rows(
        "SELECT reference_key FROM video_sessions WHERE session_id = %s", result["video_id"]
    )
    assert row[0]["reference_key"]


def test_inbox_job_accepts_existing_image_id(
    inbox: Inbox, as_user: Callable[[str], Client]
) -> None:
    client = as_user(inbox.user_id)
    sent = {"image": base64.b64encode(png()).decode()}
    assert client.call("POST", "/api/upload_image", sent).status_code == 200
    assert client.wait(client.create(prompt="A cat", **QUICK)["id"])["status"] == "succeeded"
    media = client.call("GET", "/v1/media").json()["data"]
    for kind in ("upload", "image"):
        (item,) = [item for item in media if item["kind"] == kind]
        inbox.drop(f"{kind}.json", {"prompt": "A cat", "image_id": item["id"], **QUICK})
        result = inbox.result(f"{kind}.json")
        assert result["status"] == "succeeded", result


def test_inbox_late_or_lone_image_is_rejected_with_reason(inbox: Inbox) -> None:
    alone = inbox.drop("alone.png", png())
    assert inbox.deliver(alone) == "refused"
    assert inbox.result("alone.png")["code"] == "inbox.no_prompt"
    assert inbox.deliver(inbox.drop("dog.json", {"prompt": "A dog", **QUICK})) == "started"
    assert inbox.deliver(inbox.drop("dog.png", png())) == "refused"
    assert inbox.result("dog.png")["code"] == "inbox.late_picture"


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
def test_inbox_invalid_object_is_rejected_with_reason(
    inbox: Inbox, name: str, body: Any, code: str
) -> None:
    metadata = {"prompt": "x"} if name.endswith(".png") else {}
    assert inbox.deliver(inbox.drop(name, body, **metadata)) == "refused"
    result = inbox.result(name.replace(" ", "%20"))
    assert (result["kind"], result["code"], result["status"]) == ("error", code, "refused")
    assert result["success"] is False
    assert result["error"] == result["detail"]
    assert inbox.runs(name) == []


def test_inbox_oversized_object_is_rejected_unread(inbox: Inbox) -> None:
    assert inbox.deliver(inbox.drop("huge.json", b" " * (6 * 1024 * 1024 + 1))) == "refused"
    assert inbox.result("huge.json")["code"] == "inbox.too_large"


def test_inbox_requires_existing_and_permitted_user(
    stack: StackAccess, link: Connection, as_user: Callable[[str], Client]
) -> None:
    unknown_user = Inbox(stack, f"nobody-{uuid.uuid4().hex[:8]}")
    job = {"prompt": "A kite", **QUICK}
    assert unknown_user.deliver(unknown_user.drop("kite.json", job)) == "refused"
    assert unknown_user.result("kite.json")["code"] == "inbox.owner"
    for change in ("active = false", "expires_at = now()", "endpoints = '{GET /v1/videos}'"):
        user = Inbox(stack, f"may-not-{uuid.uuid4().hex[:8]}")
        as_user(user.user_id)
        with stack.database() as cursor:
            cursor.execute(f"UPDATE api_keys SET {change} WHERE user_id = %s", (user.user_id,))
        assert user.deliver(user.drop("kite.json", job)) == "refused", change
    # Without a user's folder there is no place for a result.
    assert Inbox(stack, "al ice").deliver(Inbox(stack, "al ice").drop("x.json", job)) == ("ignored")
    assert Inbox(stack, "outbox").deliver(Inbox(stack, "outbox").drop("x.json", job)) == ("ignored")


def test_inbox_failed_run_writes_error_result(inbox: Inbox, link: Connection) -> None:
    detail = inbox.drop("stopped.json", {"prompt": "Stopped", "scenes": 12, "seconds": 4})
    assert inbox.deliver(detail) == "started"
    (run,) = inbox.runs("stopped.json")
    execution = inbox.stack.execution(run["run_id"])
    link.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    result = inbox.result("stopped.json", seconds=40)
    assert (result["kind"], result["status"]) == ("error", "failed")
    assert result["error"]["code"] == "run.stopped"
    assert result["links"]["resume"].endswith("/resume")


def test_inbox_missing_result_is_written_by_sweeper(inbox: Inbox) -> None:
    assert inbox.deliver(inbox.drop("lost.json", {"prompt": "Lost", **QUICK})) == "started"
    first = inbox.result("lost.json")
    with inbox.stack.database() as cursor:
        cursor.execute(
            "UPDATE inbox_objects SET answered_at = NULL WHERE user_id = %s", (inbox.user_id,)
        )
    inbox.stack.link.client("s3").delete_object(
        Bucket=inbox.bucket, Key=f"outbox/{inbox.user_id}/lost.json.result.json"
    )
    inbox.stack.sweep()
    assert inbox.result("lost.json", seconds=5) == first


def test_function_roles_deny_writes_to_inbox(
    inbox: Inbox, link: Connection, stack: StackAccess
) -> None:
    """The roles of the deployed functions deny writes to the inbox, which prevents loops."""
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
            statement["Effect"] == "Deny"
            and f"{inbox.bucket}/inbox/*" in str(statement["Resource"])
            for statement in statements
        ), name
