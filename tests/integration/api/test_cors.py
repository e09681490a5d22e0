"""CORS: pages of exactly the allowed sites may call and read."""

import pytest

from api.http import cors
from tests.support.gateway import Gateway

MINE, OTHER = "https://app.example", "https://studio.example"


@pytest.fixture
def sites(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    from api import dependencies

    monkeypatch.setenv("CORS_ORIGINS", f"{MINE},{OTHER}")
    dependencies.settings.cache_clear()
    return gateway


@pytest.mark.parametrize("origin", [MINE, OTHER])
def test_a_page_of_an_allowed_site_reads_answers_and_refusals(origin: str, sites: Gateway) -> None:
    for path, status in (("/v1/videos", 200), ("/v1/videos/none", 404), ("/nowhere", 404)):
        answer = sites.call("GET", path, headers={"oRiGiN": origin})
        assert answer.status == status
        assert answer.headers["Access-Control-Allow-Origin"] == origin
        assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
        assert answer.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Strict-Transport-Security" in answer.headers
    refused = sites.call("POST", "/v1/videos", {}, headers={"Origin": origin})
    assert (refused.status, refused.headers["Access-Control-Allow-Origin"]) == (422, origin)


FOREIGN = [
    "https://evil.example",
    "https://app.example.evil.example",
    "http://app.example",
    "https://app.example:8443",
    "https://APP.example",
    f"{MINE},{OTHER}",
    f"{MINE}/",
    "null",
    "*",
    "",
]


@pytest.mark.parametrize("origin", FOREIGN)
def test_no_other_page_does(origin: str, sites: Gateway) -> None:
    for method in ("GET", "OPTIONS"):
        answer = sites.call(method, "/v1/videos", headers={"Origin": origin})
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        assert answer.headers["Vary"] == "Origin"


def test_a_browser_is_told_what_a_page_may_send(sites: Gateway) -> None:
    answer = sites.call("OPTIONS", "/v1/videos", headers={"Origin": MINE})
    assert (answer.status, answer.text) == (204, "")
    assert answer.headers["Access-Control-Allow-Origin"] == MINE
    for name in ("Authorization", "X-API-Key", "Idempotency-Key", "Prefer", "Content-Type"):
        assert name in answer.headers["Access-Control-Allow-Headers"]
    assert "DELETE" in answer.headers["Access-Control-Allow-Methods"]
    assert "Strict-Transport-Security" in answer.headers


def test_programs_get_no_such_headers(sites: Gateway) -> None:
    answer = sites.call("GET", "/v1/videos")
    assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_without_allowed_sites_no_page_may_anything(gateway: Gateway) -> None:
    for method in ("GET", "OPTIONS"):
        answer = gateway.call(method, "/v1/videos", headers={"Origin": MINE})
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


def test_every_method_of_the_api_is_among_those_allowed() -> None:
    from api.handler import app

    used = {route.method for route in [*app._static_routes, *app._dynamic_routes]}
    assert used <= set(cors.METHODS)
