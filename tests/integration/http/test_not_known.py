"""What an operation does not take is refused, not passed over: parameters and bodies."""

import pytest

from common.database import Database
from tests.integration.http.owners import Owner, everything_of, operator, settle
from tests.integration.http.request import BODIES, Attempt, own_path
from tests.integration.http.service import Service
from tests.support.answers import OPERATIONS, Operation


@pytest.fixture
def alice(service: Service, rows: Database) -> Owner:
    return settle(service, rows, "alice")


def request_of(operation: Operation, owner: Owner) -> Attempt:
    body = BODIES.get((operation.method, operation.path))
    return Attempt(operation, "", "", "", own_path(operation, owner), body=body)


def key_for(operation: Operation, owner: Owner) -> str:
    return operator() if operation.path.startswith("/api/admin") else owner.key


def wrong_of(operation: Operation) -> int:
    return 422 if 422 in operation.statuses else 400  # as the first version of the API had it


KEYED = [one for one in OPERATIONS if not one.public]


def test_an_unknown_parameter_is_named_with_those_that_there_are(
    service: Service, rows: Database, alice: Owner
) -> None:
    before = everything_of(rows, alice)
    for operation in KEYED:
        request = request_of(operation, alice)
        request.query = {"statsu": "failed"}
        reply = request.send(service, key_for(operation, alice))
        assert reply.status == wrong_of(operation), f"{operation}: {reply.text}"
        (fault,) = reply.json()["errors"]
        assert fault["pointer"] == "/statsu"
        assert fault["allowed"] == [one["name"] for one in operation.parameters("query")]
    assert everything_of(rows, alice) == before


def test_a_body_where_none_is_taken_is_refused(
    service: Service, rows: Database, alice: Owner
) -> None:
    before = everything_of(rows, alice)
    bodiless = [one for one in KEYED if one.body is None]
    assert {one.method for one in bodiless} == {"GET", "POST", "DELETE"}
    for operation in bodiless:
        request, key = request_of(operation, alice), key_for(operation, alice)
        request.body = {"ids": [alice.upload]}
        assert request.send(service, key).status == wrong_of(operation), operation
    assert everything_of(rows, alice) == before
    assert service.call("GET", "/v1/models", {}, key=alice.key).status == 200


def test_a_body_that_an_operation_can_do_without_is_still_read(
    service: Service, rows: Database, alice: Owner
) -> None:
    before = everything_of(rows, alice)
    for operation in KEYED:
        if operation.body and not operation.described["requestBody"].get("required"):
            request = request_of(operation, alice)
            request.body = {"provder": True}
            reply = request.send(service, key_for(operation, alice))
            assert reply.status == wrong_of(operation), operation
            assert reply.json()["errors"][0]["pointer"] == "/provder"
    assert everything_of(rows, alice) == before


def test_a_link_works_with_what_other_sites_add_to_it(service: Service, alice: Owner) -> None:
    for operation in (one for one in OPERATIONS if one.public):
        request = request_of(operation, alice)
        request.query = {"t": alice.capabilities[0], "utm_source": "a"}
        assert request.send(service, None).status in (200, 302, 404), operation
    for page in ("/docs", "/openapi.json"):
        assert service.call("GET", f"{page}?fbclid=a").status == 200


def test_requests_are_answered_as_before_once_somebody_read_the_document(
    service: Service, alice: Owner
) -> None:
    """The document is made by an application of its own, over the same routes."""
    assert service.call("GET", "/openapi.json").status == 200
    assert service.call("GET", "/v1/videos", key=alice.key).status == 200
