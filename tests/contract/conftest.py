"""A real PostgreSQL with the schema, and a stand-in for the secret that opens it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from common import secrets
from common.database import Database
from common.settings import ApiSettings, DatabaseSettings
from infra.local.postgres import Postgres
from infra.local.state import State
from migrate import migrations
from tests.contract.gateway import Gateway
from tests.stand_ins import secrets_manager, step_functions
from tests.stand_ins.secrets_manager import SecretsManager

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:database-abc123"
PROVIDERS = "arn:aws:secretsmanager:us-east-1:000000000000:secret:providers-abc123"
KEYS = "arn:aws:secretsmanager:us-east-1:000000000000:secret:keys-abc123"
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:videos"
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


@pytest.fixture
def gateway(
    migrated: DatabaseSettings, secret_store: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateway]:
    """The API's function with a database of its own, offline providers, and nothing started."""
    from api import resources
    from common import aws  # late: Powertools reads its settings when it is imported

    secret_store.secrets[KEYS] = {"SECRET_KEY": "s" * 64}
    secret_store.secrets[PROVIDERS] = {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""}
    environment = {
        **migrated.model_dump(by_alias=True, mode="json"),
        "MEDIA_BUCKET": "media",
        **{name.upper(): "offline" for name in ApiSettings.model_fields if "_provider" in name},
        "PROVIDERS_SECRET_ARN": PROVIDERS,
        "KEYS_SECRET_ARN": KEYS,
        "STATE_MACHINE_ARN": MACHINE,
        "CLIP_FUNCTION_NAME": "clip",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    warm = [kept for kept in vars(resources).values() if hasattr(kept, "cache_clear")]
    warm.append(aws._client)
    with step_functions.serve() as machine:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", machine.url)
        for kept in warm:
            kept.cache_clear()
        yield Gateway(machine)
        resources.database().close()
        for kept in warm:
            kept.cache_clear()
