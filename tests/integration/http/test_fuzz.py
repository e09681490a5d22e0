"""Requests made of the OpenAPI document, to the handlers in process; `make fuzz` sends more."""

import random

import pytest
import requests

from common.database import Database
from tests.integration.http.fuzz import Answer, Fuzz
from tests.integration.http.owners import mint, settle
from tests.integration.http.request import own_path
from tests.integration.http.service import Service
from tests.support.answers import OPERATIONS

CASES = 1_500


def test_no_request_makes_the_service_fail_or_say_what_is_not_documented(
    service: Service, rows: Database, fuzz_cases: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = settle(service, rows, "fay")
    _, key = mint(rows, owner.user_id, max_concurrent_runs=1_000_000)
    _, admin = mint(rows, "root", scopes=["admin"])
    own: dict[str, str] = {}
    for operation in OPERATIONS:
        own |= own_path(operation, owner)

    def send(request: requests.PreparedRequest) -> Answer:
        path, headers = str(request.path_url), dict(request.headers)
        reply = service.send(str(request.method), path, headers, request.body or None)
        return Answer(reply.status, reply.headers, reply.text or "")

    fuzz = Fuzz(
        "http://127.0.0.1",
        send,
        lambda path: admin if path.startswith("/api/admin") else key,
        own,
    )
    if fuzz_cases is None:
        fuzz.run(CASES)
    else:
        fuzz.run(fuzz_cases * 9 // 10, seed := random.randrange(2**32))
        with capsys.disabled():
            print(f"\nin process, seed {seed}: {dict(sorted(fuzz.statuses.items()))}")
    assert not fuzz.faults, "\n\n".join(fuzz.faults)
    assert fuzz.cases >= CASES
