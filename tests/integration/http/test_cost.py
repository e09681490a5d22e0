"""What a request costs at the database before its route does anything."""

from collections.abc import Callable, Iterator

import pytest

from common.database import Database
from common.settings import DatabaseSettings
from tests.integration.http.owners import mint, operator
from tests.integration.http.service import Service
from tests.stand_ins.postgres_tap import Tap, tap


@pytest.fixture
def wire(
    service: Service,
    migrated: DatabaseSettings,
    again: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Tap]:
    """The line to the database, of authorizer and API."""
    with tap(migrated.database_port) as wire:
        monkeypatch.setenv("DATABASE_PORT", str(wire.port))
        again()
        yield wire


def test_who_calls_and_how_often_is_one_statement_each(
    service: Service, rows: Database, wire: Tap
) -> None:
    _, managed = mint(rows, "ann")
    for key, statements in ((managed, ["SELECT", "WITH"]), (operator(), ["WITH"])):
        assert service.call("GET", "/v1/models", key=key).status == 200  # connects
        wire.take()
        for _ in range(3):
            assert service.call("GET", "/v1/models", key=key).status == 200
        assert [text.split()[0] for text in wire.take()] == statements * 3


def test_who_has_no_key_costs_no_statement(service: Service, wire: Tap) -> None:
    for key in (None, "rubbish", operator()[:-1] + "~"):
        assert service.call("GET", "/v1/models", key=key).status == 401
    assert wire.take() == []


def test_so_often_a_request_for_a_video_goes_to_the_database(
    service: Service, rows: Database, wire: Tap
) -> None:
    """Each statement is one way there and back, and so are BEGIN and COMMIT."""
    _, key = mint(rows, "ann")
    wish = {"prompt": "A paper boat"}
    video = service.call("POST", "/v1/videos", wish, key=key).json()["id"]  # connects
    wire.take()
    assert service.call("POST", "/v1/videos", wish, key=key).status == 202
    create = wire.take()
    assert service.call("GET", f"/v1/videos/{video}", key=key).status == 200
    get = wire.take()
    of_the_authorizer = 1
    assert len(create) == of_the_authorizer + 14
    assert len(get) == of_the_authorizer + 11
