"""Many clients at once while the database has hardly a connection left: nobody is lost."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pg8000.exceptions
import pytest
import requests

from infra.local.cloud import Cloud
from tests.e2e.client import Client

CLIENTS, REQUESTS, LEFT = 10, 30, 4
SECONDS = 240


@pytest.fixture
def few_connections(cloud: Cloud) -> Iterator[None]:
    """Take all connections that the server gives, but for a few."""
    held = []
    with suppress(pg8000.exceptions.DatabaseError):  # until the server says that there are too many
        while True:
            held.append(cloud.postgres.connect())
    for one in held[:LEFT]:
        one.close()
    yield
    for one in held[LEFT:]:
        one.close()


def insistently(client: Client, method: str, path: str, **sent: Any) -> Any:
    """Ask again after every polite refusal, when it says so, as a client would; return the answer.

    There may be none: who finds no connection waits for one, for some seconds. An answer that a
    busy machine keeps back for too long is asked for again too.
    """
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            answer = client.call(method, path, sent.get("body"), headers=sent.get("headers", {}))
        except requests.Timeout:
            continue
        if answer.status_code < 400:
            return answer.json()
        assert answer.status_code in (429, 503), answer.text
        time.sleep(int(answer.headers["Retry-After"]))
    raise AssertionError("asked in vain")


@pytest.mark.usefixtures("few_connections")
def test_on_few_connections_all_are_accepted_or_told_when_to_come_back_and_all_end(
    alice: Client,
) -> None:
    def ask(_: int) -> Any:
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "wait=0"}
        return insistently(
            alice,
            "POST",
            "/api/generate_story",
            body={"prompt": "A heron and a fox"},
            headers=headers,
        )

    def end(answer: Any) -> str:
        # One that was accepted and then refused an answer may have ended when it is asked again.
        deadline = time.monotonic() + SECONDS
        while "story" not in answer:
            assert time.monotonic() < deadline, f"{answer} did not end"
            time.sleep(1)
            answer = insistently(alice, "GET", answer["statusUrl"])
        return str(answer["story"]["title"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, range(REQUESTS)))
        assert len({answer["requestId"] for answer in answers}) == REQUESTS
        assert all(pool.map(end, answers))
