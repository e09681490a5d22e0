"""User ids and request ids of videos."""

from dataclasses import replace

import pytest

from tests.support.answers import DOCUMENT, OPERATIONS
from tests.support.gateway import Gateway

VIDEO_BODY = {"prompt": "A paper boat", "scenes": 1, "seconds": 2}
BOB = {"X-User-ID": "bob"}
UUID = "7b3f9a52-0f0e-4f2c-9d0a-1c2b3a4d5e6f"


def test_key_with_act_as_scope_acts_for_other_users(gateway: Gateway) -> None:
    delegate = replace(gateway, scopes="act_as")
    by_header = delegate.call("POST", "/v1/videos", VIDEO_BODY, BOB)
    by_body = delegate.call(
        "POST", "/v1/videos", {**VIDEO_BODY, "userId": "bob"}, {"Prefer": "wait=0"}
    )
    for created in (by_header, by_body):
        assert (created.status, created.json()["user_id"]) == (202, "bob")
        path = created.json()["links"]["self"]
        assert gateway.call("GET", path, user_id="bob").status == 200
        assert delegate.call("GET", path, headers=BOB).status == 200
        assert delegate.call("GET", path).status == 404  # the key's own user has no such video
    assert len(delegate.call("GET", "/v1/videos", headers=BOB).json()["data"]) == 2
    assert delegate.call("GET", "/v1/videos").json()["data"] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_key_without_act_as_scope_acts_only_for_its_user(method: str, gateway: Gateway) -> None:
    body = VIDEO_BODY if method == "POST" else None
    rejected = gateway.call(method, "/v1/videos", body, BOB)
    assert (rejected.status, rejected.json()["code"]) == (403, "auth.forbidden")
    assert "act_as" in rejected.json()["detail"]
    assert gateway.call(method, "/v1/videos", body, {"X-User-ID": "alice"}).status in (200, 202)


def test_user_id_in_the_body_requires_act_as_scope(gateway: Gateway) -> None:
    assert gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "userId": "bob"}).status == 403
    assert gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "userId": "alice"}).status == 202


@pytest.mark.parametrize("user_id", ["", "../bob", "bob/x", "b" * 65, "-bob", "böb"])
def test_user_id_must_be_a_slug(user_id: str, gateway: Gateway) -> None:
    delegate = replace(gateway, scopes="act_as")
    assert delegate.call("POST", "/v1/videos", {**VIDEO_BODY, "userId": user_id}).status == 422
    if user_id.isascii():
        assert delegate.call("GET", "/v1/videos", headers={"X-User-ID": user_id}).status == 422


@pytest.mark.parametrize("source", ["header", "body", "both"])
def test_request_id_identifies_the_video(source: str, gateway: Gateway) -> None:
    header = {} if source == "body" else {"X-Request-ID": "req-abc123"}
    body = VIDEO_BODY if source == "header" else {**VIDEO_BODY, "requestId": "req-abc123"}
    created = gateway.call("POST", "/v1/videos", body, header).json()
    assert created["request_id"] == "req-abc123"
    for identifier in ("req-abc123", created["id"]):
        assert gateway.call("GET", f"/v1/videos/{identifier}").json()["id"] == created["id"]
    assert gateway.call("GET", "/v1/videos/req-abc123/download").status == 409
    assert gateway.call("POST", "/v1/videos/req-abc123/cancel").status == 200
    resumed = gateway.call("POST", "/v1/videos/req-abc123/resume")
    assert (resumed.status, resumed.json()["id"]) == (202, created["id"])


def test_request_id_is_unique_per_user(gateway: Gateway) -> None:
    body = {**VIDEO_BODY, "requestId": "mine"}
    alices = gateway.call("POST", "/v1/videos", body)
    bobs = gateway.call("POST", "/v1/videos", body, user_id="bob")
    assert (alices.status, bobs.status) == (202, 202)
    assert alices.json()["id"] != bobs.json()["id"]
    response = gateway.call("GET", "/v1/videos/mine", user_id="bob").json()
    assert response["id"] == bobs.json()["id"]
    repeated = gateway.call("POST", "/v1/videos", body)
    assert (repeated.status, repeated.json()["code"]) == (409, "video.exists")
    assert gateway.call("GET", "/v1/videos/mine", user_id="carol").status == 404


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 65, "_x", "vid_1", "../x"])
def test_request_id_must_be_a_slug_without_a_reserved_prefix(
    request_id: str, gateway: Gateway
) -> None:
    assert gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "requestId": request_id}).status == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        (operation.method, operation.path, 400 if operation.path.startswith("/api/") else 422)
        for operation in OPERATIONS
        if not operation.public and not operation.path.startswith("/api/admin")
    ],
)
def test_invalid_user_id_header_is_rejected_as_documented(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    reply = gateway.call(method, path, headers={"X-User-ID": "bad id!"})
    assert (reply.status, reply.json()["status"]) == (status, status)
    assert reply.json()["errors"][0]["pointer"] == "/X-User-ID"
    assert str(status) in DOCUMENT["paths"][path][method.lower()]["responses"]


@pytest.mark.parametrize("header", ["", "a b", "x" * 65, "_x", "../x", f"{UUID}#1", "1=2.3"])
def test_invalid_request_id_header_is_ignored(header: str, gateway: Gateway) -> None:
    for body, name in ((VIDEO_BODY, None), ({**VIDEO_BODY, "requestId": "mine"}, "mine")):
        created = gateway.call("POST", "/v1/videos", body, {"X-Request-ID": header})
        assert (created.status, created.json()["request_id"]) == (202, name)


def test_request_id_header_overrides_the_body(gateway: Gateway) -> None:
    """Header and body of the example in the documentation of the legacy API."""
    header = {"X-Request-ID": "optional-request-override"}
    created = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "requestId": "req-abc123"}, header)
    assert (created.status, created.json()["request_id"]) == (202, "optional-request-override")


PROXY_REQUEST_IDS = (
    UUID,
    UUID.replace("-", ""),
    UUID.upper(),
    "4bf92f3577b34da6",
    "01JDX5T3R8Q2Z9M4N7K6B1C0AE",
    "1-67891233-abcdef012345678912345678",
)


@pytest.mark.parametrize("header", PROXY_REQUEST_IDS)
def test_request_id_of_a_proxy_does_not_override_the_body(header: str, gateway: Gateway) -> None:
    proxied = {"X-Request-ID": header}
    created = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "requestId": "mine"}, proxied)
    assert (created.status, created.json()["request_id"]) == (202, "mine")
    story = {"prompt": "A kite", "frameCount": 1, "requestId": "step"}
    created = gateway.call("POST", "/api/generate_story", story, {**proxied, "Prefer": "wait=0"})
    assert (created.status, created.json()["requestId"]) == (202, "step")


@pytest.mark.parametrize("request_field", [{}, {"requestId": "mine"}])
@pytest.mark.parametrize("header", PROXY_REQUEST_IDS)
def test_idempotency_by_the_request_id_of_a_proxy(
    header: str, request_field: dict[str, str], gateway: Gateway
) -> None:
    proxied = {"X-Request-ID": header}
    first, repeated = (
        gateway.call("POST", "/v1/videos", {**VIDEO_BODY, **request_field}, proxied) for _ in "12"
    )
    assert (first.status, repeated.status) == (202, 202)
    assert first.json()["id"] == repeated.json()["id"]
    assert repeated.headers["Idempotent-Replayed"] == "true"
    # Another request with the same id, as from a service that forwards its caller's id.
    other_request = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "prompt": "Another"}, proxied)
    assert other_request.status == 202
    assert other_request.json()["id"] != first.json()["id"]


def test_idempotency_of_a_step_by_the_request_id_of_a_proxy(gateway: Gateway) -> None:
    body = {"prompt": "A kite", "frameCount": 1, "requestId": "step"}
    headers = {"Prefer": "wait=0", "X-Request-ID": UUID}
    first, repeated = (gateway.call("POST", "/api/generate_story", body, headers) for _ in "12")
    assert (first.status, repeated.status) == (202, 202), repeated.text
    assert first.json()["runId"] == repeated.json()["runId"]


def test_request_id_of_another_video_is_a_conflict(gateway: Gateway) -> None:
    header = {"X-Request-ID": "my-heron"}
    first, repeated = (gateway.call("POST", "/v1/videos", VIDEO_BODY, header) for _ in "12")
    assert (first.status, repeated.status) == (202, 202)
    assert first.json()["id"] == repeated.json()["id"]
    other_request = gateway.call("POST", "/v1/videos", {**VIDEO_BODY, "prompt": "Another"}, header)
    assert (other_request.status, other_request.json()["code"]) == (409, "video.exists")
