"""Rotation of database passwords while functions are warm, with and without RDS Proxy."""

import time
from collections.abc import Iterator
from contextlib import closing
from secrets import token_hex

import pytest

from common.aws import secrets
from common.database import Database
from common.domain.errors import DatabaseUnavailable
from common.settings import DatabaseSettings
from migrate import roles
from migrate.privileges import PRIVILEGES
from tests.stand_ins import rds_proxy
from tests.stand_ins.postgres_tap import record_statements
from tests.stand_ins.rds_proxy import RdsProxy
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import ROLES, as_role, owner

CURRENT_USER = "SELECT current_user AS role"


@pytest.fixture
def proxy(migrated: DatabaseSettings) -> Iterator[RdsProxy]:
    with rds_proxy.serve(migrated.database_port) as proxy:
        yield proxy


@pytest.fixture
def proxied_settings(migrated: DatabaseSettings, proxy: RdsProxy) -> DatabaseSettings:
    """Settings of functions that connect through the proxy."""
    return migrated.model_copy(update={"database_port": proxy.port})


@pytest.fixture
def restored_passwords(migrated: DatabaseSettings, secret_store: SecretsManager) -> Iterator[None]:
    """Restore secrets and roles after a test that rotates passwords.

    `rotate` changes the secrets and runs `migrate`, while warm functions still cache the old
    passwords, which they do for five minutes.
    """
    before = {arn: dict(secret_store.secrets[arn]) for arn in ROLES.values()}
    yield
    secret_store.secrets.update(before)
    roles.apply(owner(migrated))


def rotate(migrated: DatabaseSettings, store: SecretsManager) -> None:
    old = {arn: dict(store.secrets[arn]) for arn in ROLES.values()}
    for arn in ROLES.values():
        store.secrets[arn] = {**store.secrets[arn], "password": token_hex()}
    roles.apply(owner(migrated))
    for arn, login in old.items():
        secrets._cache[arn] = (time.monotonic(), login)


def current_role(database: Database) -> str:
    with database.transaction() as cursor:
        cursor.execute(CURRENT_USER)
        return str(cursor.fetchall()[0]["role"])


@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "proxy"])
def test_functions_stay_connected_during_password_rotation(
    migrated: DatabaseSettings,
    proxied_settings: DatabaseSettings,
    proxy: RdsProxy,
    secret_store: SecretsManager,
    restored_passwords: None,
    through_proxy: bool,
) -> None:
    settings = proxied_settings if through_proxy else migrated
    for function in PRIVILEGES:
        with (
            closing(Database(as_role(settings, function))) as open_database,
            closing(Database(as_role(settings, function))) as new_database,
            open_database.transaction() as cursor,
        ):
            cursor.execute(CURRENT_USER)
            rotate(migrated, secret_store)
            cursor.execute(CURRENT_USER)
            assert cursor.fetchall() == [{"role": f"video_{function}"}], (
                "the open connection stays usable"
            )
            assert current_role(new_database) == f"video_{function}", (
                "a new connection reads the secret again"
            )
    if through_proxy:
        message = "The password that was provided for the role video_{} is wrong."
        assert set(proxy.said) == {message.format(function) for function in PRIVILEGES}


def test_wrong_password_in_the_secret_is_unavailable_and_allows_retry(
    proxied_settings: DatabaseSettings,
    proxy: RdsProxy,
    secret_store: SecretsManager,
    restored_passwords: None,
) -> None:
    """Between the secret's change and `migrate`, or while the proxy caches the old password."""
    secret_store.secrets[ROLES["api"]] = {"username": "video_api", "password": "not yet"}
    database = Database(as_role(proxied_settings, "api"))
    with pytest.raises(DatabaseUnavailable) as caught:
        current_role(database)
    assert caught.value.retry_after
    assert len(proxy.said) == 2


def test_proxy_without_a_free_connection_is_unavailable_and_allows_retry(
    proxied_settings: DatabaseSettings, proxy: RdsProxy
) -> None:
    with closing(Database(as_role(proxied_settings, "api"))) as database:
        assert current_role(database) == "video_api"
        proxy.busy = 1
        with pytest.raises(DatabaseUnavailable) as caught:
            current_role(database)
        assert caught.value.retry_after
        assert current_role(database) == "video_api"


def test_snapshot_does_not_pin_a_proxy_connection(migrated: DatabaseSettings) -> None:
    """Snapshots set their isolation in BEGIN, because SET pins the connection to one client."""
    with record_statements(migrated.database_port) as wire:
        settings = migrated.model_copy(update={"database_port": wire.port})
        with closing(Database(settings)) as database:
            with database.snapshot() as cursor:
                cursor.execute("SHOW transaction_isolation")
                assert cursor.fetchall() == [{"transaction_isolation": "repeatable read"}]
                cursor.execute("SHOW transaction_read_only")
                assert cursor.fetchall() == [{"transaction_read_only": "on"}]
            assert current_role(database) == "postgres", "the transaction has ended"
        sent = wire.take()
    assert not [statement for statement in sent if statement.startswith("SET")]
    assert [statement for statement in sent if statement.startswith("BEGIN ISOLATION")]
