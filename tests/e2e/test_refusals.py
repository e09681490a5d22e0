"""What a client does wrong: the right status, a body that names the field, nothing stored."""

import base64
import io
import uuid
from collections.abc import Callable
from typing import Any

import pytest
import requests
from PIL import Image

from common.domain import api_keys
from tests.e2e.client import Backstage, Client

JSON = {"Content-Type": "application/json"}


def assert_problem(
    response: requests.Response, status: int, code: str | None = None
) -> dict[str, Any]:
    """The answer is this refusal; the client has seen to it that it looks like one."""
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


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
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


@pytest.mark.parametrize("name", WRONG)
def test_bad_input_names_the_field_and_stores_nothing(
    name: str, as_user: Callable[[str], Client], backstage: Backstage
) -> None:
    body, status, pointer = WRONG[name]
    user = f"user-{uuid.uuid4().hex[:12]}"
    problem = assert_problem(as_user(user).call("POST", "/v1/videos", body), status)
    assert pointer in [fault["pointer"] for fault in problem["errors"]]
    assert backstage.rows("SELECT 1 FROM video_sessions WHERE user_id = %s", user) == []
    assert backstage.objects(f"{user}/") == []


@pytest.mark.deployed
@pytest.mark.parametrize(
    ("field", "value", "allowed"),
    [("style", "Baroque", "Pixel art"), ("mood", "Hangry", "Melancholic"), ("seconds", 11, 10)],
)
def test_the_allowed_values_are_listed(
    field: str, value: object, allowed: object, alice: Client
) -> None:
    problem = alice.call("POST", "/v1/videos", {"prompt": "x", field: value}).json()
    assert allowed in problem["errors"][0]["allowed"]


@pytest.mark.deployed
@pytest.mark.parametrize("text", ["", "{", "[1,", "nonsense", '{"prompt": NaN}', "[" * 100_000])
def test_a_body_that_is_not_json_is_400(text: str, alice: Client) -> None:
    response = alice.call("POST", "/v1/videos", data=text.encode(), headers=JSON)
    assert response.status_code in (400, 422)
    assert_problem(response, response.status_code)


@pytest.mark.deployed
@pytest.mark.parametrize("text", ["[]", "7", '"text"', "null", "true"])
def test_json_that_is_no_object_is_422(text: str, alice: Client) -> None:
    response = alice.call("POST", "/v1/videos", data=text.encode(), headers=JSON)
    assert_problem(response, 422)


@pytest.mark.deployed
def test_another_content_type_is_415(alice: Client) -> None:
    xml = {"Content-Type": "application/xml"}
    response = alice.call("POST", "/v1/videos", data="<prompt>x</prompt>", headers=xml)
    assert_problem(response, 415)


WRONG_KEYS = {
    "none": None,
    "rubbish": "rubbish",
    "wrong checksum": "vg_live_" + "a" * 42,
    "well formed": api_keys.mint(live=True),
}


@pytest.mark.deployed
@pytest.mark.parametrize("name", WRONG_KEYS)
@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/videos"), ("POST", "/v1/videos"), ("POST", "/api/admin/api-keys")],
)
def test_without_a_valid_key_it_is_401(name: str, method: str, path: str, base_url: str) -> None:
    client = Client(base_url, WRONG_KEYS[name])
    assert_problem(client.call(method, path), 401, "auth.unauthorized")


@pytest.mark.deployed
def test_either_header_carries_the_key_but_not_two_that_differ(alice: Client) -> None:
    nobody = Client(alice.base_url, None)
    assert nobody.call("GET", "/v1/videos", headers={"x-api-key": alice.key}).status_code == 200
    other = api_keys.mint(live=True)
    assert_problem(alice.call("GET", "/v1/videos", headers={"X-API-Key": other}), 401)


def test_a_key_for_some_endpoints_is_403_at_others(operator: Client) -> None:
    made = operator.call(
        "POST",
        "/api/admin/api-keys",
        {"name": "reader", "userId": "alice", "allowedEndpoints": ["GET /v1/videos*"]},
    )
    assert made.status_code == 201
    reader = Client(operator.base_url, made.json()["apiKey"]["key"])
    assert reader.call("GET", "/v1/videos").status_code == 200
    assert_problem(reader.call("POST", "/v1/videos", {"prompt": "x"}), 403, "auth.forbidden")


@pytest.mark.deployed
def test_only_the_operator_mints_keys(alice: Client) -> None:
    body = {"name": "mine", "userId": "bob"}
    assert_problem(alice.call("POST", "/api/admin/api-keys", body), 403, "auth.forbidden")


def test_over_the_limit_it_is_429_and_says_when(operator: Client) -> None:
    made = operator.call(
        "POST",
        "/api/admin/api-keys",
        {"name": "slow", "userId": "slow", "rateLimit": {"requestsPerMinute": 3}},
    )
    slow = Client(operator.base_url, made.json()["apiKey"]["key"])
    answers = [slow.call("GET", "/v1/videos") for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    # A minute may end in between, and start the count anew.
    assert len(refused) >= 2
    assert_problem(refused[0], 429, "rate.requests")
    assert 0 <= int(refused[0].headers["Retry-After"]) <= 60
    assert '"minute";q=3;w=60' in refused[0].headers["RateLimit-Policy"]
    assert '"minute";r=2' in answers[0].headers["RateLimit"]


@pytest.mark.deployed
def test_anothers_video_is_404_like_none_at_all(
    alice: Client, as_user: Callable[[str], Client]
) -> None:
    video = alice.create(prompt="Private", scenes=1, seconds=2, ratio="960:960")
    bob = as_user("bob")
    for path in (f"/v1/videos/{video['id']}", f"/v1/videos/{video['id']}/download"):
        assert_problem(bob.call("GET", path), 404, "not_found")
    assert video["id"] not in bob.call("GET", "/v1/videos?limit=100").text
    assert_problem(alice.call("GET", f"/v1/videos/vid_{'0' * 26}"), 404, "not_found")
    alice.wait(video["id"])


@pytest.mark.deployed
def test_a_video_that_is_not_finished_cannot_be_downloaded(alice: Client) -> None:
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
def test_bad_parameters_are_422(path: str, alice: Client) -> None:
    assert_problem(alice.call("GET", path), 422)


@pytest.mark.deployed
def test_an_unknown_path_is_404_in_our_shape(alice: Client) -> None:
    assert_problem(alice.call("GET", "/v1/nothing"), 404)


@pytest.mark.deployed
def test_health_and_document_need_no_key(base_url: str) -> None:
    nobody = Client(base_url, None)
    health = nobody.call("GET", "/v1/health")
    assert (health.status_code, health.json()["status"]) == (200, "ok")
    document = nobody.call("GET", "/openapi.json").json()
    assert "/v1/videos" in document["paths"]
    assert document["servers"] == [{"url": base_url}]
    page = nobody.call("GET", "/docs")
    assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "style-src 'sha256-" in page.headers["Content-Security-Policy"]
