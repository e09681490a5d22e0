"""Every documented response of every operation occurs at least once, with its status and body.

`Service` checks each response against the OpenAPI document; documented responses that never occur
fail here. Responses of API Gateway itself are in `infra/gateway_responses.py`.
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
from tests.integration.http.owners import Owner, create_owner, insert_video, mint, operator
from tests.integration.http.request import BODIES, VIDEO_BODY, RequestCase, path_parameters
from tests.integration.http.service import Service
from tests.stand_ins import pictures
from tests.support import answers
from tests.support.answers import DOCUMENTED, OPERATIONS, Operation
from tests.support.fixtures import BUCKET
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


def valid_request(operation: Operation, owner: Owner, **changes: Any) -> RequestCase:
    """Return a valid request."""
    body = BODIES.get((operation.method, operation.path))
    values: dict[str, Any] = {"path": path_parameters(operation, owner), "body": body, **changes}
    return RequestCase(operation, "", "", "", **values)


def invalid_requests(operation: Operation, owner: Owner) -> Iterator[RequestCase]:
    """Yield requests with one invalid value or an unknown parameter."""
    yield valid_request(operation, owner, query={"unknown": "1"})
    for parameter in operation.parameters("path"):
        yield valid_request(
            operation, owner, path={**path_parameters(operation, owner), parameter["name"]: "~"}
        )
    for parameter in operation.parameters("query"):
        yield valid_request(operation, owner, query={parameter["name"]: "~\0" * 300})
    if operation.body:
        yield valid_request(operation, owner, body={"unknown": 1})


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return create_owner(service, rows, "alice")


def common_errors(service: Service, rows: Database, alice: Owner) -> None:
    """Send the errors that all operations have in common: 401, 403, 404, 413, 415, 422, 429."""
    _, other_endpoint_key = mint(rows, alice.user_id, endpoints=["GET /v1/nothing"])
    _, slow_key = mint(rows, alice.user_id, per_minute=1)
    for operation in OPERATIONS:
        service.call(
            "GET", "/v1/models", key=slow_key
        )  # again, because the loop takes more than a minute
        request = valid_request(operation, alice)
        key = operator() if operation.path.startswith("/api/admin") else alice.key
        if not operation.public:
            for rejected_key, status in (
                (None, operation.keyless),
                (other_endpoint_key, 403),
                (slow_key, 429),
            ):
                assert request.send(service, rejected_key).status == status, request
            assert request.send(service, alice.key[:-1] + "~").status == 401
        for invalid in invalid_requests(operation, alice):
            invalid.send(service, key)
        if operation.body:
            path = operation.path.format(**request.path)
            oversized = '{"a": "' + "x" * (10 * 1024 * 1024) + '"}'
            for text, headers in (
                ("{", JSON),
                (oversized, JSON),
                ("{}", {"Content-Type": "text/plain"}),
            ):
                service.call(operation.method, path, key=key, text=text, headers=headers)
        for name in MISSING.keys() & request.path.keys():
            missing = valid_request(operation, alice, path={**request.path, name: MISSING[name]})
            assert missing.send(service, key).status == 404, missing


def outages(
    service: Service, alice: Owner, monkeypatch: pytest.MonkeyPatch, cold_start: Callable[[], None]
) -> None:
    """Check that operations return 503 without the database, and 500 without details on a bug."""
    port = os.environ["DATABASE_PORT"]
    monkeypatch.setenv("DATABASE_PORT", "1")
    cold_start()
    for operation in OPERATIONS:
        request = valid_request(operation, alice, query={"t": alice.link_tokens[0]})
        for key in (operator(), alice.key):
            assert request.send(service, key).status == 503, request
    monkeypatch.setenv("DATABASE_PORT", port)
    cold_start()

    def fail(*_: object) -> None:
        raise ZeroDivisionError(CANARY)

    with monkeypatch.context() as patch:
        patch.setattr("api.http.validation.JsonRequests.handler", fail)
        for operation in OPERATIONS:
            reply = valid_request(operation, alice).send(service, operator())
            assert reply.status == 500, operation
            assert "canary" not in reply.text
            assert "ZeroDivision" not in reply.text


def key_lifecycle(service: Service, alice: Owner) -> None:
    """Exercise the life cycle of an API key."""
    path = "/api/admin/api-keys"
    created = service.call("POST", path, {"name": "n", "userId": "u"}, key=operator()).json()
    key_path = f"{path}/{created['apiKey']['id']}"
    for method, url_path, body in (
        ("GET", path, None),
        ("GET", key_path, None),
        ("PATCH", key_path, {"name": "m"}),
        ("POST", f"{key_path}/rotate", {}),
        ("DELETE", key_path, None),
        ("PATCH", key_path, {"name": "o"}),
        ("POST", f"{key_path}/rotate", {}),
    ):
        service.call(method, url_path, body, key=operator())
    service.call("GET", "/v1/usage", key=alice.key)


def video_lifecycle(service: Service, rows: Database, alice: Owner) -> None:
    """Exercise the life cycle of a video, with its errors."""
    key = alice.key

    def call_video(video_id: str, action: str = "", method: str = "POST", **options: Any) -> int:
        return service.call(method, f"/v1/videos/{video_id}{action}", key=key, **options).status

    assert service.call("POST", "/v1/estimates", VIDEO_BODY, key=key).status == 200
    large_body = {**VIDEO_BODY, "image": base64.b64encode(bytes(5_000_000)).decode()}
    assert service.call("POST", "/v1/videos", large_body, key=key).status == 413
    capped_body = {**VIDEO_BODY, "models": PAID, "seconds": 5, "max_cost": "0.01"}
    assert service.call("POST", "/v1/videos", capped_body, key=key).status == 402
    assert service.call("GET", "/v1/videos", key=key).status == 200
    idempotent = {"Idempotency-Key": "once"}
    assert service.call("POST", "/v1/videos", VIDEO_BODY, key=key, headers=idempotent).status == 202
    same_request_id = {"X-Request-ID": alice.request_id}
    assert (
        service.call("POST", "/v1/videos", VIDEO_BODY, key=key, headers=same_request_id).status
        == 409
    )
    for action in ("", "/events", "/download"):
        assert call_video(alice.finished, action, "GET") == 200
    assert call_video(alice.open, "/download", "GET") == 409
    assert call_video(alice.finished, "/cancel") == call_video(alice.finished, "/resume") == 409
    # The run has ended before the client starts to wait.
    waiting = {"Prefer": "wait=1"}
    service.call("POST", "/v1/videos", VIDEO_BODY, key=key, headers={**waiting, **idempotent})
    created = service.call(
        "POST", "/v1/videos", VIDEO_BODY, key=key, headers={"Idempotency-Key": "e"}
    ).json()
    with rows.transaction() as cursor:
        runs.succeed(cursor, created["run_id"])
    replay = {**waiting, "Idempotency-Key": "e"}
    assert service.call("POST", "/v1/videos", VIDEO_BODY, key=key, headers=replay).status == 200
    resume_headers = {"Idempotency-Key": "r"}
    assert call_video(alice.failed, "/resume", headers=resume_headers) == 202
    with rows.transaction() as cursor:
        cursor.execute(
            "SELECT run_id FROM runs WHERE session_id = %s AND kind = 'resume'", (alice.failed,)
        )
        (row,) = cursor.fetchall()
        runs.succeed(cursor, row["run_id"])
    assert call_video(alice.failed, "/resume", headers={**resume_headers, **waiting}) == 200
    key_without_budget_id, key_without_budget = mint(rows, alice.user_id, daily_cap_usd=0)
    selection = models.paid()
    paid = {
        "estimated_usd": 9,
        "image_provider": selection.image.provider,
        "image_model": selection.image.model,
        "video_provider": selection.video.provider,
        "video_model": selection.video.model,
    }
    expensive = insert_video(rows, alice.user_id, key_without_budget_id, "failed", **paid)
    assert (
        service.call("POST", f"/v1/videos/{expensive}/resume", key=key_without_budget).status == 402
    )
    assert call_video(alice.open, method="DELETE") == 409
    assert call_video(alice.open, "/cancel") == 200
    assert call_video(expensive, method="DELETE") == 204


STEP_OPERATIONS = [
    operation
    for operation in OPERATIONS
    if operation.path.startswith(("/api/generate", "/api/merge", "/api/public/generate"))
]


def step_endpoints(service: Service, rows: Database, alice: Owner) -> None:
    """Exercise every step endpoint: started, succeeded, and failed with each kind of status."""
    for operation in STEP_OPERATIONS:
        body = {**BODIES[operation.method, operation.path]}
        if operation.path == "/api/merge_video_clips":
            body["requestId"] = alice.finished

        def send_step(name: str, request_body: Any = body, target: Operation = operation) -> Reply:
            headers = {"Idempotency-Key": name}
            return valid_request(target, alice, body=request_body, headers=headers).send(
                service, alice.key
            )

        assert send_step("nothing", {**body, "requestId": MISSING["video_id"]}).status == 404, (
            operation
        )
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
            started = send_step(f"part {number}".replace(" ", "-"))
            assert started.status == 202, f"{operation}: {started.text}"
            run_id = started.json()["runId"]
            result = service.call("GET", f"/api/runs/{run_id}", key=alice.key)
            assert result.status == 202
            if code:
                with rows.transaction() as cursor:
                    runs.fail(
                        cursor, run_id, {**owners.failure_record(alice.user_id), "code": code}
                    )
            else:
                owners.finish_run(rows, run_id, alice)
            assert send_step(f"part-{number}").status == status, operation
            assert service.call("GET", f"/api/runs/{run_id}", key=alice.key).status == status
    started = service.call(
        "POST", "/api/generate_story", {"prompt": "x"}, key=alice.key, headers={"Prefer": "wait=0"}
    ).json()
    with rows.transaction() as cursor:
        video_id = runs.get(cursor, started["runId"], alice.user_id).session_id
    assert service.call("POST", f"/v1/videos/{video_id}/cancel", key=alice.key).status == 200
    assert service.call("GET", f"/api/runs/{started['runId']}", key=alice.key).status == 409


def idempotency_conflicts(service: Service, rows: Database, alice: Owner) -> None:
    """Send requests whose idempotency key is in use by a concurrent request."""
    for operation in OPERATIONS:
        if any(
            parameter["name"] == "idempotency-key" for parameter in operation.parameters("header")
        ):
            request = valid_request(operation, alice, headers={"Idempotency-Key": "busy"})
            url_path = operation.path.format(**request.path)
            other_request = IdempotentRequest(
                (alice.user_id, operation.method, url_path, "busy"), b"f"
            )
            with rows.transaction() as cursor:
                assert other_request.claim(cursor) is None
                assert request.send(service, alice.key).status == 409, operation


def media_lifecycle(service: Service, rows: Database, alice: Owner) -> None:
    """Exercise the media library, uploads and links."""
    key = alice.key
    storage = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"])
    for item, token in zip(alice.objects, alice.link_tokens, strict=True):
        kind = "image" if item.endswith("png") else "video"
        storage.put_object(
            Bucket=BUCKET,
            Key=item,
            Body=pictures.draw((64, 64), "kite"),
            ContentType=f"{kind}/{item.rpartition('.')[2]}",
        )
        for method in ("GET", "HEAD"):
            path = f"/api/proxy_s3_{kind}/{item}?t={token}"
            assert service.call(method, path).status == 302
    for path in ("/v1/media", f"/v1/media/{alice.media[0]}"):
        assert service.call("GET", path, key=key).status == 200
    media_id = next(item_id for item_id in alice.media if item_id != alice.upload)
    assert service.call("DELETE", f"/v1/media/{media_id}", key=key).status == 409
    upload_request = {"media_type": "video/mp4", "size_bytes": 8, "in_parts": True}
    first, second, third = (
        service.call("POST", "/v1/uploads", upload_request, key=key).json() for _ in range(3)
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
    legacy_files(service, rows, alice)
    assert service.call("DELETE", f"/v1/media/{alice.upload}", key=key).status == 204
    assert service.call("DELETE", "/v1/media/links", key=key).status == 204


def legacy_files(service: Service, rows: Database, alice: Owner) -> None:
    """Exercise the file endpoints of the legacy API."""
    image_key = next(key for key in alice.objects if key.endswith("png"))
    links_path = f"/api/get_presigned_url?key={image_key}"
    assert service.call("GET", links_path, key=alice.key).status == 200
    convert_path = "/api/convert_s3_image_to_base64"
    assert service.call("POST", convert_path, {"s3Key": image_key}, key=alice.key).status == 200
    for operation in OPERATIONS:
        if operation.path in ("/api/upload_image", "/api/public/upload-image"):
            assert valid_request(operation, alice).send(service, alice.key).status == 200
    path, small = "/api/upload_video", {"video": "AAAA", "requestId": "small"}
    assert service.call("POST", path, {"fileSize": 9}, key=alice.key).status == 202
    registration = Thread(target=accept_upload, args=(rows, "small", f"{alice.user_id}/small.mp4"))
    registration.start()
    assert service.call("POST", path, small, key=alice.key).status == 200
    registration.join()


def accept_upload(rows: Database, request_id: str, key: str) -> None:
    """Accept the upload of that request id, as the function `register` does."""
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


def test_every_documented_response_occurs(
    service: Service,
    rows: Database,
    alice: Owner,
    cold_start: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service.call("GET", "/v1/health")
    service.call("GET", "/v1/models", key=alice.key)
    common_errors(service, rows, alice)
    outages(service, alice, monkeypatch, cold_start)
    key_lifecycle(service, alice)
    alice = owners.create_owner(service, rows, "alma")
    idempotency_conflicts(service, rows, alice)
    video_lifecycle(service, rows, alice)
    media_lifecycle(service, rows, alice)
    step_endpoints(service, rows, alice)
    missing = sorted(DOCUMENTED - service.observed)
    assert not missing, f"documented, but never returned: {missing}"


def test_response_check_detects_wrong_responses() -> None:
    """Negative control: the check rejects responses with missing, extra or wrong parts."""
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
