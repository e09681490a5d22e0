"""Many concurrent clients while the database has only a few free connections."""

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

CLIENTS, REQUESTS, FREE_CONNECTIONS = 10, 30, 4
TIMEOUT_SECONDS = 240


@pytest.fixture
def few_connections(cloud: Cloud) -> Iterator[None]:
    """Open all but a few of the database's connections."""
    connections = []
    with suppress(pg8000.exceptions.DatabaseError):  # until the server has too many connections
        while True:
            connections.append(cloud.postgres.connect())
    for connection in connections[:FREE_CONNECTIONS]:
        connection.close()
    yield
    for connection in connections[FREE_CONNECTIONS:]:
        connection.close()


def call_with_retries(client: Client, method: str, path: str, **options: Any) -> Any:
    """Send a request, retry it after `Retry-After` or a timeout, and return the JSON response.

    A request may time out because it waits some seconds for a database connection.
    """
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while time.monotonic() < deadline:
        try:
            response = client.call(
                method, path, options.get("body"), headers=options.get("headers", {})
            )
        except requests.Timeout:
            continue
        if response.status_code < 400:
            return response.json()
        assert response.status_code in (429, 503), response.text
        time.sleep(int(response.headers["Retry-After"]))
    raise AssertionError("no successful response in time")


@pytest.mark.usefixtures("few_connections")
def test_concurrent_requests_with_few_database_connections_all_succeed_or_retry(
    alice: Client,
) -> None:
    def generate(_: int) -> Any:
        headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "wait=0"}
        return call_with_retries(
            alice,
            "POST",
            "/api/generate_story",
            body={"prompt": "A heron and a fox"},
            headers=headers,
        )

    def wait_for_story(response: Any) -> str:
        # A run that was accepted may have ended before the retried request.
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while "story" not in response:
            assert time.monotonic() < deadline, f"{response} did not end"
            time.sleep(1)
            response = call_with_retries(alice, "GET", response["statusUrl"])
        return str(response["story"]["title"])

    with ThreadPoolExecutor(CLIENTS) as pool:
        responses = list(pool.map(generate, range(REQUESTS)))
        assert len({response["requestId"] for response in responses}) == REQUESTS
        assert all(pool.map(wait_for_story, responses))
