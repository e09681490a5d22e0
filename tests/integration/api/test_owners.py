"""Whose video it is, and what it is called."""

from dataclasses import replace

import pytest

from tests.support.answers import DOCUMENT, OPERATIONS
from tests.support.gateway import Gateway

WISH = {"prompt": "A paper boat", "scenes": 1, "seconds": 2}
BOB = {"X-User-ID": "bob"}
UUID = "7b3f9a52-0f0e-4f2c-9d0a-1c2b3a4d5e6f"


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


@pytest.mark.parametrize("header", ["", "a b", "x" * 65, "_x", "../x", f"{UUID}#1", "1=2.3"])
def test_a_header_that_is_no_name_is_ignored(header: str, gateway: Gateway) -> None:
    for body, name in ((WISH, None), ({**WISH, "requestId": "mine"}, "mine")):
        made = gateway.call("POST", "/v1/videos", body, {"X-Request-ID": header})
        assert (made.status, made.json()["request_id"]) == (202, name)


def test_the_header_goes_before_the_body(gateway: Gateway) -> None:
    """Header and body of the first version's documentation, as they stand there."""
    header = {"X-Request-ID": "optional-request-override"}
    made = gateway.call("POST", "/v1/videos", {**WISH, "requestId": "req-abc123"}, header)
    assert (made.status, made.json()["request_id"]) == (202, "optional-request-override")


OF_PROXIES = (
    UUID,
    UUID.replace("-", ""),
    UUID.upper(),
    "4bf92f3577b34da6",
    "01JDX5T3R8Q2Z9M4N7K6B1C0AE",
    "1-67891233-abcdef012345678912345678",
)


@pytest.mark.parametrize("header", OF_PROXIES)
def test_the_id_that_a_proxy_adds_renames_nothing(header: str, gateway: Gateway) -> None:
    proxied = {"X-Request-ID": header}
    made = gateway.call("POST", "/v1/videos", {**WISH, "requestId": "mine"}, proxied)
    assert (made.status, made.json()["request_id"]) == (202, "mine")
    story = {"prompt": "A kite", "frameCount": 1, "requestId": "step"}
    made = gateway.call("POST", "/api/generate_story", story, {**proxied, "Prefer": "wait=0"})
    assert (made.status, made.json()["requestId"]) == (202, "step")


@pytest.mark.parametrize("named", [{}, {"requestId": "mine"}])
@pytest.mark.parametrize("header", OF_PROXIES)
def test_what_a_proxy_sends_twice_is_one_request(
    header: str, named: dict[str, str], gateway: Gateway
) -> None:
    proxied = {"X-Request-ID": header}
    first, again = (gateway.call("POST", "/v1/videos", {**WISH, **named}, proxied) for _ in "12")
    assert (first.status, again.status) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["Idempotent-Replayed"] == "true"
    # Another request under the same id, as of a service that passes on the id of its caller.
    other = gateway.call("POST", "/v1/videos", {**WISH, "prompt": "Another"}, proxied)
    assert other.status == 202
    assert other.json()["id"] != first.json()["id"]


def test_a_story_that_a_proxy_asks_for_twice_is_one(gateway: Gateway) -> None:
    body = {"prompt": "A kite", "frameCount": 1, "requestId": "step"}
    headers = {"Prefer": "wait=0", "X-Request-ID": UUID}
    first, again = (gateway.call("POST", "/api/generate_story", body, headers) for _ in "12")
    assert (first.status, again.status) == (202, 202), again.text
    assert first.json()["runId"] == again.json()["runId"]


def test_a_name_that_was_chosen_is_not_used_for_two_videos(gateway: Gateway) -> None:
    header = {"X-Request-ID": "my-heron"}
    first, again = (gateway.call("POST", "/v1/videos", WISH, header) for _ in "12")
    assert (first.status, again.status) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    other = gateway.call("POST", "/v1/videos", {**WISH, "prompt": "Another"}, header)
    assert (other.status, other.json()["code"]) == (409, "video.exists")
