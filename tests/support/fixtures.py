"""Fixtures of several tiers: PostgreSQL with the schema, Secrets Manager, the API and Runway."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from common import runtime
from common.aws import clients, secrets
from common.database import Database
from common.settings import ApiSettings, DatabaseSettings, MigrateSettings, SweeperSettings
from infra.local.emulator import Emulator
from infra.local.postgres import Postgres
from infra.local.state import State
from migrate import migrations, roles
from migrate.privileges import PRIVILEGES
from tests.stand_ins import runway, secrets_manager, step_functions
from tests.stand_ins.process import StandIn
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.cold_start import start_cold
from tests.support.gateway import Context, Gateway, quietly

if TYPE_CHECKING:
    from tests.support.media_store import InMemoryMediaStore
    from tests.support.vendors import VendorSession

SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:database-abc123"
PROVIDERS = "arn:aws:secretsmanager:us-east-1:000000000000:secret:providers-abc123"
KEYS = "arn:aws:secretsmanager:us-east-1:000000000000:secret:keys-abc123"
ROLES = {
    name: f"arn:aws:secretsmanager:us-east-1:000000000000:secret:role-{name}" for name in PRIVILEGES
}
MACHINE = "arn:aws:states:us-east-1:000000000000:stateMachine:videos"
NAME = "video"
BUCKET = "media"

# Ends connections of earlier tests, which may hold locks, and deletes all rows without checking
# references. A new database takes ten times as long, and TRUNCATE three times.
_EMPTY = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid();
    SET session_replication_role = replica;
    DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT tablename FROM pg_tables
            WHERE schemaname = 'public' AND tablename !~ 'yoyo'
        LOOP EXECUTE format('DELETE FROM %I', name); END LOOP;
    END $$
"""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """Start a PostgreSQL server of the deployed version."""
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
    """Serve Secrets Manager with the credentials of the database."""
    with _secrets_of(postgres, monkeypatch) as store:
        yield store


@contextmanager
def _secrets_of(postgres: Postgres, environment: pytest.MonkeyPatch) -> Iterator[SecretsManager]:
    environment.setenv("AWS_REGION", "us-east-1")
    environment.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    environment.setenv("AWS_SECRET_ACCESS_KEY", "test")
    environment.setattr(secrets, "_cache", {})
    with secrets_manager.serve() as store:
        environment.setenv("AWS_ENDPOINT_URL", store.url)
        store.secrets[SECRET] = {"username": "postgres", "password": postgres.password}
        for name, arn in ROLES.items():
            store.secrets[arn] = {"username": f"video_{name}", "password": f"password of {name}"}
        yield store


def _create_database(postgres: Postgres, name: str) -> DatabaseSettings:
    """Create an empty database, replacing one of the same name."""
    connection = postgres.connect()
    connection.run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    connection.run(f"CREATE DATABASE {name}")
    connection.close()
    return DatabaseSettings.model_validate(
        {
            "STAGE": "local",
            "DATABASE_HOST": "127.0.0.1",
            "DATABASE_PORT": postgres.port,
            "DATABASE_NAME": name,
            "DATABASE_SECRET_ARN": SECRET,
            "DATABASE_TLS": "disable",
        }
    )


@pytest.fixture
def empty(postgres: Postgres, secret_store: SecretsManager) -> DatabaseSettings:
    """Return the settings of a database without tables."""
    return _create_database(postgres, "empty")


@pytest.fixture(scope="session")
def schema(postgres: Postgres) -> DatabaseSettings:
    """Return the settings of the migrated database that all tests share."""
    with pytest.MonkeyPatch.context() as environment, _secrets_of(postgres, environment):
        settings = _create_database(postgres, NAME)
        migrations.apply(settings)
        roles.apply(owner(settings))
        return settings


def owner(settings: DatabaseSettings) -> MigrateSettings:
    """Return the settings of `migrate`, which owns the schema and creates the roles."""
    text = json.dumps(ROLES)
    return MigrateSettings.model_validate(
        {**settings.model_dump(by_alias=True), "DATABASE_ROLE_ARNS": text}
    )


def as_role(settings: DatabaseSettings, function: str) -> DatabaseSettings:
    """Return the settings with which a function connects as its own role."""
    return settings.model_copy(update={"database_secret_arn": ROLES[function]})


@pytest.fixture
def migrated(
    postgres: Postgres, schema: DatabaseSettings, secret_store: SecretsManager
) -> DatabaseSettings:
    """Return the settings of a migrated database without rows."""
    connection = postgres.connect(NAME)
    connection.run(_EMPTY)
    connection.close()
    return schema


@pytest.fixture
def database(migrated: DatabaseSettings) -> Iterator[Database]:
    """Connect to a migrated database without rows."""
    database = Database(migrated)
    yield database
    database.close()


@pytest.fixture
def gateway(
    migrated: DatabaseSettings, secret_store: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Gateway]:
    """The function `api` with an empty database and offline providers; runs are not executed."""
    secret_store.secrets[KEYS] = {"SECRET_KEY": "s" * 64}
    secret_store.secrets[PROVIDERS] = {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": ""}
    environment = {
        **as_role(migrated, "api").model_dump(by_alias=True, mode="json"),
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
    with step_functions.serve() as machine:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", machine.url)
        start_cold()
        yield Gateway(machine)
        start_cold()


@pytest.fixture(scope="session")
def storage(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """Emulated S3 with the media bucket."""
    import boto3  # late: few tests need it

    root = tmp_path_factory.mktemp("storage")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o755)
    emulator = Emulator(State.open(Path(root)))
    emulator.start(postgres.password)
    session = boto3.Session(
        emulator.access_key_id, emulator.secret_access_key, region_name="us-east-1"
    )
    store = session.client("s3", endpoint_url=emulator.url)
    store.create_bucket(Bucket=BUCKET)
    # As in the template.
    store.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture(scope="session")
def runway_vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Serve Runway's stand-in."""
    with runway.serve(tmp_path_factory.mktemp("runway")) as vendor:
        yield vendor


@pytest.fixture
def runway_app(
    runway_vendor: StandIn,
    gateway: Gateway,
    secret_store: SecretsManager,
    monkeypatch: pytest.MonkeyPatch,
) -> "tuple[VendorSession, InMemoryMediaStore]":
    """Runway, the media store, and the function `clip` behind asynchronous invocations."""
    # Late: Powertools reads its settings when it is imported.
    from clip.handler import handler
    from common.aws import lambda_invoke
    from common.settings import GenerationSettings
    from tests.support.media_store import InMemoryMediaStore
    from tests.support.vendors import VendorSession

    store = InMemoryMediaStore()
    monkeypatch.setenv("RUNWAY_BASE_URL", runway_vendor.base_url)
    keys = {"OPENAI_API_KEY": "", "RUNWAY_API_KEY": runway_vendor.api_key}
    secret_store.secrets[PROVIDERS] = keys
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("DATABASE_SECRET_ARN", ROLES["clip"])
        runtime.provide(GenerationSettings, store=store)
    monkeypatch.setattr(
        lambda_invoke, "invoke_async", lambda name, event: quietly(handler, event, gateway.context)
    )
    return VendorSession(runway_vendor), store


@pytest.fixture
def sweep(
    migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[dict[str, Any]], Any]]:
    """The function `sweeper` under its own role, with no executions."""
    from sweeper import handler as function  # late: Powertools reads its settings at import

    environment = {
        **as_role(migrated, "sweeper").model_dump(by_alias=True, mode="json"),
        "MEDIA_BUCKET": "media",
        "STATE_MACHINE_ARN": MACHINE,
        "CLIP_FUNCTION_NAME": "clip",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, str(value))
    with step_functions.serve() as machine:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SFN", machine.url)
        clients._client.cache_clear()
        runtime.provide(SweeperSettings)
        yield lambda event: quietly(function.handler, event, Context())
        clients._client.cache_clear()
