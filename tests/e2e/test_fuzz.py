"""Requests made of the OpenAPI document, to the deployed API over HTTP; `make fuzz` sends more."""

import random
from collections.abc import Iterator

import pytest
import requests

from infra.local.connection import Connection
from infra.operator import keys
from tests.e2e.client import TIMEOUT, Client
from tests.integration.http.fuzz import Answer, Fuzz

CASES = 1_500


@pytest.fixture
def key(link: Connection) -> str:
    """A key with which one video at a time is made: the machine is for the requests."""
    return keys.mint_key(link, "fuzz", user_id="fay", per_minute=10_000, maxConcurrentRuns=1)


@pytest.fixture
def own(link: Connection, key: str) -> dict[str, str]:
    """Values of path parameters that lead to something of the key's owner."""
    client = Client(link.base_url, key)
    story = client.call(
        "POST", "/api/generate_story", {"prompt": "A kite"}, headers={"Prefer": "wait=0"}
    ).json()
    upload = client.call("POST", "/v1/uploads", {"media_type": "image/png", "size_bytes": 9}).json()
    (made,) = client.call("GET", "/v1/videos").json()["data"]
    return {"video_id": made["id"], "run_id": story["runId"], "media_id": upload["id"]}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """Connections that are used again."""
    with requests.Session() as session:
        yield session


def test_no_request_makes_the_deployed_api_fail_or_say_what_is_not_documented(
    link: Connection,
    operator: Client,
    key: str,
    own: dict[str, str],
    session: requests.Session,
    fuzz_cases: int | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def send(request: requests.PreparedRequest) -> Answer:
        answer = session.send(request, timeout=TIMEOUT, allow_redirects=False)
        return Answer(answer.status_code, answer.headers, answer.text)

    fuzz = Fuzz(
        link.base_url,
        send,
        lambda path: str(operator.key) if path.startswith("/api/admin") else key,
        own,
    )
    if fuzz_cases is None:
        fuzz.run(CASES)
    else:
        fuzz.run(fuzz_cases // 10, seed := random.randrange(2**32))
        with capsys.disabled():
            print(f"\nover HTTP, seed {seed}: {dict(sorted(fuzz.statuses.items()))}")
    assert not fuzz.faults, "\n\n".join(fuzz.faults)
    assert fuzz.cases >= CASES
