"""Every documented answer of every operation, given at least once: its status and its body.

`Service` holds each answer against the document; what is documented and never given fails here.
Answers that API Gateway gives by itself are its own (`infra/gateway_responses.py`).
"""

import base64
import os
import time
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import boto3
import pytest
import requests

from api.http.idempotency import IdempotentRequest
from common.database import Database, runs, uploads
from common.domain import models
from common.domain.uploads import InspectedUpload
from tests.integration.http import owners
from tests.integration.http.conftest import BUCKET
from tests.integration.http.owners import Owner, mint, operator, settle, video
from tests.integration.http.request import BODIES, WISH, Attempt, own_path
from tests.integration.http.service import Service
from tests.stand_ins import pictures
from tests.support import answers
from tests.support.answers import DOCUMENTED, OPERATIONS, Operation
from tests.support.gateway import Reply

MISSING = {
    "video_id": f"vid_{'0' * 26}",
    "media_id": f"med_{'0' * 26}",
    "key_id": f"key_{'0' * 26}",
    "run_id": f"run_{'0' * 26}",
}
JSON = {"Content-Type": "application/json"}
CANARY = "SELECT secret FROM canary; vg_live_" + "x" * 42
PAID = {"image": {"provider": "openai"}, "video": {"provider": "runway"}}


def good(operation: Operation, owner: Owner, **changes: Any) -> Attempt:
    """A request with nothing wrong in it."""
    body = BODIES.get((operation.method, operation.path))
    values: dict[str, Any] = {"path": own_path(operation, owner), "body": body, **changes}
    return Attempt(operation, "", "", "", **values)


def wrong(operation: Operation, owner: Owner) -> Iterator[Attempt]:
    """Yield requests with one value that cannot be, or a parameter that there is not."""
    yield good(operation, owner, query={"unknown": "1"})
    for one in operation.parameters("path"):
        yield good(operation, owner, path={**own_path(operation, owner), one["name"]: "~"})
    for one in operation.parameters("query"):
        yield good(operation, owner, query={one["name"]: "~\0" * 300})
    if operation.body:
        yield good(operation, owner, body={"unknown": 1})


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return settle(service, rows, "alice")


def refusals(service: Service, rows: Database, alice: Owner) -> None:
    """What every operation refuses in the same way."""
    _, elsewhere = mint(rows, alice.user_id, endpoints=["GET /v1/nothing"])
    _, slow = mint(rows, alice.user_id, per_minute=1)
    for operation in OPERATIONS:
        service.call(
            "GET", "/v1/models", key=slow
        )  # anew, since all of them take more than a minute
        request = good(operation, alice)
        key = operator() if operation.path.startswith("/api/admin") else alice.key
        if not operation.public:
            for its, status in ((None, operation.keyless), (elsewhere, 403), (slow, 429)):
                assert request.send(service, its).status == status, request
            assert request.send(service, alice.key[:-1] + "~").status == 401
        for bad in wrong(operation, alice):
            bad.send(service, key)
        if operation.body:
            path = operation.path.format(**request.path)
            huge = '{"a": "' + "x" * (10 * 1024 * 1024) + '"}'
            for text, headers in (
                ("{", JSON),
                (huge, JSON),
                ("{}", {"Content-Type": "text/plain"}),
            ):
                service.call(operation.method, path, key=key, text=text, headers=headers)
        for name in MISSING.keys() & request.path.keys():
            missing = good(operation, alice, path={**request.path, name: MISSING[name]})
            assert missing.send(service, key).status == 404, missing


def outages(
    service: Service, alice: Owner, monkeypatch: pytest.MonkeyPatch, again: Callable[[], None]
) -> None:
    """Without the database everything says so, and a mistake of the program tells nothing."""
    port = os.environ["DATABASE_PORT"]
    monkeypatch.setenv("DATABASE_PORT", "1")
    again()
    for operation in OPERATIONS:
        request = good(operation, alice, query={"t": alice.capabilities[0]})
        for key in (operator(), alice.key):
            assert request.send(service, key).status == 503, request
    monkeypatch.setenv("DATABASE_PORT", port)
    again()

    def fail(*_: object) -> None:
        raise ZeroDivisionError(CANARY)

    with monkeypatch.context() as patch:
        patch.setattr("api.http.validation.JsonRequests.handler", fail)
        for operation in OPERATIONS:
            reply = good(operation, alice).send(service, operator())
            assert reply.status == 500, operation
            assert "canary" not in reply.text
            assert "ZeroDivision" not in reply.text


def of_keys(service: Service, alice: Owner) -> None:
    """Everything of a key's life."""
    path = "/api/admin/api-keys"
    made = service.call("POST", path, {"name": "n", "userId": "u"}, key=operator()).json()
    one = f"{path}/{made['apiKey']['id']}"
    for method, at, body in (
        ("GET", path, None),
        ("GET", one, None),
        ("PATCH", one, {"name": "m"}),
        ("POST", f"{one}/rotate", {}),
        ("DELETE", one, None),
        ("PATCH", one, {"name": "o"}),
        ("POST", f"{one}/rotate", {}),
    ):
        service.call(method, at, body, key=operator())
    service.call("GET", "/v1/usage", key=alice.key)


def of_videos(service: Service, rows: Database, alice: Owner) -> None:
    """A video's life, with its refusals."""
    key = alice.key

    def on(video_id: str, action: str = "", method: str = "POST", **more: Any) -> int:
        return service.call(method, f"/v1/videos/{video_id}{action}", key=key, **more).status

    assert service.call("POST", "/v1/estimates", WISH, key=key).status == 200
    large = {**WISH, "image": base64.b64encode(bytes(5_000_000)).decode()}
    assert service.call("POST", "/v1/videos", large, key=key).status == 413
    capped = {**WISH, "models": PAID, "seconds": 5, "max_cost": "0.01"}
    assert service.call("POST", "/v1/videos", capped, key=key).status == 402
    assert service.call("GET", "/v1/videos", key=key).status == 200
    twice = {"Idempotency-Key": "once"}
    assert service.call("POST", "/v1/videos", WISH, key=key, headers=twice).status == 202
    named = {"X-Request-ID": alice.named}
    assert service.call("POST", "/v1/videos", WISH, key=key, headers=named).status == 409
    for action in ("", "/events", "/download"):
        assert on(alice.finished, action, "GET") == 200
    assert on(alice.open, "/download", "GET") == 409
    assert on(alice.finished, "/cancel") == on(alice.finished, "/resume") == 409
    # The end comes before the client has waited at all.
    ended = {"Prefer": "wait=1"}
    service.call("POST", "/v1/videos", WISH, key=key, headers={**ended, **twice})
    made = service.call(
        "POST", "/v1/videos", WISH, key=key, headers={"Idempotency-Key": "e"}
    ).json()
    with rows.transaction() as cursor:
        runs.succeed(cursor, made["run_id"])
    replayed = {**ended, "Idempotency-Key": "e"}
    assert service.call("POST", "/v1/videos", WISH, key=key, headers=replayed).status == 200
    resumed = {"Idempotency-Key": "r"}
    assert on(alice.failed, "/resume", headers=resumed) == 202
    with rows.transaction() as cursor:
        cursor.execute(
            "SELECT run_id FROM runs WHERE session_id = %s AND kind = 'resume'", (alice.failed,)
        )
        (row,) = cursor.fetchall()
        runs.succeed(cursor, row["run_id"])
    assert on(alice.failed, "/resume", headers={**resumed, **ended}) == 200
    poor_id, poor = mint(rows, alice.user_id, daily_cap_usd=0)
    choice = models.paid()
    paid = {
        "estimated_usd": 9,
        "image_provider": choice.image.provider,
        "image_model": choice.image.model,
        "video_provider": choice.video.provider,
        "video_model": choice.video.model,
    }
    dear = video(rows, alice.user_id, poor_id, "failed", **paid)
    assert service.call("POST", f"/v1/videos/{dear}/resume", key=poor).status == 402
    assert on(alice.open, method="DELETE") == 409
    assert on(alice.open, "/cancel") == 200
    assert on(dear, method="DELETE") == 204


PARTS = [
    one
    for one in OPERATIONS
    if one.path.startswith(("/api/generate", "/api/merge", "/api/public/generate"))
]


def of_parts(service: Service, rows: Database, alice: Owner) -> None:
    """Every part of a video: begun, made, failed in both ways that cost the client something."""
    for operation in PARTS:
        body = {**BODIES[operation.method, operation.path]}
        if operation.path == "/api/merge_video_clips":
            body["requestId"] = alice.finished

        def ask(name: str, sent: Any = body, at: Operation = operation) -> Reply:
            headers = {"Idempotency-Key": name}
            return good(at, alice, body=sent, headers=headers).send(service, alice.key)

        assert ask("nothing", {**body, "requestId": MISSING["video_id"]}).status == 404, operation
        for number, (code, status) in enumerate(
            (
                ("", 200),
                ("provider.credits", 402),
                ("safety.input", 400),
                ("step.crashed", 500),
                ("provider.failed", 502),
                ("provider.unreachable", 503),
            )
        ):
            begun = ask(f"part {number}".replace(" ", "-"))
            assert begun.status == 202, f"{operation}: {begun.text}"
            run_id = begun.json()["runId"]
            ended = service.call("GET", f"/api/runs/{run_id}", key=alice.key)
            assert ended.status == 202
            if code:
                with rows.transaction() as cursor:
                    runs.fail(cursor, run_id, {**owners.failure(alice.user_id), "code": code})
            else:
                owners.make(rows, run_id, alice)
            assert ask(f"part-{number}").status == status, operation
            assert service.call("GET", f"/api/runs/{run_id}", key=alice.key).status == status
    begun = service.call(
        "POST", "/api/generate_story", {"prompt": "x"}, key=alice.key, headers={"Prefer": "wait=0"}
    ).json()
    with rows.transaction() as cursor:
        video_id = runs.get(cursor, begun["runId"], alice.user_id).session_id
    assert service.call("POST", f"/v1/videos/{video_id}/cancel", key=alice.key).status == 200
    assert service.call("GET", f"/api/runs/{begun['runId']}", key=alice.key).status == 409


def in_use(service: Service, rows: Database, alice: Owner) -> None:
    """A key of idempotency under which another request is just being carried out."""
    for operation in OPERATIONS:
        if any(one["name"] == "idempotency-key" for one in operation.parameters("header")):
            request = good(operation, alice, headers={"Idempotency-Key": "busy"})
            place = operation.path.format(**request.path)
            once = IdempotentRequest((alice.user_id, operation.method, place, "busy"), b"f")
            with rows.transaction() as cursor:
                assert once.claim(cursor) is None
                assert request.send(service, alice.key).status == 409, operation


def of_media(service: Service, rows: Database, alice: Owner) -> None:
    """The library, uploads and links."""
    key = alice.key
    storage = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    for item, capability in zip(alice.objects, alice.capabilities, strict=True):
        kind = "image" if item.endswith("png") else "video"
        storage.put_object(
            Bucket=BUCKET,
            Key=item,
            Body=pictures.draw((64, 64), "kite"),
            ContentType=f"{kind}/{item.rpartition('.')[2]}",
        )
        for method in ("GET", "HEAD"):
            path = f"/api/proxy_s3_{kind}/{item}?t={capability}"
            assert service.call(method, path).status == 302
    for path in ("/v1/media", f"/v1/media/{alice.media[0]}"):
        assert service.call("GET", path, key=key).status == 200
    made = next(one for one in alice.media if one != alice.upload)
    assert service.call("DELETE", f"/v1/media/{made}", key=key).status == 409
    wish = {"media_type": "video/mp4", "size_bytes": 8, "in_parts": True}
    first, second, third = (
        service.call("POST", "/v1/uploads", wish, key=key).json() for _ in range(3)
    )
    etag = requests.put(first["parts"]["urls"][0], data=b"12345678", timeout=30).headers["ETag"]
    complete = f"/v1/uploads/{first['id']}/complete"
    assert service.call("POST", complete, {"etags": [etag]}, key=key).status == 202
    assert service.call("POST", f"/v1/uploads/{third['id']}/abort", key=key).status == 204
    assert (
        service.call(
            "POST", f"/v1/uploads/{alice.upload}/complete", {"etags": ["a"]}, key=key
        ).status
        == 409
    )
    with rows.transaction() as cursor:
        cursor.execute(
            "UPDATE uploads SET status = 'ready', object_key = 'x' WHERE media_id = %s",
            (second["id"],),
        )
    assert service.call("POST", f"/v1/uploads/{second['id']}/abort", key=key).status == 409
    of_files(service, rows, alice)
    assert service.call("DELETE", f"/v1/media/{alice.upload}", key=key).status == 204
    assert service.call("DELETE", "/v1/media/links", key=key).status == 204


def of_files(service: Service, rows: Database, alice: Owner) -> None:
    """The first version's endpoints for files."""
    picture = next(key for key in alice.objects if key.endswith("png"))
    links = f"/api/get_presigned_url?key={picture}"
    assert service.call("GET", links, key=alice.key).status == 200
    as_text = "/api/convert_s3_image_to_base64"
    assert service.call("POST", as_text, {"s3Key": picture}, key=alice.key).status == 200
    for operation in OPERATIONS:
        if operation.path in ("/api/upload_image", "/api/public/upload-image"):
            assert good(operation, alice).send(service, alice.key).status == 200
    path, small = "/api/upload_video", {"video": "AAAA", "requestId": "small"}
    assert service.call("POST", path, {"fileSize": 9}, key=alice.key).status == 202
    looks = Thread(target=look_at, args=(rows, "small", f"{alice.user_id}/small.mp4"))
    looks.start()
    assert service.call("POST", path, small, key=alice.key).status == 200
    looks.join()


def look_at(rows: Database, request_id: str, key: str) -> None:
    """Find good what is sent under that name, as the function `register` does."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with rows.transaction() as cursor:
            cursor.execute("SELECT media_id FROM uploads WHERE request_id = %s", (request_id,))
            for row in cursor.fetchall():
                uploads.finish(
                    cursor, row["media_id"], InspectedUpload("video/mp4", key, 3, "0" * 64)
                )
                return
        time.sleep(0.05)


def test_every_documented_answer_is_given(
    service: Service,
    rows: Database,
    alice: Owner,
    again: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service.call("GET", "/v1/health")
    service.call("GET", "/v1/models", key=alice.key)
    refusals(service, rows, alice)
    outages(service, alice, monkeypatch, again)
    of_keys(service, alice)
    alice = owners.settle(service, rows, "alma")
    in_use(service, rows, alice)
    of_videos(service, rows, alice)
    of_media(service, rows, alice)
    of_parts(service, rows, alice)
    never = sorted(DOCUMENTED - service.seen)
    assert not never, f"documented, and never given: {never}"


def test_the_check_notices_what_is_wrong_with_an_answer() -> None:
    """The control: an answer is refused that lacks, adds or tells something."""
    headers = dict.fromkeys(answers.HEADERS, "") | {
        name: value for name, value in answers.HEADERS.items() if value
    }
    right = {**headers, "content-type": "application/json"}
    body = '{"status": "ok", "stage": "local"}'
    assert answers.check("GET", "/v1/health", 200, right, body) == ("GET", "/v1/health", 200)
    for status, sent, text in (
        (200, {**right, "cache-control": "public"}, body),
        (200, {name: value for name, value in right.items() if "nosniff" not in value}, body),
        (200, right, '{"status": "fine"}'),
        (200, {**right, "content-type": "text/html"}, body),
        (418, right, body),
        (503, {**right, "content-type": "text/plain"}, body),
    ):
        with pytest.raises((AssertionError, ValueError)):
            answers.check("GET", "/v1/health", status, sent, text)
    with pytest.raises(AssertionError):
        answers.check("GET", "/v1/nothing", 200, right, body)
