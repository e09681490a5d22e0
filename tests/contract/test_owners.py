"""Whose video it is, and what it is called."""

from dataclasses import replace

import pytest

from tests.answers import DOCUMENT, OPERATIONS
from tests.contract.gateway import Gateway

WISH = {"prompt": "A paper boat", "scenes": 1, "seconds": 2}
BOB = {"X-User-ID": "bob"}


def test_a_key_with_the_scope_acts_for_others(gateway: Gateway) -> None:
    agent = replace(gateway, scopes="act_as")
    by_header = agent.call("POST", "/v1/videos", WISH, BOB)
    by_body = agent.call("POST", "/v1/videos", {**WISH, "userId": "bob"}, {"Prefer": "wait=0"})
    for made in (by_header, by_body):
        assert (made.status, made.json()["user_id"]) == (202, "bob")
        path = made.json()["links"]["self"]
        assert gateway.call("GET", path, user_id="bob").status == 200
        assert agent.call("GET", path, headers=BOB).status == 200
        assert agent.call("GET", path).status == 404  # as itself it has no such video
    assert len(agent.call("GET", "/v1/videos", headers=BOB).json()["data"]) == 2
    assert agent.call("GET", "/v1/videos").json()["data"] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_scope_it_acts_for_its_owner_only(method: str, gateway: Gateway) -> None:
    wish = WISH if method == "POST" else None
    refused = gateway.call(method, "/v1/videos", wish, BOB)
    assert (refused.status, refused.json()["code"]) == (403, "auth.forbidden")
    assert "act_as" in refused.json()["detail"]
    assert gateway.call(method, "/v1/videos", wish, {"X-User-ID": "alice"}).status in (200, 202)


def test_nor_does_the_body(gateway: Gateway) -> None:
    assert gateway.call("POST", "/v1/videos", {**WISH, "userId": "bob"}).status == 403
    assert gateway.call("POST", "/v1/videos", {**WISH, "userId": "alice"}).status == 202


@pytest.mark.parametrize("name", ["", "../bob", "bob/x", "b" * 65, "-bob", "böb"])
def test_a_user_is_a_slug(name: str, gateway: Gateway) -> None:
    agent = replace(gateway, scopes="act_as")
    assert agent.call("POST", "/v1/videos", {**WISH, "userId": name}).status == 422
    if name.isascii():
        assert agent.call("GET", "/v1/videos", headers={"X-User-ID": name}).status == 422


@pytest.mark.parametrize("way", ["header", "body", "both"])
def test_a_name_leads_to_its_video(way: str, gateway: Gateway) -> None:
    header = {} if way == "body" else {"X-Request-ID": "req-abc123"}
    body = WISH if way == "header" else {**WISH, "requestId": "req-abc123"}
    made = gateway.call("POST", "/v1/videos", body, header).json()
    assert made["request_id"] == "req-abc123"
    for path in ("req-abc123", made["id"]):
        assert gateway.call("GET", f"/v1/videos/{path}").json()["id"] == made["id"]
    assert gateway.call("GET", "/v1/videos/req-abc123/download").status == 409
    assert gateway.call("POST", "/v1/videos/req-abc123/cancel").status == 200
    resumed = gateway.call("POST", "/v1/videos/req-abc123/resume")
    assert (resumed.status, resumed.json()["id"]) == (202, made["id"])


def test_a_name_is_its_owners(gateway: Gateway) -> None:
    named = {**WISH, "requestId": "mine"}
    mine = gateway.call("POST", "/v1/videos", named)
    theirs = gateway.call("POST", "/v1/videos", named, user_id="bob")
    assert (mine.status, theirs.status) == (202, 202)
    assert mine.json()["id"] != theirs.json()["id"]
    seen = gateway.call("GET", "/v1/videos/mine", user_id="bob").json()
    assert seen["id"] == theirs.json()["id"]
    again = gateway.call("POST", "/v1/videos", named)
    assert (again.status, again.json()["code"]) == (409, "video.exists")
    assert gateway.call("GET", "/v1/videos/mine", user_id="carol").status == 404


@pytest.mark.parametrize("name", ["", "a b", "x" * 65, "_x", "vid_1", "../x"])
def test_a_name_is_a_slug_and_not_one_of_our_ids(name: str, gateway: Gateway) -> None:
    assert gateway.call("POST", "/v1/videos", {**WISH, "requestId": name}).status == 422
    assert gateway.call("POST", "/v1/videos", WISH, {"X-Request-ID": name}).status == 422


def test_header_and_body_may_not_differ(gateway: Gateway) -> None:
    answer = gateway.call("POST", "/v1/videos", {**WISH, "requestId": "a"}, {"X-Request-ID": "b"})
    assert answer.status == 422


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        (operation.method, operation.path, 400 if operation.path.startswith("/api/") else 422)
        for operation in OPERATIONS
        if not operation.public and not operation.path.startswith("/api/admin")
    ],
)
def test_a_name_that_is_none_is_answered_as_documented(
    gateway: Gateway, method: str, path: str, status: int
) -> None:
    reply = gateway.call(method, path, headers={"X-User-ID": "bad id!"})
    assert (reply.status, reply.json()["status"]) == (status, status)
    assert reply.json()["errors"][0]["pointer"] == "/X-User-ID"
    assert str(status) in DOCUMENT["paths"][path][method.lower()]["responses"]
