"""CORS: only pages of the allowed origins may call the API and read responses."""

import pytest

from api.http import cors
from tests.support.cold_start import start_cold
from tests.support.gateway import Gateway

ALLOWED, OTHER_ALLOWED = "https://app.example", "https://studio.example"


@pytest.fixture
def cors_gateway(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    monkeypatch.setenv("CORS_ORIGINS", f"{ALLOWED},{OTHER_ALLOWED}")
    start_cold()
    return gateway


@pytest.mark.parametrize("origin", [ALLOWED, OTHER_ALLOWED])
def test_allowed_origin_can_read_responses_and_errors(origin: str, cors_gateway: Gateway) -> None:
    for path, status in (("/v1/videos", 200), ("/v1/videos/none", 404), ("/nowhere", 404)):
        response = cors_gateway.call("GET", path, headers={"oRiGiN": origin})
        assert response.status == status
        assert response.headers["Access-Control-Allow-Origin"] == origin
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
        assert response.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert "Strict-Transport-Security" in response.headers
    rejected = cors_gateway.call("POST", "/v1/videos", {}, headers={"Origin": origin})
    assert (rejected.status, rejected.headers["Access-Control-Allow-Origin"]) == (422, origin)


FOREIGN_ORIGINS = [
    "https://evil.example",
    "https://app.example.evil.example",
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    f"{ALLOWED},{OTHER_ALLOWED}",
    f"{ALLOWED}/",
    "null",
    "*",
    "",
]


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
def test_foreign_origin_gets_no_cors_headers(origin: str, cors_gateway: Gateway) -> None:
    for method in ("GET", "OPTIONS"):
        response = cors_gateway.call(method, "/v1/videos", headers={"Origin": origin})
        assert not [name for name in response.headers if name.startswith("Access-Control")]
        assert response.headers["Vary"] == "Origin"


def test_preflight_lists_allowed_headers_and_methods(cors_gateway: Gateway) -> None:
    response = cors_gateway.call("OPTIONS", "/v1/videos", headers={"Origin": ALLOWED})
    assert (response.status, response.text) == (204, "")
    assert response.headers["Access-Control-Allow-Origin"] == ALLOWED
    for name in ("Authorization", "X-API-Key", "Idempotency-Key", "Prefer", "Content-Type"):
        assert name in response.headers["Access-Control-Allow-Headers"]
    assert "DELETE" in response.headers["Access-Control-Allow-Methods"]
    assert "Strict-Transport-Security" in response.headers


def test_request_without_origin_gets_no_cors_headers(cors_gateway: Gateway) -> None:
    response = cors_gateway.call("GET", "/v1/videos")
    assert not [name for name in response.headers if name.startswith("Access-Control")]


def test_without_allowed_origins_no_cors_headers_are_sent(gateway: Gateway) -> None:
    for method in ("GET", "OPTIONS"):
        response = gateway.call(method, "/v1/videos", headers={"Origin": ALLOWED})
        assert not [name for name in response.headers if name.startswith("Access-Control")]


def test_cors_allows_every_method_of_the_api() -> None:
    from api.handler import app

    used = {route.method for route in [*app._static_routes, *app._dynamic_routes]}
    assert used <= set(cors.METHODS)
