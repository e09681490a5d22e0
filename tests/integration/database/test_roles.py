"""The database roles of the functions: each can do what its function needs, and nothing else."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from common.database import Database
from common.database import roles as database_roles
from common.domain.errors import PermanentError
from common.settings import DatabaseSettings
from infra.local.postgres import Postgres
from migrate import roles
from migrate.privileges import PRIVILEGES
from tests.support.fixtures import NAME, as_role, owner

KINDS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
OF_THE_OWNER = (
    "DROP TABLE api_keys",
    "ALTER TABLE runs ADD COLUMN extra text",
    "CREATE TABLE public.mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE ROLE another LOGIN",
    "ALTER ROLE postgres PASSWORD 'x'",
    "ALTER ROLE video_api SUPERUSER",
    "SET ROLE postgres",
    "TRUNCATE video_sessions CASCADE",
    "SELECT * FROM _yoyo_migration",
    "SELECT * FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
)


@pytest.fixture
def roles_again(migrated: DatabaseSettings) -> Iterator[DatabaseSettings]:
    """A database whose roles the test may change; they are put right afterwards."""
    yield migrated
    roles.apply(owner(migrated))


@pytest.fixture(scope="module")
def tables(schema: DatabaseSettings, postgres: Postgres) -> list[str]:
    """All tables and views, those of the migrations' book among them."""
    with closing(postgres.connect(NAME)) as connection:
        found = connection.run(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'v')"
        )
    return sorted(str(row[0]) for row in found)


def test_every_table_belongs_to_a_function(tables: list[str]) -> None:
    granted = {table for entry in PRIVILEGES.values() for table in entry}
    assert granted <= set(tables)
    assert {table for table in set(tables) - granted if "yoyo" not in table} == set()


@pytest.mark.parametrize("function", list(PRIVILEGES))
def test_a_role_has_its_privileges_and_no_other(
    migrated: DatabaseSettings, tables: list[str], function: str
) -> None:
    database = Database(as_role(migrated, function))
    with closing(database), database.transaction() as cursor:
        cursor.execute(
            """
            SELECT t, kind FROM unnest(%s) t CROSS JOIN unnest(%s) kind
            WHERE has_table_privilege(quote_ident(t), kind)
            """,
            (tables, list(KINDS)),
        )
        found = {(row["t"], row["kind"]) for row in cursor.fetchall()}
    assert found == roles.privileges(function)


def refused(database: Database, statement: str) -> bool:
    """Whether the role may not run the statement; what it changes is rolled back."""
    try:
        with database.transaction() as cursor:
            cursor.execute(statement)
            cursor.execute("ROLLBACK")
    except PermanentError as error:
        return "42501" in str(error)
    return False


@pytest.mark.parametrize("function", list(PRIVILEGES))
def test_no_role_may_do_what_the_owner_does(migrated: DatabaseSettings, function: str) -> None:
    with closing(Database(as_role(migrated, function))) as database:
        allowed = [one for one in OF_THE_OWNER if not refused(database, one)]
    assert not allowed


@pytest.mark.parametrize(
    ("function", "statement"),
    [
        ("authorizer", "SELECT * FROM video_sessions"),
        ("authorizer", "UPDATE api_keys SET name = 'x'"),
        ("authorizer", "DELETE FROM api_keys"),
        ("register", "SELECT * FROM api_keys"),
        ("register", "SELECT * FROM video_sessions"),
        ("register", "DELETE FROM uploads"),
        ("clip", "SELECT * FROM api_keys"),
        ("merge", "SELECT * FROM api_keys"),
        ("story", "DELETE FROM runs"),
        ("finish", "SELECT * FROM idempotency_keys"),
        ("intake", "UPDATE api_keys SET name = 'x'"),
        ("intake", "INSERT INTO api_keys DEFAULT VALUES"),
        ("sweeper", "SELECT * FROM api_keys"),
        ("api", "DELETE FROM spend"),
        ("api", "INSERT INTO provider_jobs DEFAULT VALUES"),
    ],
)
def test_what_is_another_functions_is_refused(
    migrated: DatabaseSettings, function: str, statement: str
) -> None:
    with closing(Database(as_role(migrated, function))) as database:
        assert refused(database, statement)


def test_a_database_of_before_gets_exactly_the_privileges(
    roles_again: DatabaseSettings, postgres: Postgres
) -> None:
    """Missing ones are granted, those that are not in the table any more are taken away."""
    with closing(postgres.connect(NAME)) as connection:
        connection.run("GRANT DELETE ON spend TO video_authorizer")
        connection.run("REVOKE SELECT ON api_keys FROM video_authorizer")
        connection.run("DROP OWNED BY video_register")
        connection.run("DROP ROLE video_register")
        roles.apply(owner(roles_again))
        database = Database(owner(roles_again))
        with closing(database), database.transaction() as cursor:
            for function in ("authorizer", "register"):
                found = database_roles.privileges(cursor, f"video_{function}")
                assert found == roles.privileges(function)


def test_no_password_reaches_the_servers_log(
    roles_again: DatabaseSettings, postgres: Postgres
) -> None:
    log = postgres._log
    with closing(postgres.connect()) as connection:
        connection.run("ALTER SYSTEM SET log_statement = 'all'")
        connection.run("SELECT pg_reload_conf()")
        connection.run("SELECT pg_sleep(0.3)")
        try:
            roles.apply(owner(roles_again))
        finally:
            connection.run("ALTER SYSTEM RESET log_statement")
            connection.run("SELECT pg_reload_conf()")
    text = log.read_text()
    assert "SCRAM-SHA-256$" in text
    assert "password of" not in text
