"""Fuzzing the deployed API with requests generated from the OpenAPI document (`make fuzz`)."""

import random
from collections.abc import Iterator

import pytest
import requests

from infra.local.connection import Connection
from infra.operator import keys
from tests.e2e.client import TIMEOUT, Client
from tests.integration.http.fuzz import Fuzz, Response

CASES = 1_500


@pytest.fixture
def key(link: Connection) -> str:
    """A key limited to one concurrent run, to leave the machine's resources to requests."""
    return keys.mint_key(link, "fuzz", user_id="fay", per_minute=10_000, maxConcurrentRuns=1)


@pytest.fixture
def path_values(link: Connection, key: str) -> dict[str, str]:
    """Values of path parameters that name existing resources of the key's owner."""
    client = Client(link.base_url, key)
    story = client.call(
        "POST", "/api/generate_story", {"prompt": "A kite"}, headers={"Prefer": "wait=0"}
    ).json()
    upload = client.call("POST", "/v1/uploads", {"media_type": "image/png", "size_bytes": 9}).json()
    (video,) = client.call("GET", "/v1/videos").json()["data"]
    return {"video_id": video["id"], "run_id": story["runId"], "media_id": upload["id"]}


@pytest.fixture
def session() -> Iterator[requests.Session]:
    """A session with keep-alive connections."""
    with requests.Session() as session:
        yield session


def test_fuzz_deployed_api_returns_only_documented_responses(
    link: Connection,
    operator: Client,
    key: str,
    path_values: dict[str, str],
    session: requests.Session,
    fuzz_cases: int | None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def post_form(request: requests.PreparedRequest) -> Response:
        response = session.send(request, timeout=TIMEOUT, allow_redirects=False)
        return Response(response.status_code, response.headers, response.text)

    fuzz = Fuzz(
        link.base_url,
        post_form,
        lambda path: str(operator.key) if path.startswith("/api/admin") else key,
        path_values,
    )
    if fuzz_cases is None:
        fuzz.run(CASES)
    else:
        fuzz.run(fuzz_cases // 10, seed := random.randrange(2**32))
        with capsys.disabled():
            print(f"\nover HTTP, seed {seed}: {dict(sorted(fuzz.statuses.items()))}")
    assert not fuzz.faults, "\n\n".join(fuzz.faults)
    assert fuzz.cases >= CASES
