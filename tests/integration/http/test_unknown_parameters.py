"""Unknown parameters and unexpected bodies are rejected, not ignored."""

import pytest

from common.database import Database
from tests.integration.http.owners import Owner, create_owner, operator, rows_of
from tests.integration.http.request import BODIES, RequestCase, path_parameters
from tests.integration.http.service import Service
from tests.support.answers import OPERATIONS, Operation


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return create_owner(service, rows, "alice")


def valid_request(operation: Operation, owner: Owner) -> RequestCase:
    body = BODIES.get((operation.method, operation.path))
    return RequestCase(operation, "", "", "", path_parameters(operation, owner), body=body)


def key_for(operation: Operation, owner: Owner) -> str:
    return operator() if operation.path.startswith("/api/admin") else owner.key


def invalid_status(operation: Operation) -> int:
    return 422 if 422 in operation.statuses else 400  # status of the legacy API


KEYED = [operation for operation in OPERATIONS if not operation.public]


def test_unknown_query_parameter_is_rejected_with_alternatives(
    service: Service, rows: Database, alice: Owner
) -> None:
    before = rows_of(rows, alice)
    for operation in KEYED:
        request = valid_request(operation, alice)
        request.query = {"statsu": "failed"}
        reply = request.send(service, key_for(operation, alice))
        assert reply.status == invalid_status(operation), f"{operation}: {reply.text}"
        (fault,) = reply.json()["errors"]
        assert fault["pointer"] == "/statsu"
        assert fault["allowed"] == [
            parameter["name"] for parameter in operation.parameters("query")
        ]
    assert rows_of(rows, alice) == before


def test_body_of_an_operation_without_one_is_rejected(
    service: Service, rows: Database, alice: Owner
) -> None:
    before = rows_of(rows, alice)
    bodiless = [operation for operation in KEYED if operation.body is None]
    assert {operation.method for operation in bodiless} == {"GET", "POST", "DELETE"}
    for operation in bodiless:
        request, key = valid_request(operation, alice), key_for(operation, alice)
        request.body = {"ids": [alice.upload]}
        assert request.send(service, key).status == invalid_status(operation), operation
    assert rows_of(rows, alice) == before
    assert service.call("GET", "/v1/models", {}, key=alice.key).status == 200


def test_optional_body_is_validated(service: Service, rows: Database, alice: Owner) -> None:
    before = rows_of(rows, alice)
    for operation in KEYED:
        if operation.body and not operation.described["requestBody"].get("required"):
            request = valid_request(operation, alice)
            request.body = {"provder": True}
            reply = request.send(service, key_for(operation, alice))
            assert reply.status == invalid_status(operation), operation
            assert reply.json()["errors"][0]["pointer"] == "/provder"
    assert rows_of(rows, alice) == before


def test_public_link_ignores_tracking_parameters(service: Service, alice: Owner) -> None:
    for operation in (operation for operation in OPERATIONS if operation.public):
        request = valid_request(operation, alice)
        request.query = {"t": alice.link_tokens[0], "utm_source": "a"}
        assert request.send(service, None).status in (200, 302, 404), operation
    for page in ("/docs", "/openapi.json"):
        assert service.call("GET", f"{page}?fbclid=a").status == 200


def test_requests_work_after_the_openapi_document_was_built(service: Service, alice: Owner) -> None:
    """The document is built by another application over the same routes."""
    assert service.call("GET", "/openapi.json").status == 200
    assert service.call("GET", "/v1/videos", key=alice.key).status == 200
