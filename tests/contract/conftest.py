"""A real PostgreSQL with the schema, and a stand-in for the secret that opens it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common import secrets
from common.database import Database
from common.settings import DatabaseSettings
from infra.local.postgres import Postgres
from infra.local.state import State
from migrate import migrations
from tests.stand_ins import secrets_manager
from tests.stand_ins.secrets_manager import SecretsManager

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:database-abc123"
NAME = "video"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server of the version that is deployed."""
    root = tmp_path_factory.mktemp("state")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o755)  # PostgreSQL does not run as root; pytest's folders are private
    server = Postgres(State.open(Path(root)))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def secret_store(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    """Secrets Manager with the database's credentials."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr(secrets, "_kept", {})
    with secrets_manager.serve() as store:
        monkeypatch.setenv("AWS_ENDPOINT_URL", store.url)
        store.secrets[SECRET] = {"username": "postgres", "password": postgres.password}
        yield store


@pytest.fixture
def empty(postgres: Postgres, secret_store: SecretsManager) -> DatabaseSettings:
    """Settings of a database without tables."""
    connection = postgres.connect()
    connection.run(f"DROP DATABASE IF EXISTS {NAME} WITH (FORCE)")
    connection.run(f"CREATE DATABASE {NAME}")
    connection.close()
    return DatabaseSettings.model_validate(
        {
            "STAGE": "local",
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": postgres.port,
            "DATABASE_NAME": NAME,
            "DATABASE_SECRET_ARN": SECRET,
            "DATABASE_TLS": "disable",
        }
    )


@pytest.fixture
def migrated(empty: DatabaseSettings) -> DatabaseSettings:
    """Settings of a database with the schema."""
    migrations.apply(empty)
    return empty


@pytest.fixture
def database(migrated: DatabaseSettings) -> Iterator[Database]:
    """A database with the schema and no rows."""
    database = Database(migrated)
    yield database
    database.close()
