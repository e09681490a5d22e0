"""Database roles of the functions: least privilege, applied by `migrate`."""

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
OWNER_STATEMENTS = (
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
def restored_roles(migrated: DatabaseSettings) -> Iterator[DatabaseSettings]:
    """A database whose roles the test may change; they are restored afterwards."""
    yield migrated
    roles.apply(owner(migrated))


@pytest.fixture(scope="module")
def tables(schema: DatabaseSettings, postgres: Postgres) -> list[str]:
    """Return all tables and views, including yoyo's migration log."""
    with closing(postgres.connect(NAME)) as connection:
        rows = connection.run(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
            "AND relkind IN ('r', 'v')"
        )
    return sorted(str(row[0]) for row in rows)


def test_every_table_is_granted_to_a_function(tables: list[str]) -> None:
    granted = {table for entry in PRIVILEGES.values() for table in entry}
    assert granted <= set(tables)
    assert {table for table in set(tables) - granted if "yoyo" not in table} == set()


@pytest.mark.parametrize("function", list(PRIVILEGES))
def test_role_has_exactly_its_privileges(
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
        granted = {(row["t"], row["kind"]) for row in cursor.fetchall()}
    assert granted == roles.privileges(function)


def is_denied(database: Database, statement: str) -> bool:
    """Return whether the role lacks the privilege for a statement; changes are rolled back."""
    try:
        with database.transaction() as cursor:
            cursor.execute(statement)
            cursor.execute("ROLLBACK")
    except PermanentError as error:
        return "42501" in str(error)
    return False


@pytest.mark.parametrize("function", list(PRIVILEGES))
def test_role_is_denied_statements_of_the_owner(migrated: DatabaseSettings, function: str) -> None:
    with closing(Database(as_role(migrated, function))) as database:
        allowed = [
            statement for statement in OWNER_STATEMENTS if not is_denied(database, statement)
        ]
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
def test_role_is_denied_tables_of_other_functions(
    migrated: DatabaseSettings, function: str, statement: str
) -> None:
    with closing(Database(as_role(migrated, function))) as database:
        assert is_denied(database, statement)


def test_existing_roles_are_updated_to_the_privileges(
    restored_roles: DatabaseSettings, postgres: Postgres
) -> None:
    """Missing privileges are granted, and those no longer listed are revoked."""
    with closing(postgres.connect(NAME)) as connection:
        connection.run("GRANT DELETE ON spend TO video_authorizer")
        connection.run("REVOKE SELECT ON api_keys FROM video_authorizer")
        connection.run("DROP OWNED BY video_register")
        connection.run("DROP ROLE video_register")
        roles.apply(owner(restored_roles))
        database = Database(owner(restored_roles))
        with closing(database), database.transaction() as cursor:
            for function in ("authorizer", "register"):
                granted = database_roles.privileges(cursor, f"video_{function}")
                assert granted == roles.privileges(function)


def test_role_passwords_are_not_logged_by_the_server(
    restored_roles: DatabaseSettings, postgres: Postgres
) -> None:
    log = postgres._log
    with closing(postgres.connect()) as connection:
        connection.run("ALTER SYSTEM SET log_statement = 'all'")
        connection.run("SELECT pg_reload_conf()")
        connection.run("SELECT pg_sleep(0.3)")
        try:
            roles.apply(owner(restored_roles))
        finally:
            connection.run("ALTER SYSTEM RESET log_statement")
            connection.run("SELECT pg_reload_conf()")
    text = log.read_text()
    assert "SCRAM-SHA-256$" in text
    assert "password of" not in text
