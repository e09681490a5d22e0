"""Fuzzing of the API in process with requests generated from the OpenAPI document."""

import random

import pytest
import requests

from common.database import Database
from tests.integration.http.fuzz import Fuzz, Response
from tests.integration.http.owners import create_owner, mint
from tests.integration.http.request import path_parameters
from tests.integration.http.service import Service
from tests.support.answers import OPERATIONS

CASES = 1_500


def test_generated_requests_get_documented_responses(
    service: Service, rows: Database, fuzz_cases: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    owner = create_owner(service, rows, "fay")
    _, key = mint(rows, owner.user_id, max_concurrent_runs=1_000_000)
    _, admin = mint(rows, "root", scopes=["admin"])
    path_values: dict[str, str] = {}
    for operation in OPERATIONS:
        path_values |= path_parameters(operation, owner)

    def send(request: requests.PreparedRequest) -> Response:
        path, headers = str(request.path_url), dict(request.headers)
        reply = service.send(str(request.method), path, headers, request.body or None)
        return Response(reply.status, reply.headers, reply.text or "")

    fuzz = Fuzz(
        "http://127.0.0.1",
        send,
        lambda path: admin if path.startswith("/api/admin") else key,
        path_values,
    )
    if fuzz_cases is None:
        fuzz.run(CASES)
    else:
        fuzz.run(fuzz_cases * 9 // 10, seed := random.randrange(2**32))
        with capsys.disabled():
            print(f"\nin process, seed {seed}: {dict(sorted(fuzz.statuses.items()))}")
    assert not fuzz.faults, "\n\n".join(fuzz.faults)
    assert fuzz.cases >= CASES
