"""What is refused before anything is done: sizes, nesting, types; and in which order."""

import json
from typing import Any

import pytest

from common.database import Database
from common.schemas.base import MAX_DEPTH, MAX_VALUES
from tests.support.gateway import Gateway, Reply

JSON = {"Content-Type": "application/json"}


def post(gateway: Gateway, text: str, **headers: str) -> Reply:
    return gateway.call("POST", "/v1/videos", None, {**JSON, **headers}, text=text)


def nested(depth: int, *, lists: bool) -> str:
    opening, closing = ("[", "]") if lists else ('{"a":', "}")
    core = "1" if lists else "null"
    return opening * depth + core + closing * depth


@pytest.mark.parametrize("lists", [True, False])
def test_nesting_is_bounded_to_the_level(lists: bool, gateway: Gateway) -> None:
    # The body itself is the first level, `metadata` opens the second.
    for depth, status in ((MAX_DEPTH - 1, 422), (MAX_DEPTH, 400), (10_000, 400), (200_000, 400)):
        text = f'{{"prompt": "x", "metadata": {nested(depth, lists=lists)}}}'
        reply = post(gateway, text)
        assert (reply.status, reply.json()["status"]) == (status, status), depth


def test_more_values_than_a_request_has_are_not_read(gateway: Gateway) -> None:
    for count, status in ((MAX_VALUES - 2, 422), (MAX_VALUES - 1, 400), (200_000, 400)):
        reply = post(gateway, json.dumps({"prompt": "x", "models": [[] for _ in range(count)]}))
        assert (reply.status, len(reply.text) < 1000) == (status, True), count


def test_a_refusal_shows_twenty_faults_and_counts_the_others(gateway: Gateway) -> None:
    reply = post(gateway, json.dumps({f"f{n}" + "x" * 200: 1 for n in range(900)}))
    body = reply.json()
    assert (reply.status, len(body["errors"]), len(body["details"])) == (422, 20, 20)
    assert "and 896 more" in body["detail"]  # 900, and the prompt that is missing
    assert len(reply.text) < 64 * 1024


@pytest.mark.parametrize(
    ("method", "path", "limit"),
    [
        ("POST", "/api/convert_s3_image_to_base64", 4 * 1024),
        ("POST", "/api/generate_story", 64 * 1024),
        ("POST", "/v1/uploads", 64 * 1024),
        ("POST", "/v1/videos", 6 * 1024 * 1024),
        ("POST", "/api/generate_single_image", 6 * 1024 * 1024),
        ("POST", "/v1/estimates", 6 * 1024 * 1024),
    ],
)
def test_a_body_has_a_limit_of_its_route(
    gateway: Gateway, method: str, path: str, limit: int
) -> None:
    for length, status in ((limit, {400, 422}), (limit + 1, {413})):
        text = '{"prompt":"' + "x" * (length - 13) + '"}'
        reply = gateway.call(method, path, None, JSON, text=text)
        assert reply.status in status, reply.text[:200]


@pytest.mark.parametrize(
    "text",
    ["{", "nonsense", '{"prompt": NaN}', '{"seed": 1' + "0" * 5000 + "}", "'a'"],
)
def test_what_is_not_json_is_400(text: str, gateway: Gateway) -> None:
    assert post(gateway, text).json()["code"] == "request.malformed"


@pytest.mark.parametrize("text", ['[{"prompt": "x"}]', "[]", "7", '"text"', "null", "true", ""])
def test_json_that_is_no_object_is_422(text: str, gateway: Gateway, database: Database) -> None:
    assert post(gateway, text).json()["code"] == "request.invalid"
    with database.transaction() as cursor:
        cursor.execute("SELECT 1 FROM video_sessions")
        assert cursor.fetchall() == []


def test_a_body_that_is_no_text_is_400(gateway: Gateway) -> None:
    for text in ("/w==", "not base64"):
        reply = gateway.call("POST", "/v1/videos", None, JSON, text=text, base64=True)
        assert reply.json()["code"] == "request.malformed"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json-patch+json",
        "application/jsonp",
    ],
)
def test_only_json_is_taken_for_json(media_type: str, gateway: Gateway) -> None:
    reply = post(gateway, "prompt=x", **{"Content-Type": media_type})
    assert (reply.status, reply.json()["code"]) == (415, "request.media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", ""])
def test_json_may_be_called_so_in_several_ways(media_type: str, gateway: Gateway) -> None:
    assert post(gateway, '{"prompt": "x"}', **{"Content-Type": media_type}).status == 202


def test_lengths_are_exact(gateway: Gateway) -> None:
    wish: dict[str, Any] = {"prompt": "é" * 4000, "metadata": {"k" * 64: "ü" * 500}}
    assert gateway.call("POST", "/v1/videos", wish).status == 202
    for field, changed in (
        ("/prompt", {"prompt": "é" * 4001}),
        (f"/metadata/{'k' * 64}", {"metadata": {"k" * 64: "ü" * 501}}),
        ("/metadata", {"metadata": {str(n): "" for n in range(17)}}),
        ("/seed", {"seed": 2**32}),
        ("/scenes", {"scenes": 61}),
    ):
        reply = gateway.call("POST", "/v1/videos", {**wish, **changed})
        assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, field)


def test_names_that_a_client_made_up_come_back_safely(gateway: Gateway) -> None:
    reply = post(gateway, '{"prompt": "x", "a/b~c": 1, "body": 1, "\\u0000": 1}')
    pointers = [fault["pointer"] for fault in reply.json()["errors"]]
    assert pointers == ["/a~1b~0c", "/body", "/\ufffd"]
    # Half of a surrogate pair is no text at all.
    assert post(gateway, '{"prompt": "x", "\\ud800": 1}').status == 422
    assert post(gateway, '{"prompt": "x", "metadata": {"\\ud800": "1"}}').status == 422


def test_a_wrong_request_counts_like_any_other(gateway: Gateway, database: Database) -> None:
    first = post(gateway, "{}")
    second = post(gateway, "{")
    third = post(gateway, "{}", **{"Content-Type": "text/plain"})
    assert [reply.status for reply in (first, second, third)] == [422, 400, 415]
    assert all('"minute";r=' in reply.headers["RateLimit"] for reply in (first, second, third))
    with database.transaction() as cursor:
        cursor.execute("SELECT sum(requests)::int AS n FROM key_requests")
        assert cursor.fetchone() == {"n": 3}


def test_a_video_that_cannot_be_joined_in_time_is_refused_before_it_is_stored(
    gateway: Gateway, database: Database
) -> None:
    """The most scenes that are said to be possible are taken; one more is not."""
    output = {"size": "3840x2160", "transition": "crossfade", "background": "blur"}
    wish = {"prompt": "x", "scenes": 60, "seconds": 5, "output": output}
    refused = post(gateway, json.dumps(wish))
    body = refused.json()
    assert (refused.status, body["code"]) == (422, "output.too_heavy"), body
    assert "fewer or shorter scenes" in body["detail"]
    most = int(body["detail"].split("at most about ")[1].split()[0])
    assert 1 < most < 60
    for path in ("/v1/videos", "/v1/estimates"):
        text = json.dumps(wish | {"scenes": most + 1})
        more = gateway.call("POST", path, None, JSON, text=text)
        assert (more.status, more.json()["code"]) == (422, "output.too_heavy"), path
    with database.transaction() as cursor:
        cursor.execute("SELECT 1 FROM video_sessions")
        assert cursor.fetchone() is None
    assert post(gateway, json.dumps(wish | {"scenes": most})).status == 202
