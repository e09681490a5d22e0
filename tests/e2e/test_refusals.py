"""Invalid requests: status codes, problem bodies that name the field, and nothing stored."""

import base64
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from PIL import Image

from common.domain import api_keys
from tests.e2e.client import Client, StackAccess

JSON = {"Content-Type": "application/json"}


def assert_problem(
    response: requests.Response, status: int, code: str | None = None
) -> dict[str, Any]:
    """Assert status and code of a problem response (its shape is checked by the client)."""
    assert response.status_code == status, response.text
    body: dict[str, Any] = response.json()
    assert code is None or body["code"] == code
    return body


def png(size: tuple[int, int] = (64, 64)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "PNG")
    return out.getvalue()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


INVALID_REQUESTS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no prompt": ({}, 422, "/prompt"),
    "empty prompt": ({"prompt": "   "}, 422, "/prompt"),
    "long prompt": ({"prompt": "x" * 4001}, 422, "/prompt"),
    "prompt is a number": ({"prompt": 7}, 422, "/prompt"),
    "prompt with a NUL": ({"prompt": "a\0b"}, 422, "/prompt"),
    "half a surrogate pair": ({"prompt": "a\ud800b"}, 422, "/prompt"),
    "no scenes": ({"prompt": "x", "scenes": 0}, 422, "/scenes"),
    "61 scenes": ({"prompt": "x", "scenes": 61}, 422, "/scenes"),
    "scenes as text": ({"prompt": "x", "scenes": "6"}, 422, "/scenes"),
    "1 second": ({"prompt": "x", "seconds": 1}, 422, "/seconds"),
    "11 seconds": ({"prompt": "x", "seconds": 11}, 422, "/seconds"),
    "unknown ratio": ({"prompt": "x", "ratio": "16:9"}, 422, "/ratio"),
    "unknown style": ({"prompt": "x", "style": "Baroque"}, 422, "/style"),
    "unknown mood": ({"prompt": "x", "mood": "Hangry"}, 422, "/mood"),
    "unknown provider": (
        {"prompt": "x", "models": {"video": {"provider": "sora"}}},
        422,
        "/models/video",
    ),
    "key not set": (
        {"prompt": "x", "models": {"video": {"provider": "runway"}}},
        422,
        "/models/video",
    ),
    "unknown field": ({"prompt": "x", "colour": "red"}, 422, "/colour"),
    "not a picture": ({"prompt": "x", "image": encoded(b"hello")}, 422, "/image"),
    "a gif": ({"prompt": "x", "image": encoded(b"GIF89a" + bytes(40))}, 422, "/image"),
    "cut short": ({"prompt": "x", "image": encoded(png((900, 900))[:-60])}, 422, "/image"),
    "too many pixels": ({"prompt": "x", "image": encoded(png((6_000, 5_000)))}, 422, "/image"),
    "too large": ({"prompt": "x", "image": "A" * 5_880_000}, 413, "/image"),
}


@pytest.mark.parametrize("name", INVALID_REQUESTS)
def test_invalid_request_error_names_field_and_stores_nothing(
    name: str, as_user: Callable[[str], Client], stack: StackAccess
) -> None:
    body, status, pointer = INVALID_REQUESTS[name]
    user = f"user-{uuid.uuid4().hex[:12]}"
    problem = assert_problem(as_user(user).call("POST", "/v1/videos", body), status)
    assert pointer in [error["pointer"] for error in problem["errors"]]
    assert stack.rows("SELECT 1 FROM video_sessions WHERE user_id = %s", user) == []
    assert stack.objects(f"{user}/") == []


@pytest.mark.deployed
@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [("style", "Baroque", "Pixel art"), ("mood", "Hangry", "Melancholic"), ("seconds", 11, 10)],
)
def test_invalid_value_error_lists_allowed_values(
    field: str, value: object, allowed: object, alice: Client
) -> None:
    problem = alice.call("POST", "/v1/videos", {"prompt": "x", field: value}).json()
    assert allowed in problem["errors"][0]["allowed"]


@pytest.mark.deployed
@pytest.mark.parametrize("text", ["", "{", "[1,", "nonsense", '{"prompt": NaN}', "[" * 100_000])
def test_malformed_json_body_is_rejected(text: str, alice: Client) -> None:
    response = alice.call("POST", "/v1/videos", data=text.encode(), headers=JSON)
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code)


@pytest.mark.deployed
@pytest.mark.parametrize("text", ["[]", "7", '"text"', "null", "true"])
def test_json_body_that_is_not_object_returns_422(text: str, alice: Client) -> None:
    response = alice.call("POST", "/v1/videos", data=text.encode(), headers=JSON)
    assert_problem(response, 422)


@pytest.mark.deployed
def test_unsupported_content_type_returns_415(alice: Client) -> None:
    xml = {"Content-Type": "application/xml"}
    response = alice.call("POST", "/v1/videos", data="<prompt>x</prompt>", headers=xml)
    assert_problem(response, 415)


INVALID_KEYS = {
    "none": None,
    "rubbish": "rubbish",
    "wrong checksum": "vg_live_" + "a" * 42,
    "well formed": api_keys.mint(live=True),
}


@pytest.mark.deployed
@pytest.mark.parametrize("name", INVALID_KEYS)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/videos"), ("POST", "/v1/videos"), ("POST", "/api/admin/api-keys")],
)
def test_invalid_api_key_returns_401(name: str, method: str, path: str, base_url: str) -> None:
    client = Client(base_url, INVALID_KEYS[name])
    assert_problem(client.call(method, path), 401, "auth.unauthorized")


@pytest.mark.deployed
def test_api_key_header_variants_must_agree(alice: Client) -> None:
    anonymous = Client(alice.base_url, None)
    assert anonymous.call("GET", "/v1/videos", headers={"x-api-key": alice.key}).status_code == 200
    other = api_keys.mint(live=True)
    assert_problem(alice.call("GET", "/v1/videos", headers={"X-API-Key": other}), 401)


def test_api_key_limited_to_endpoints_returns_403_elsewhere(operator: Client) -> None:
    created = operator.call(
        "POST",
        "/api/admin/api-keys",
        {"name": "reader", "userId": "alice", "allowedEndpoints": ["GET /v1/videos*"]},
    )
    assert created.status_code == 201
    reader = Client(operator.base_url, created.json()["apiKey"]["key"])
    assert reader.call("GET", "/v1/videos").status_code == 200
    assert_problem(reader.call("POST", "/v1/videos", {"prompt": "x"}), 403, "auth.forbidden")


@pytest.mark.deployed
def test_only_operator_creates_api_keys(alice: Client) -> None:
    body = {"name": "mine", "userId": "bob"}
    assert_problem(alice.call("POST", "/api/admin/api-keys", body), 403, "auth.forbidden")


def test_rate_limit_returns_429_with_retry_after(operator: Client) -> None:
    created = operator.call(
        "POST",
        "/api/admin/api-keys",
        {"name": "slow", "userId": "slow", "rateLimit": {"requestsPerMinute": 3}},
    )
    slow = Client(operator.base_url, created.json()["apiKey"]["key"])
    responses = [slow.call("GET", "/v1/videos") for _ in range(8)]
    refused = [response for response in responses if response.status_code == 429]
    # A minute may end in between and reset the counter.
    assert len(refused) >= 2
    assert_problem(refused[0], 429, "rate.requests")
    assert 0 <= int(refused[0].headers["Retry-After"]) <= 60
    assert '"minute";q=3;w=60' in refused[0].headers["RateLimit-Policy"]
    assert '"minute";r=2' in responses[0].headers["RateLimit"]


@pytest.mark.deployed
def test_video_of_other_user_is_not_found(alice: Client, as_user: Callable[[str], Client]) -> None:
    video = alice.create(prompt="Private", scenes=1, seconds=2, ratio="960:960")
    bob = as_user("bob")
    for path in (f"/v1/videos/{video['id']}", f"/v1/videos/{video['id']}/download"):
        assert_problem(bob.call("GET", path), 404, "not_found")
    assert video["id"] not in bob.call("GET", "/v1/videos?limit=100").text
    assert_problem(alice.call("GET", f"/v1/videos/vid_{'0' * 26}"), 404, "not_found")
    alice.wait(video["id"])


@pytest.mark.deployed
def test_unfinished_video_cannot_be_downloaded(alice: Client) -> None:
    video = alice.create(prompt="Soon", scenes=1, seconds=2, ratio="960:960")
    response = alice.call("GET", f"/v1/videos/{video['id']}/download")
    if alice.call("GET", f"/v1/videos/{video['id']}").json()["status"] != "succeeded":
        assert_problem(response, 409, "video.not_finished")
    alice.wait(video["id"])
    assert alice.call("GET", f"/v1/videos/{video['id']}/download").status_code == 200


@pytest.mark.deployed
@pytest.mark.parametrize(
    "path",
    [
        "/v1/videos?limit=0",
        "/v1/videos?limit=101",
        "/v1/videos?limit=x",
        "/v1/videos?cursor=!!",
        "/v1/videos?statsu=failed",
        "/v1/videos/not%20one",
    ],
)
def test_invalid_query_parameters_return_422(path: str, alice: Client) -> None:
    assert_problem(alice.call("GET", path), 422)


@pytest.mark.deployed
def test_unknown_path_returns_404_problem(alice: Client) -> None:
    assert_problem(alice.call("GET", "/v1/nothing"), 404)


@pytest.mark.deployed
def test_health_and_openapi_document_need_no_key(base_url: str) -> None:
    anonymous = Client(base_url, None)
    health = anonymous.call("GET", "/v1/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    document = anonymous.call("GET", "/openapi.json").json()
    assert "/v1/videos" in document["paths"]
    assert document["servers"] == [{"url": base_url}]
    page = anonymous.call("GET", "/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "style-src 'sha256-" in page.headers["Content-Security-Policy"]
