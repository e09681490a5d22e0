"""The API in process, with two owners who have one of everything."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from common.database import Database
from common.settings import DatabaseSettings
from infra.local.emulator import Emulator
from infra.local.postgres import Postgres
from infra.local.state import State
from tests.integration.http.service import Service
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import KEYS, PROVIDERS, as_role
from tests.support.gateway import Gateway

if TYPE_CHECKING:
    from intake.reception import Intake

BUCKET = "media"


@pytest.fixture(scope="session")
def storage(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """S3 with the media bucket."""
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
    # As the template has it.
    store.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    try:
        yield emulator
    finally:
        emulator.stop()


@pytest.fixture
def again() -> Callable[[], None]:
    """Let the functions read their settings anew, as new environments of theirs do."""
    from api import dependencies
    from authorizer import handler as authorizer

    def forget() -> None:
        kept = [*vars(dependencies).values(), authorizer.settings, authorizer.database]
        for one in kept:
            if hasattr(one, "cache_clear"):
                one.cache_clear()

    return forget


@pytest.fixture
def service(
    gateway: Gateway,
    migrated: DatabaseSettings,
    storage: Emulator,
    secret_store: SecretsManager,
    again: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    """The API with its authorizer, an empty database, and S3."""
    from authorizer import handler as authorizer

    for name, value in {
        "AWS_ENDPOINT_URL_S3": storage.url,
        "AWS_ACCESS_KEY_ID": storage.access_key_id,
        "AWS_SECRET_ACCESS_KEY": storage.secret_access_key,
        "KEYS_SECRET_ARN": KEYS,
        "OPERATOR_USER_ID": "root",
    }.items():
        monkeypatch.setenv(name, value)
    # Keys that open nothing: paid models can be chosen, and nothing is ever made with them.
    secret_store.secrets[PROVIDERS] = {"OPENAI_API_KEY": "none", "RUNWAY_API_KEY": "none"}
    # Nothing registers uploads here, so requests would wait for it in vain.
    monkeypatch.setattr("api.services.files._WAIT_SECONDS", 0.2)
    again()
    yield Service()
    authorizer.database().close()


@pytest.fixture
def receiver(service: Service, migrated: DatabaseSettings) -> "Iterator[Intake]":
    """The inbox beside the API, with the database role of the function `intake`."""
    from api import dependencies
    from intake.reception import Intake  # late: Powertools reads its settings when it is imported

    database = Database(as_role(migrated, "intake"))
    admission = replace(dependencies.admission(), database=database)
    yield Intake(admission, database, dependencies.store())
    database.close()


@pytest.fixture
def rows(database: Database) -> Database:
    """A look at what is stored."""
    return database
