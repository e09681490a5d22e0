"""`Prefer: wait=N`: the end within one request, or 202 as without it."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from api.http import prefer_wait
from common.database import Database, runs
from infra.local.postgres import Postgres
from tests.support.fixtures import NAME
from tests.support.gateway import ADDRESS, Gateway

WISH = {"prompt": "A paper boat", "scenes": 2, "seconds": 2}


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
def test_what_a_client_prefers(prefer: str | None, seconds: int | None) -> None:
    assert prefer_wait.asked(prefer) == seconds


def end(database: Database, run_id: str) -> None:
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


def test_who_waits_long_enough_gets_the_end(gateway: Gateway, database: Database) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(end, database, made["run_id"])
        seen = gateway.call("GET", made["links"]["self"], headers={"Prefer": "wait=20"})
        ending.result()
    assert seen.status == 200
    assert seen.json()["status"] == "failed"
    assert seen.headers["Preference-Applied"] == "wait=20"
    assert "Retry-After" not in seen.headers


def test_a_repetition_may_wait_too(gateway: Gateway, database: Database) -> None:
    key = {"Idempotency-Key": "k"}
    made = gateway.call("POST", "/v1/videos", WISH, key).json()
    with ThreadPoolExecutor() as pool:
        ending = pool.submit(end, database, made["run_id"])
        seen = gateway.call("POST", "/v1/videos", WISH, key | {"Prefer": "wait=20"})
        ending.result()
    assert (seen.status, seen.json()["status"]) == (200, "failed")
    assert seen.headers["Idempotent-Replayed"] == "true"
    assert seen.headers["Location"] == ADDRESS + made["links"]["self"]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_whose_time_is_over_is_told_when_to_look_again(method: str, gateway: Gateway) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    path = "/v1/videos" if method == "POST" else made["links"]["self"]
    started = time.monotonic()
    seen = gateway.call(method, path, WISH if method == "POST" else None, {"Prefer": "wait=1"})
    assert 1 <= time.monotonic() - started < 4
    assert seen.status == (202 if method == "POST" else 200)
    assert seen.json()["status"] == "queued"
    assert seen.headers["Preference-Applied"] == "wait=1"
    assert int(seen.headers["Retry-After"]) > 0


def test_nobody_waits_past_the_end_of_the_function(gateway: Gateway) -> None:
    gateway.context.remaining_ms = 3000
    started = time.monotonic()
    seen = gateway.call("POST", "/v1/videos", WISH, {"Prefer": "wait=25"})
    assert time.monotonic() - started < 3
    assert seen.status == 202


@pytest.mark.parametrize("path", ["/v1/videos", "/api/generate_story"])
def test_wait_counts_from_when_the_gateway_received_the_request(
    gateway: Gateway, path: str
) -> None:
    gateway.age_seconds = 26  # spent on a cold start, before the function's clock
    started = time.monotonic()
    seen = gateway.call("POST", path, {"prompt": "A paper boat"}, {"Prefer": "wait=25"})
    assert time.monotonic() - started < 3
    assert seen.status == 202


def test_while_waiting_no_transaction_is_open(gateway: Gateway, postgres: Postgres) -> None:
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(gateway.call, "POST", "/v1/videos", WISH, {"Prefer": "wait=2"})
        time.sleep(1)
        watcher = postgres.connect(NAME)
        states = []
        while not asked.done():
            states += watcher.run(
                "SELECT state FROM pg_stat_activity WHERE application_name = 'video-generator'"
            )
            time.sleep(0.01)
        watcher.close()
    idle = [state for (state,) in states if state == "idle"]
    assert len(idle) > 0.9 * len(states) > 20


def test_a_database_that_goes_away_ends_the_waiting_only(
    gateway: Gateway, postgres: Postgres
) -> None:
    with ThreadPoolExecutor() as pool:
        asked = pool.submit(gateway.call, "POST", "/v1/videos", WISH, {"Prefer": "wait=20"})
        time.sleep(1)
        killer = postgres.connect()
        killer.run(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS false")
        killer.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'video-generator'"
        )
        seen = asked.result()
        killer.run(f"ALTER DATABASE {NAME} ALLOW_CONNECTIONS true")
        killer.close()
    assert seen.status == 202
    assert seen.json()["status"] == "queued"
