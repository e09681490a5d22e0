"""Fixtures: the API in process with PostgreSQL and an emulated S3."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from common.database import Database
from common.settings import DatabaseSettings
from infra.local.emulator import Emulator
from tests.integration.http.service import Service
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.cold_start import start_cold
from tests.support.fixtures import KEYS, PROVIDERS, as_role
from tests.support.gateway import Gateway

if TYPE_CHECKING:
    from intake.reception import Intake


@pytest.fixture
def cold_start() -> Callable[[], None]:
    """Return a function that makes the next calls cold starts, which read their settings again."""
    return start_cold


@pytest.fixture
def service(
    gateway: Gateway,
    migrated: DatabaseSettings,
    storage: Emulator,
    secret_store: SecretsManager,
    cold_start: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Service]:
    """The API with its authorizer, an empty database, and S3."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": storage.url,
        "AWS_ACCESS_KEY_ID": storage.access_key_id,
        "AWS_SECRET_ACCESS_KEY": storage.secret_access_key,
        "KEYS_SECRET_ARN": KEYS,
        "OPERATOR_USER_ID": "root",
    }.items():
        monkeypatch.setenv(name, value)
    # Invalid keys: paid models can be selected, but no vendor is ever called.
    secret_store.secrets[PROVIDERS] = {"OPENAI_API_KEY": "none", "RUNWAY_API_KEY": "none"}
    # Nothing registers uploads here, so do not wait for it.
    monkeypatch.setattr("api.services.files._WAIT_SECONDS", 0.2)
    cold_start()
    yield Service()
    start_cold()


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
    """The database, for assertions about stored rows."""
    return database
