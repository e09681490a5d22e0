"""Database connections are scarce: waiting for one, and returning it when few are left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Timer
from typing import Any

import pg8000.exceptions
import pytest

from common.database import Database
from common.domain.errors import DatabaseUnavailable
from common.settings import DatabaseSettings
from infra.local.postgres import Postgres

MAX_CONNECTIONS, APPLICATION_NAME = 200, "video-generator"


@contextmanager
def occupied_connections(postgres: Postgres, number: int) -> Iterator[list[Any]]:
    """Open `number` connections, or as many as the server allows."""
    connections: list[Any] = []
    with suppress(pg8000.exceptions.DatabaseError):  # the server has no more
        while len(connections) < number:
            connections.append(postgres.connect())
    try:
        yield connections
    finally:
        while connections:
            connections.pop().close()


def application_connections(connection: Any) -> int:
    """Return the number of connections that the application keeps open."""
    for _ in range(50):  # the server notices a closed connection after a moment
        (number,) = connection.run(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name",
            name=APPLICATION_NAME,
        )[0]
        if not number:
            break
        time.sleep(0.02)
    return int(number)


def use(database: Database) -> None:
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")


def test_connection_is_kept_open_unless_few_are_left(
    migrated: DatabaseSettings, postgres: Postgres
) -> None:
    for number, expected in ((1, 1), (int(MAX_CONNECTIONS * 0.85), 0)):
        database = Database(migrated)
        with occupied_connections(postgres, number) as connections:
            use(database)
            assert application_connections(connections[0]) == expected
            database.run_autocommit(lambda cursor: cursor.execute("SELECT 1"))
            assert application_connections(connections[0]) == expected
            with pytest.raises(ZeroDivisionError), database.transaction():
                _ = 1 / 0
            assert application_connections(connections[0]) == expected
        database.close()


def test_connection_is_retried_until_one_is_free(
    migrated: DatabaseSettings, postgres: Postgres
) -> None:
    database = Database(migrated)
    with occupied_connections(postgres, MAX_CONNECTIONS) as connections:
        freed = Timer(0.5, lambda: [connections.pop().close() for _ in range(10)])
        freed.start()
        use(database)
        freed.join()
    database.close()


def test_connection_retry_ends_with_database_unavailable(
    migrated: DatabaseSettings, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.database._WAIT_SECONDS", 0.3)
    with (
        occupied_connections(postgres, MAX_CONNECTIONS),
        pytest.raises(DatabaseUnavailable) as caught,
    ):
        use(Database(migrated))
    assert caught.value.retry_after
