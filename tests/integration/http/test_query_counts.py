"""Database round trips of a request."""

from collections.abc import Callable, Iterator

import pytest

from common.database import Database
from common.settings import DatabaseSettings
from tests.integration.http.owners import mint, operator
from tests.integration.http.service import Service
from tests.stand_ins.postgres_tap import StatementRecorder, record_statements


@pytest.fixture
def database_tap(
    service: Service,
    migrated: DatabaseSettings,
    cold_start: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[StatementRecorder]:
    """A tap on the database connections of the authorizer and the API."""
    with record_statements(migrated.database_port) as database_tap:
        monkeypatch.setenv("DATABASE_PORT", str(database_tap.port))
        cold_start()
        yield database_tap


def test_authentication_and_rate_limit_take_one_statement_each(
    service: Service, rows: Database, database_tap: StatementRecorder
) -> None:
    _, managed_key = mint(rows, "ann")
    for key, statements in ((managed_key, ["SELECT", "WITH"]), (operator(), ["WITH"])):
        assert service.call("GET", "/v1/models", key=key).status == 200  # connects
        database_tap.take()
        for _ in range(3):
            assert service.call("GET", "/v1/models", key=key).status == 200
        assert [text.split()[0] for text in database_tap.take()] == statements * 3


def test_invalid_key_takes_no_statement(service: Service, database_tap: StatementRecorder) -> None:
    for key in (None, "rubbish", operator()[:-1] + "~"):
        assert service.call("GET", "/v1/models", key=key).status == 401
    assert database_tap.take() == []


def test_video_requests_have_a_fixed_number_of_statements(
    service: Service, rows: Database, database_tap: StatementRecorder
) -> None:
    """Each statement is one round trip, and so are BEGIN and COMMIT."""
    _, key = mint(rows, "ann")
    request = {"prompt": "A paper boat"}
    video = service.call("POST", "/v1/videos", request, key=key).json()["id"]  # connects
    database_tap.take()
    assert service.call("POST", "/v1/videos", request, key=key).status == 202
    create_statements = database_tap.take()
    assert service.call("GET", f"/v1/videos/{video}", key=key).status == 200
    get_statements = database_tap.take()
    authorizer_statements = 1
    assert len(create_statements) == authorizer_statements + 14
    assert len(get_statements) == authorizer_statements + 11
