"""Validation before admission: sizes, nesting, media types, and their order."""

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
def test_json_nesting_limit_is_exact(lists: bool, gateway: Gateway) -> None:
    # The body itself is the first level, `metadata` opens the second.
    for depth, status in ((MAX_DEPTH - 1, 422), (MAX_DEPTH, 400), (10_000, 400), (200_000, 400)):
        text = f'{{"prompt": "x", "metadata": {nested(depth, lists=lists)}}}'
        reply = post(gateway, text)
        assert (reply.status, reply.json()["status"]) == (status, status), depth


def test_json_value_limit_is_exact(gateway: Gateway) -> None:
    for count, status in ((MAX_VALUES - 2, 422), (MAX_VALUES - 1, 400), (200_000, 400)):
        reply = post(gateway, json.dumps({"prompt": "x", "models": [[] for _ in range(count)]}))
        assert (reply.status, len(reply.text) < 1000) == (status, True), count


def test_error_response_lists_20_faults_and_counts_the_rest(gateway: Gateway) -> None:
    reply = post(gateway, json.dumps({f"f{n}" + "x" * 200: 1 for n in range(900)}))
    body = reply.json()
    assert (reply.status, len(body["errors"]), len(body["details"])) == (422, 20, 20)
    assert "and 896 more" in body["detail"]  # 900, and the missing prompt
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
def test_body_size_limit_depends_on_the_route(
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
def test_malformed_json_is_400(text: str, gateway: Gateway) -> None:
    assert post(gateway, text).json()["code"] == "request.malformed"


@pytest.mark.parametrize("text", ['[{"prompt": "x"}]', "[]", "7", '"text"', "null", "true", ""])
def test_json_that_is_not_an_object_is_422(text: str, gateway: Gateway, database: Database) -> None:
    assert post(gateway, text).json()["code"] == "request.invalid"
    with database.transaction() as cursor:
        cursor.execute("SELECT 1 FROM video_sessions")
        assert cursor.fetchall() == []


def test_body_that_is_not_utf_8_is_400(gateway: Gateway) -> None:
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
def test_other_media_type_is_415(media_type: str, gateway: Gateway) -> None:
    reply = post(gateway, "prompt=x", **{"Content-Type": media_type})
    assert (reply.status, reply.json()["code"]) == (415, "request.media_type")


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON", ""])
def test_json_media_type_is_accepted_in_every_spelling(media_type: str, gateway: Gateway) -> None:
    assert post(gateway, '{"prompt": "x"}', **{"Content-Type": media_type}).status == 202


def test_field_length_limits_are_exact(gateway: Gateway) -> None:
    request: dict[str, Any] = {"prompt": "é" * 4000, "metadata": {"k" * 64: "ü" * 500}}
    assert gateway.call("POST", "/v1/videos", request).status == 202
    for field, changed in (
        ("/prompt", {"prompt": "é" * 4001}),
        (f"/metadata/{'k' * 64}", {"metadata": {"k" * 64: "ü" * 501}}),
        ("/metadata", {"metadata": {str(n): "" for n in range(17)}}),
        ("/seed", {"seed": 2**32}),
        ("/scenes", {"scenes": 61}),
    ):
        reply = gateway.call("POST", "/v1/videos", {**request, **changed})
        assert (reply.status, reply.json()["errors"][0]["pointer"]) == (422, field)


def test_unknown_field_names_are_escaped_in_the_response(gateway: Gateway) -> None:
    reply = post(gateway, '{"prompt": "x", "a/b~c": 1, "body": 1, "\\u0000": 1}')
    pointers = [fault["pointer"] for fault in reply.json()["errors"]]
    assert pointers == ["/a~1b~0c", "/body", "/\ufffd"]
    # A lone surrogate is not valid text.
    assert post(gateway, '{"prompt": "x", "\\ud800": 1}').status == 422
    assert post(gateway, '{"prompt": "x", "metadata": {"\\ud800": "1"}}').status == 422


def test_invalid_request_counts_against_the_rate_limit(
    gateway: Gateway, database: Database
) -> None:
    first = post(gateway, "{}")
    second = post(gateway, "{")
    third = post(gateway, "{}", **{"Content-Type": "text/plain"})
    assert [reply.status for reply in (first, second, third)] == [422, 400, 415]
    assert all('"minute";r=' in reply.headers["RateLimit"] for reply in (first, second, third))
    with database.transaction() as cursor:
        cursor.execute("SELECT sum(requests)::int AS n FROM key_requests")
        assert cursor.fetchone() == {"n": 3}


def test_video_too_heavy_to_merge_is_rejected_before_it_is_stored(
    gateway: Gateway, database: Database
) -> None:
    """The suggested number of scenes is accepted, and one more is rejected."""
    output = {"size": "3840x2160", "transition": "crossfade", "background": "blur"}
    request = {"prompt": "x", "scenes": 60, "seconds": 5, "output": output}
    rejected = post(gateway, json.dumps(request))
    body = rejected.json()
    assert (rejected.status, body["code"]) == (422, "output.too_heavy"), body
    assert "fewer or shorter scenes" in body["detail"]
    most_scenes = int(body["detail"].split("at most about ")[1].split()[0])
    assert 1 < most_scenes < 60
    for path in ("/v1/videos", "/v1/estimates"):
        text = json.dumps(request | {"scenes": most_scenes + 1})
        response = gateway.call("POST", path, None, JSON, text=text)
        assert (response.status, response.json()["code"]) == (422, "output.too_heavy"), path
    with database.transaction() as cursor:
        cursor.execute("SELECT 1 FROM video_sessions")
        assert cursor.fetchone() is None
    assert post(gateway, json.dumps(request | {"scenes": most_scenes})).status == 202
