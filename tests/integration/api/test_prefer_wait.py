"""`Prefer: wait=N` (RFC 7240): the final state within one request, or 202 as without it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.http import prefer_wait
from common.database import Database, runs
from infra.local.postgres import Postgres
from tests.support.fixtures import NAME
from tests.support.gateway import ADDRESS, Gateway

VIDEO_BODY = {"prompt": "A paper boat", "scenes": 2, "seconds": 2}


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("Wait = 3", 3),
        ('respond-async, wait="7"; foo=bar', 7),
        ("wait=600", 25),
        ("wait=" + "9" * 40, 25),
        ("wait=0", 0),
        ("wait=10, wait=20", 10),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=soon", None),
        ("wait=٣", None),
        ("waits=3", None),
        ("", None),
        (None, None),
    ],
)
def test_prefer_header_is_parsed_in_seconds(prefer: str | None, seconds: int | None) -> None:
    assert prefer_wait.requested_seconds(prefer) == seconds


def fail_run_soon(database: Database, run_id: str) -> None:
    time.sleep(0.7)
    with database.transaction() as cursor:
        runs.fail(
            cursor,
            run_id,
            {
                "code": "x",
                "stage": "story",
                "scene": None,
                "detail": "no",
                "retryable": True,
                "billed": None,
            },
        )


def test_prefer_wait_returns_the_final_state(gateway: Gateway, database: Database) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    with ThreadPoolExecutor() as pool:
        run_end = pool.submit(fail_run_soon, database, created["run_id"])
        response = gateway.call("GET", created["links"]["self"], headers={"Prefer": "wait=20"})
        run_end.result()
    assert response.status == 200
    assert response.json()["status"] == "failed"
    assert response.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in response.headers


def test_prefer_wait_applies_to_an_idempotency_replay(gateway: Gateway, database: Database) -> None:
    key = {"Idempotency-Key": "k"}
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY, key).json()
    with ThreadPoolExecutor() as pool:
        run_end = pool.submit(fail_run_soon, database, created["run_id"])
        response = gateway.call("POST", "/v1/videos", VIDEO_BODY, key | {"Prefer": "wait=20"})
        run_end.result()
    assert (response.status, response.json()["status"]) == (200, "failed")
    assert response.headers["Idempotent-Replayed"] == "true"
    assert response.headers["Location"] == ADDRESS + created["links"]["self"]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_prefer_wait_timeout_returns_retry_after(method: str, gateway: Gateway) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    path = "/v1/videos" if method == "POST" else created["links"]["self"]
    started = time.monotonic()
    response = gateway.call(
        method, path, VIDEO_BODY if method == "POST" else None, {"Prefer": "wait=1"}
    )
    assert 1 <= time.monotonic() - started < 4
    assert response.status == (202 if method == "POST" else 200)
    assert response.json()["status"] == "queued"
    assert response.headers["Preference-Applied"] == "wait=1"
    assert int(response.headers["Retry-After"]) > 0


def test_prefer_wait_ends_before_the_function_timeout(gateway: Gateway) -> None:
    gateway.context.remaining_ms = 3000
    started = time.monotonic()
    response = gateway.call("POST", "/v1/videos", VIDEO_BODY, {"Prefer": "wait=25"})
    assert time.monotonic() - started < 3
    assert response.status == 202


@pytest.mark.parametrize("path", ["/v1/videos", "/api/generate_story"])
def test_prefer_wait_counts_from_the_gateways_receipt(gateway: Gateway, path: str) -> None:
    gateway.age_seconds = 26  # spent on a cold start, before the function's clock
    started = time.monotonic()
    response = gateway.call("POST", path, {"prompt": "A paper boat"}, {"Prefer": "wait=25"})
    assert time.monotonic() - started < 3
    assert response.status == 202


def test_prefer_wait_holds_no_open_transaction(gateway: Gateway, postgres: Postgres) -> None:
    with ThreadPoolExecutor() as pool:
        request = pool.submit(gateway.call, "POST", "/v1/videos", VIDEO_BODY, {"Prefer": "wait=2"})
        time.sleep(1)
        observer = postgres.connect(NAME)
        states = []
        while not request.done():
            states += observer.run(
                "SELECT state FROM pg_stat_activity WHERE application_name = 'video-generator'"
            )
            time.sleep(0.01)
        observer.close()
    idle = [state for (state,) in states if state == "idle"]
    assert len(idle) > 0.9 * len(states) > 20


def test_prefer_wait_ends_when_the_database_goes_away(gateway: Gateway, postgres: Postgres) -> None:
    with ThreadPoolExecutor() as pool:
        request = pool.submit(gateway.call, "POST", "/v1/videos", VIDEO_BODY, {"Prefer": "wait=20"})
        time.sleep(1)
        admin = postgres.connect()
        admin.run(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false")
        admin.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'video-generator'"
        )
        response = request.result()
        admin.run(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true")
        admin.close()
    assert response.status == 202
    assert response.json()["status"] == "queued"
