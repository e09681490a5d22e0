"""Connections are few: whoever needs one gets it in the end, and nobody keeps the last ones."""

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

MOST, OWN_NAME = 200, "video-generator"


@contextmanager
def taken(postgres: Postgres, number: int) -> Iterator[list[Any]]:
    """Take so many connections, or all that there are."""
    held: list[Any] = []
    with suppress(pg8000.exceptions.DatabaseError):  # no more
        while len(held) < number:
            held.append(postgres.connect())
    try:
        yield held
    finally:
        while held:
            held.pop().close()


def kept(connection: Any) -> int:
    """Return how many connections the application holds."""
    for _ in range(50):  # the server needs a moment to see that one is closed
        (number,) = connection.run(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = :name", name=OWN_NAME
        )[0]
        if not number:
            break
        time.sleep(0.02)
    return int(number)


def use(database: Database) -> None:
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")


def test_one_of_many_is_kept_and_one_of_the_last_given_back(
    migrated: DatabaseSettings, postgres: Postgres
) -> None:
    for number, expected in ((1, 1), (int(MOST * 0.85), 0)):
        database = Database(migrated)
        with taken(postgres, number) as held:
            use(database)
            assert kept(held[0]) == expected
            database.alone(lambda cursor: cursor.execute("SELECT 1"))
            assert kept(held[0]) == expected
            with pytest.raises(ZeroDivisionError), database.transaction():
                _ = 1 / 0
            assert kept(held[0]) == expected
        database.close()


def test_one_is_waited_for(migrated: DatabaseSettings, postgres: Postgres) -> None:
    database = Database(migrated)
    with taken(postgres, MOST) as held:
        freed = Timer(0.5, lambda: [held.pop().close() for _ in range(10)])
        freed.start()
        use(database)
        freed.join()
    database.close()


def test_but_not_for_ever(
    migrated: DatabaseSettings, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.database._WAIT_SECONDS", 0.3)
    with taken(postgres, MOST), pytest.raises(DatabaseUnavailable) as caught:
        use(Database(migrated))
    assert caught.value.retry_after
