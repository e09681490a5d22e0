"""Passwords of database roles can be changed while functions work: directly, and with RDS Proxy."""

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
from tests.stand_ins.postgres_tap import tap
from tests.stand_ins.rds_proxy import RdsProxy
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.fixtures import ROLES, as_role, owner

ASKED = "SELECT current_user AS role"


@pytest.fixture
def proxy(migrated: DatabaseSettings) -> Iterator[RdsProxy]:
    with rds_proxy.serve(migrated.database_port) as proxy:
        yield proxy


@pytest.fixture
def behind(migrated: DatabaseSettings, proxy: RdsProxy) -> DatabaseSettings:
    """Settings of functions that reach the database through the proxy."""
    return migrated.model_copy(update={"database_port": proxy.port})


@pytest.fixture
def rotated(migrated: DatabaseSettings, secret_store: SecretsManager) -> Iterator[None]:
    """What the operator does: new values in the secrets, then `migrate`. Undone afterwards.

    Functions still remember the passwords of before, as warm ones do for five minutes.
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
        secrets._kept[arn] = (time.monotonic(), login)


def role(database: Database) -> str:
    with database.transaction() as cursor:
        cursor.execute(ASKED)
        return str(cursor.fetchall()[0]["role"])


@pytest.mark.parametrize("through_proxy", [False, True], ids=["direct", "proxy"])
def test_every_function_works_on_through_a_rotation(
    migrated: DatabaseSettings,
    behind: DatabaseSettings,
    proxy: RdsProxy,
    secret_store: SecretsManager,
    rotated: None,
    through_proxy: bool,
) -> None:
    settings = behind if through_proxy else migrated
    for function in PRIVILEGES:
        with (
            closing(Database(as_role(settings, function))) as working,
            closing(Database(as_role(settings, function))) as late,
            working.transaction() as cursor,
        ):
            cursor.execute(ASKED)
            rotate(migrated, secret_store)
            cursor.execute(ASKED)
            assert cursor.fetchall() == [{"role": f"video_{function}"}], "what is open goes on"
            assert role(late) == f"video_{function}", "a new connection reads the secret again"
    if through_proxy:
        words = "The password that was provided for the role video_{} is wrong."
        assert set(proxy.said) == {words.format(function) for function in PRIVILEGES}


def test_password_that_is_wrong_in_the_secret_too_can_be_tried_again_later(
    behind: DatabaseSettings, proxy: RdsProxy, secret_store: SecretsManager, rotated: None
) -> None:
    """Between the change of the secret and `migrate`, or while the proxy remembers the old one."""
    secret_store.secrets[ROLES["api"]] = {"username": "video_api", "password": "not yet"}
    database = Database(as_role(behind, "api"))
    with pytest.raises(DatabaseUnavailable) as caught:
        role(database)
    assert caught.value.retry_after
    assert len(proxy.said) == 2


def test_proxy_without_a_connection_for_a_statement_is_unavailable_and_no_refusal(
    behind: DatabaseSettings, proxy: RdsProxy
) -> None:
    with closing(Database(as_role(behind, "api"))) as database:
        assert role(database) == "video_api"
        proxy.busy = 1
        with pytest.raises(DatabaseUnavailable) as caught:
            role(database)
        assert caught.value.retry_after
        assert role(database) == "video_api"


def test_no_statement_pins_a_connection_of_the_proxy(migrated: DatabaseSettings) -> None:
    """A consistent view is asked for with BEGIN; SET would keep the connection for one client."""
    with tap(migrated.database_port) as wire:
        settings = migrated.model_copy(update={"database_port": wire.port})
        with closing(Database(settings)) as database:
            with database.snapshot() as cursor:
                cursor.execute("SHOW transaction_isolation")
                assert cursor.fetchall() == [{"transaction_isolation": "repeatable read"}]
                cursor.execute("SHOW transaction_read_only")
                assert cursor.fetchall() == [{"transaction_read_only": "on"}]
            assert role(database) == "postgres", "the transaction has ended"
        sent = wire.take()
    assert not [statement for statement in sent if statement.startswith("SET")]
    assert [statement for statement in sent if statement.startswith("BEGIN ISOLATION")]
