"""Many clients at once while the database has hardly a connection left: nobody is lost."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pg8000.exceptions
import pytest

from infra.local.cloud import Cloud
from tests.e2e.client import Client

CLIENTS, REQUESTS, LEFT = 12, 40, 4
SECONDS = 120


@pytest.fixture
def few_connections(cloud: Cloud) -> Iterator[None]:
    """Take all connections that the server gives, but for a few."""
    held = []
    with suppress(pg8000.exceptions.DatabaseError):  # too many
        while True:
            held.append(cloud.postgres.connect())
    for one in held[:LEFT]:
        one.close()
    yield
    for one in held[LEFT:]:
        one.close()


def insistently(client: Client, method: str, path: str, refusals: list[int], **sent: Any) -> Any:
    """Ask again after every polite refusal, when it says so; return the answer."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        answer = client.call(method, path, sent.get("body"), headers=sent.get("headers", {}))
        if answer.status_code < 400:
            return answer.json()
        assert answer.status_code in (429, 503), answer.text
        refusals.append(answer.status_code)
        time.sleep(int(answer.headers["Retry-After"]))
    raise AssertionError("asked in vain")


@pytest.mark.usefixtures("few_connections")
def test_on_few_connections_all_are_accepted_or_told_when_to_come_back_and_all_end(
    alice: Client,
) -> None:
    refusals: list[int] = []

    def ask(_: int) -> Any:
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "wait=0"}
        return insistently(
            alice, "POST", "/api/generate_story", refusals,
            body={"prompt": "A heron and a fox"}, headers=headers,
        )  # fmt: skip

    def end(answer: Any) -> str:
        # One that was accepted and then refused an answer may have ended when it is asked again.
        deadline = time.monotonic() + SECONDS
        while "story" not in answer:
            assert time.monotonic() < deadline, f"{answer} did not end"
            time.sleep(1)
            answer = insistently(alice, "GET", answer["statusUrl"], refusals)
        return str(answer["story"]["title"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        answers = list(pool.map(ask, range(REQUESTS)))
        assert len({answer["requestId"] for answer in answers}) == REQUESTS
        assert all(pool.map(end, answers))
    assert refusals, "the limit was never met"
