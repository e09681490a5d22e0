"""Keys on a real PostgreSQL, and the authorizer that looks them up."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from authorizer import handler as authorizer
from common.aws import secrets
from common.database import Database
from common.database import keys as rows
from common.database.keys import ApiKey
from common.domain import api_keys
from common.domain.caller import Caller
from common.domain.errors import Conflict, NotFound
from common.settings import DatabaseSettings
from infra.local.postgres import Postgres
from tests.stand_ins.postgres_tap import Tap, tap
from tests.stand_ins.secrets_manager import SecretsManager

KEYS_SECRET = "arn:aws:secretsmanager:us-east-1:000000000000:secret:keys-abc123"
ARN = "arn:aws:execute-api:us-east-1:000000000000:api/live/GET/v1/videos"


class Context:
    """What Lambda tells a function about itself."""

    function_name = "authorizer"
    memory_limit_in_mb = 128
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:authorizer"
    aws_request_id = "0"


def ask(key: str | None, header: str = "X-API-Key") -> dict[str, Any]:
    """Return the authorizer's policy."""
    event = {"methodArn": ARN, "headers": {header: key} if key else None}
    context: Any = Context()
    answer: dict[str, Any] = authorizer.handler(event, context)
    return answer


def refused(key: str | None) -> bool:
    """Say whether it is a 401."""
    try:
        ask(key)
    except authorizer.UnauthorizedError:
        return True
    return False


@pytest.fixture
def wire(
    migrated: DatabaseSettings, secret_store: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Tap]:
    """The authorizer's settings, and the wire to its database."""
    secret_store.secrets[KEYS_SECRET] = {"SECRET_KEY": "s" * 64}
    with tap(migrated.database_port) as wire:
        for name, value in migrated.model_dump(by_alias=True).items():
            monkeypatch.setenv(name, str(value))
        monkeypatch.setenv("DATABASE_PORT", str(wire.port))
        monkeypatch.setenv("KEYS_SECRET_ARN", KEYS_SECRET)
        monkeypatch.setenv("OPERATOR_USER_ID", "root")
        authorizer.settings.cache_clear()
        authorizer.database.cache_clear()
        yield wire
        authorizer.database().close()


def store(database: Database, **changes: Any) -> tuple[str, str]:
    """Store a key; return its secret and its id."""
    secret = api_keys.mint(live=True)
    lives = changes.pop("expires_at", None)
    row = ApiKey("key_1", "alice", "n", True, ["act_as"], ["*"], 60, 1000, 10)
    key = ApiKey(**{**{name: getattr(row, name) for name in row.__slots__}, **changes})
    with database.transaction() as cursor:
        rows.insert(
            cursor,
            key,
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            expires_at=lives,
        )
    return secret, key.key_id


def test_a_key_is_found_while_it_lives(database: Database, wire: Tap) -> None:
    secret, _ = store(database)
    answer = ask(secret)
    assert answer["context"] == {
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
    assert answer["policyDocument"]["Statement"][0]["Resource"] == [f"{ARN.rsplit('/', 3)[0]}/*"]
    assert ask(f"Bearer {secret}", "authorization") == answer
    assert refused(api_keys.mint(live=True))
    assert refused(None)


def test_a_cap_of_nothing_is_a_cap(database: Database, wire: Tap) -> None:
    secret, _ = store(database, daily_cap_usd=0, monthly_cap_usd=Decimal("2.5"))
    caller = Caller.from_authorizer(ask(secret)["context"])
    assert (caller.daily_cap_usd, caller.monthly_cap_usd) == (Decimal(0), Decimal("2.5"))


def test_a_look_up_is_one_statement(database: Database, wire: Tap) -> None:
    secret, _ = store(database)
    ask(secret)
    wire.take()
    for _ in range(3):
        ask(secret)
    assert [text.split()[0] for text in wire.take()] == ["SELECT"] * 3


def test_neither_the_operator_nor_a_wrong_checksum_reaches_the_database(
    database: Database, wire: Tap
) -> None:
    operator = api_keys.operator_key("s" * 64, "root")
    assert ask(operator)["context"]["scopes"] == "admin act_as"
    wrong = operator[:-1] + ("0" if operator[-1] != "0" else "1")
    assert all(refused(key) for key in (wrong, "rubbish", "vg_live_" + "a" * 42))
    assert wire.take() == []


@pytest.mark.parametrize("change", [{"active": False}, {"expires_at": "2020-01-01"}])
def test_a_key_that_is_inactive_or_expired_is_refused(
    change: dict[str, Any], database: Database, wire: Tap
) -> None:
    secret, key_id = store(database)
    with database.transaction() as cursor:
        rows.change(cursor, key_id, change)
    assert refused(secret)
    with database.transaction() as cursor:
        rows.change(cursor, key_id, {"active": True, "expires_at": None})
    assert not refused(secret)


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


def test_after_a_rotation_two_secrets_live_for_a_while(database: Database, wire: Tap) -> None:
    old, key_id = store(database)
    new = rotate(database, key_id, 60)
    assert ask(old)["context"] == ask(new)["context"]
    with database.transaction() as cursor:
        record = rows.get(cursor, key_id)
        assert record.prefix == api_keys.prefix(new)
        assert record.old_expires_at
        assert timedelta(0) < record.old_expires_at - datetime.now(UTC) <= timedelta(minutes=2)
        cursor.execute("UPDATE api_keys SET old_expires_at = now() - interval '1 second'")
    assert refused(old)
    assert not refused(new)


def test_a_rotation_without_grace_ends_the_old_secret_at_once(
    database: Database, wire: Tap
) -> None:
    old, key_id = store(database)
    new = rotate(database, key_id, 0)
    assert refused(old)
    assert not refused(new)


def test_a_rotation_whose_answer_was_lost_can_be_made_again(database: Database, wire: Tap) -> None:
    in_use, key_id = store(database)
    lost = rotate(database, key_id, 60)
    new = rotate(database, key_id, 60)
    assert not refused(in_use)
    assert refused(lost)
    assert not refused(new)


def test_a_revoked_key_is_dead_for_good(database: Database, wire: Tap) -> None:
    old, key_id = store(database)
    new = rotate(database, key_id, 60)
    with database.transaction() as cursor:
        rows.revoke(cursor, key_id)
        revoked = rows.get(cursor, key_id)
        rows.revoke(cursor, key_id)
        assert rows.get(cursor, key_id) == revoked
    assert revoked.revoked_at
    assert refused(old)
    assert refused(new)
    with pytest.raises(Conflict, match="for good"), database.transaction() as cursor:
        rows.change(cursor, key_id, {"active": True})
    with pytest.raises(Conflict, match="for good"):
        rotate(database, key_id, 0)
    with pytest.raises(NotFound), database.transaction() as cursor:
        rows.revoke(cursor, "key_2")


def test_a_revoked_key_is_dead_for_fifty_clients_at_once(
    migrated: DatabaseSettings, database: Database, wire: Tap, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each client has an environment of its own, as Lambda gives to calls at the same time."""
    environments = threading.local()

    def own_database() -> Database:
        if not hasattr(environments, "database"):
            environments.database = Database(migrated)
        kept: Database = environments.database
        return kept

    secret, key_id = store(database)
    started, revoked = threading.Barrier(51), threading.Event()

    def call(_: int) -> tuple[bool, list[bool]]:
        let_in = not refused(secret)
        started.wait()
        while not revoked.is_set():
            refused(secret)
        late = [refused(secret) for _ in range(20)]
        own_database().close()
        return let_in, late

    with monkeypatch.context() as patch, ThreadPoolExecutor(50) as pool:
        patch.setattr(authorizer, "database", own_database)
        calling = [pool.submit(call, n) for n in range(50)]
        started.wait()
        with database.transaction() as cursor:
            rows.revoke(cursor, key_id)
        revoked.set()
        results = [future.result() for future in calling]
    assert all(let_in for let_in, _ in results)
    assert all(all(late) for _, late in results)


def test_without_the_database_nobody_gets_in(
    database: Database, wire: Tap, postgres: Postgres
) -> None:
    secret, _ = store(database)
    ask(secret)
    connection = postgres.connect()
    connection.run("ALTER DATABASE video ALLOW_CONNECTIONS false")
    connection.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'video'")
    try:
        # Neither a policy nor a 401: the key may be good.
        with pytest.raises(RuntimeError, match=r"^The key could not be checked\.$"):
            ask(secret)
    finally:
        connection.run("ALTER DATABASE video ALLOW_CONNECTIONS true")
        connection.close()
    # The connection that died meanwhile is made anew, unnoticed.
    assert not refused(secret)


def test_without_the_secrets_nobody_gets_in(wire: Tap, secret_store: SecretsManager) -> None:
    del secret_store.secrets[KEYS_SECRET]
    secrets._kept.clear()
    with pytest.raises(RuntimeError, match=r"^The key could not be checked\.$"):
        ask(api_keys.mint(live=True))
