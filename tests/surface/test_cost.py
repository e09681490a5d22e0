"""What a request costs at the database before its route does anything."""

from collections.abc import Callable, Iterator

import pytest

from common.database import Database
from common.settings import DatabaseSettings
from tests.stand_ins.postgres_tap import Tap, tap
from tests.surface.owners import mint, operator
from tests.surface.service import Service


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
