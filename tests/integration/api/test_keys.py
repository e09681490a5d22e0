"""API keys on a real PostgreSQL, and the authorizer that checks them."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from authorizer import handler as authorizer
from common import runtime
from common.aws import secrets
from common.database import Database
from common.database import keys as rows
from common.database.keys import ApiKey
from common.domain import api_keys
from common.domain.caller import Caller
from common.domain.errors import Conflict, NotFound
from common.settings import DatabaseSettings
from infra.local.postgres import Postgres
from tests.stand_ins.postgres_tap import StatementRecorder, record_statements
from tests.stand_ins.secrets_manager import SecretsManager

KEYS_SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:keys-abc123"
ARN = "arn:aws:execute-api:us-east-1:000000000000:api/live/GET/v1/videos"


class Context:
    """The Lambda context of the authorizer."""

    function_name = "authorizer"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:authorizer"
    aws_request_id = "0"


def authorize(key: str | None, header: str = "X-API-Key") -> dict[str, Any]:
    """Return the authorizer's policy."""
    event = {"methodArn": ARN, "headers": {header: key} if key else None}
    context: Any = Context()
    policy: dict[str, Any] = authorizer.handler(event, context)
    return policy


def is_rejected(key: str | None) -> bool:
    """Return whether the authorizer rejects the key with 401."""
    try:
        authorize(key)
    except authorizer.UnauthorizedError:
        return True
    return False


@pytest.fixture
def database_tap(
    migrated: DatabaseSettings, secret_store: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StatementRecorder]:
    """The environment of the authorizer, and a tap on its database connection."""
    secret_store.secrets[KEYS_SECRET] = {"SECRET_KEY": "s" * 64}
    with record_statements(migrated.database_port) as database_tap:
        for name, value in migrated.model_dump(by_alias=True).items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("DATABASE_PORT", str(database_tap.port))
        monkeypatch.setenv("KEYS_SECRET_ARN", KEYS_SECRET)
        monkeypatch.setenv("OPERATOR_USER_ID", "root")
        runtime.reset()
        yield database_tap
        runtime.reset()


def insert_key(database: Database, **changes: Any) -> tuple[str, str]:
    """Insert a key; return its secret and its id."""
    secret = api_keys.mint(live=True)
    expires_at = changes.pop("expires_at", None)
    default = ApiKey("key_1", "alice", "n", True, ["act_as"], ["*"], 60, 1000, 10)
    record = ApiKey(**{**{name: getattr(default, name) for name in default.__slots__}, **changes})
    with database.transaction() as cursor:
        rows.insert(
            cursor,
            record,
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            expires_at=expires_at,
        )
    return secret, record.key_id


def test_authorizer_accepts_a_valid_key(
    database: Database, database_tap: StatementRecorder
) -> None:
    secret, _ = insert_key(database)
    policy = authorize(secret)
    assert policy["context"] == {
        "key_id": "key_1",
        "user_id": "alice",
        "live": "true",
        "scopes": "act_as",
        "per_minute": "60",
        "per_hour": "1000",
        "max_runs": "10",
        "daily_cap_usd": "",
        "monthly_cap_usd": "",
    }
    assert policy["policyDocument"]["Statement"][0]["Resource"] == [f"{ARN.rsplit('/', 3)[0]}/*"]
    assert authorize(f"Bearer {secret}", "authorization") == policy
    assert is_rejected(api_keys.mint(live=True))
    assert is_rejected(None)


def test_authorizer_passes_a_cap_of_zero(
    database: Database, database_tap: StatementRecorder
) -> None:
    secret, _ = insert_key(database, daily_cap_usd=0, monthly_cap_usd=Decimal("2.5"))
    caller = Caller.from_authorizer(authorize(secret)["context"])
    assert (caller.daily_cap_usd, caller.monthly_cap_usd) == (Decimal(0), Decimal("2.5"))


def test_authorizer_takes_one_statement(
    database: Database, database_tap: StatementRecorder
) -> None:
    secret, _ = insert_key(database)
    authorize(secret)
    database_tap.take()
    for _ in range(3):
        authorize(secret)
    assert [text.split()[0] for text in database_tap.take()] == ["SELECT"] * 3


def test_operator_key_and_wrong_checksum_take_no_statement(
    database: Database, database_tap: StatementRecorder
) -> None:
    operator = api_keys.operator_key("s" * 64, "root")
    assert authorize(operator)["context"]["scopes"] == "admin act_as"
    invalid_key = operator[:-1] + ("0" if operator[-1] != "0" else "1")
    assert all(is_rejected(key) for key in (invalid_key, "rubbish", "vg_live_" + "a" * 42))
    assert database_tap.take() == []


@pytest.mark.parametrize("change", [{"active": False}, {"expires_at": "2020-01-01"}])
def test_inactive_or_expired_key_is_rejected(
    change: dict[str, Any], database: Database, database_tap: StatementRecorder
) -> None:
    secret, key_id = insert_key(database)
    with database.transaction() as cursor:
        rows.change(cursor, key_id, change)
    assert is_rejected(secret)
    with database.transaction() as cursor:
        rows.change(cursor, key_id, {"active": True, "expires_at": None})
    assert not is_rejected(secret)


def rotate(database: Database, key_id: str, grace: int) -> str:
    secret = api_keys.mint(live=True)
    with database.transaction() as cursor:
        rows.rotate(
            cursor,
            key_id,
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            grace_seconds=grace,
        )
    return secret


def test_key_rotation_keeps_the_old_secret_for_the_grace_period(
    database: Database, database_tap: StatementRecorder
) -> None:
    old, key_id = insert_key(database)
    new = rotate(database, key_id, 60)
    assert authorize(old)["context"] == authorize(new)["context"]
    with database.transaction() as cursor:
        record = rows.get(cursor, key_id)
        assert record.prefix == api_keys.prefix(new)
        assert record.old_expires_at
        assert timedelta(0) < record.old_expires_at - datetime.now(UTC) <= timedelta(minutes=2)
        cursor.execute("UPDATE api_keys SET old_expires_at = now() - interval '1 second'")
    assert is_rejected(old)
    assert not is_rejected(new)


def test_key_rotation_without_grace_ends_the_old_secret(
    database: Database, database_tap: StatementRecorder
) -> None:
    old, key_id = insert_key(database)
    new = rotate(database, key_id, 0)
    assert is_rejected(old)
    assert not is_rejected(new)


def test_key_rotation_can_be_repeated_after_a_lost_response(
    database: Database, database_tap: StatementRecorder
) -> None:
    current_secret, key_id = insert_key(database)
    lost_secret = rotate(database, key_id, 60)
    new_secret = rotate(database, key_id, 60)
    assert not is_rejected(current_secret)
    assert is_rejected(lost_secret)
    assert not is_rejected(new_secret)


def test_revoked_key_cannot_be_reactivated(
    database: Database, database_tap: StatementRecorder
) -> None:
    old, key_id = insert_key(database)
    new = rotate(database, key_id, 60)
    with database.transaction() as cursor:
        rows.revoke(cursor, key_id)
        revoked = rows.get(cursor, key_id)
        rows.revoke(cursor, key_id)
        assert rows.get(cursor, key_id) == revoked
    assert revoked.revoked_at
    assert is_rejected(old)
    assert is_rejected(new)
    with pytest.raises(Conflict, match="cannot be undone"), database.transaction() as cursor:
        rows.change(cursor, key_id, {"active": True})
    with pytest.raises(Conflict, match="cannot be undone"):
        rotate(database, key_id, 0)
    with pytest.raises(NotFound), database.transaction() as cursor:
        rows.revoke(cursor, "key_2")


def test_revoked_key_is_rejected_for_50_concurrent_clients(
    migrated: DatabaseSettings,
    database: Database,
    database_tap: StatementRecorder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each client has its own database connection, as concurrent Lambda environments do."""
    environments = threading.local()

    def own_database() -> Database:
        if not hasattr(environments, "database"):
            environments.database = Database(migrated)
        database: Database = environments.database
        return database

    secret, key_id = insert_key(database)
    barrier, revoked = threading.Barrier(51), threading.Event()

    def call(_: int) -> tuple[bool, list[bool]]:
        accepted = not is_rejected(secret)
        barrier.wait()
        while not revoked.is_set():
            is_rejected(secret)
        rejections = [is_rejected(secret) for _ in range(20)]
        own_database().close()
        return accepted, rejections

    with monkeypatch.context() as patch, ThreadPoolExecutor(50) as pool:
        settings = authorizer.services().settings
        patch.setattr(
            authorizer,
            "services",
            lambda: SimpleNamespace(settings=settings, database=own_database()),
        )
        futures = [pool.submit(call, n) for n in range(50)]
        barrier.wait()
        with database.transaction() as cursor:
            rows.revoke(cursor, key_id)
        revoked.set()
        results = [future.result() for future in futures]
    assert all(accepted for accepted, _ in results)
    assert all(all(rejections) for _, rejections in results)


def test_authorizer_fails_closed_without_the_database(
    database: Database, database_tap: StatementRecorder, postgres: Postgres
) -> None:
    secret, _ = insert_key(database)
    authorize(secret)
    connection = postgres.connect()
    connection.run("ALTER DATABASE video ALLOW_CONNECTIONS false")
    connection.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'video'")
    try:
        # Neither a policy nor a 401, because the key may be valid.
        with pytest.raises(RuntimeError, match=r"^The key could not be checked\.$"):
            authorize(secret)
    finally:
        connection.run("ALTER DATABASE video ALLOW_CONNECTIONS true")
        connection.close()
    # The terminated connection is replaced without an error.
    assert not is_rejected(secret)


def test_authorizer_fails_closed_without_the_secret(
    database_tap: StatementRecorder, secret_store: SecretsManager
) -> None:
    del secret_store.secrets[KEYS_SECRET]
    secrets._cache.clear()
    with pytest.raises(RuntimeError, match=r"^The key could not be checked\.$"):
        authorize(api_keys.mint(live=True))
