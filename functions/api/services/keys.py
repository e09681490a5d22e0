"""Use cases of the operator: API keys. Only a caller with the scope `admin` may."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from api.schemas.keys import (
    ChangeKey,
    CreateKey,
    KeyAnswer,
    KeyObject,
    KeyPage,
    KeyWithSecret,
    RateLimitObject,
    RotateKey,
    SecretAnswer,
)
from common.database import Database
from common.database import keys as rows
from common.database.keys import ApiKey, KeyRecord
from common.domain import api_keys, ids
from common.domain.caller import Caller
from common.domain.errors import InvalidInput

# The columns that a change of a key may set, by field of the request.
_COLUMNS = {
    "name": "name",
    "scopes": "scopes",
    "allowedEndpoints": "endpoints",
    "isActive": "active",
    "maxConcurrentRuns": "max_concurrent_runs",
    "dailyCapUsd": "daily_cap_usd",
    "monthlyCapUsd": "monthly_cap_usd",
}
_LIMITS = {"requestsPerMinute": "per_minute", "requestsPerHour": "per_hour"}


def create_key(database: Database, caller: Caller, wish: CreateKey) -> SecretAnswer:
    """Mint a key for a user."""
    caller.need("admin")
    secret = api_keys.mint(live=not wish.test)
    key = ApiKey(
        key_id=ids.new("key"),
        user_id=wish.userId,
        name=wish.name,
        live=not wish.test,
        scopes=list(wish.scopes),
        endpoints=wish.allowedEndpoints,
        per_minute=wish.rateLimit.requestsPerMinute,
        per_hour=wish.rateLimit.requestsPerHour,
        max_concurrent_runs=wish.maxConcurrentRuns,
        daily_cap_usd=wish.dailyCapUsd,
        monthly_cap_usd=wish.monthlyCapUsd,
    )
    with database.transaction() as cursor:
        rows.insert(
            cursor,
            key,
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            expires_at=_moment(wish.expiresIn),
        )
        record = rows.get(cursor, key.key_id)
    return _with_secret(record, secret)


def list_keys(
    database: Database, caller: Caller, *, user_id: str | None, limit: int, cursor: str | None
) -> KeyPage:
    """Show keys, of one user if asked for, newest first."""
    caller.need("admin")
    found = database.alone(
        lambda sql: rows.page(sql, user_id=user_id, limit=limit + 1, before=cursor)
    )
    shown = found[:limit]
    return KeyPage(
        apiKeys=[KeyObject(**_shown(record)) for record in shown],
        nextCursor=shown[-1].key_id if len(found) > limit else None,
    )


def get_key(database: Database, caller: Caller, key_id: str) -> KeyAnswer:
    """Show a key."""
    caller.need("admin")
    return _answer(database.alone(lambda cursor: rows.get(cursor, key_id)))


def change_key(database: Database, caller: Caller, key_id: str, wish: ChangeKey) -> KeyAnswer:
    """Change what a request names; it holds from the next request with the key on."""
    caller.need("admin")
    columns = _changes(wish)
    if not columns:
        raise InvalidInput("Nothing was to be changed; name at least one field.")
    with database.transaction() as cursor:
        rows.change(cursor, key_id, columns)
        return _answer(rows.get(cursor, key_id))


def rotate_key(database: Database, caller: Caller, key_id: str, wish: RotateKey) -> SecretAnswer:
    """Give a key a new secret; the old one works for the grace period."""
    caller.need("admin")
    with database.transaction() as cursor:
        record = rows.get(cursor, key_id)
        secret = api_keys.mint(live=record.live)
        rows.rotate(
            cursor,
            key_id,
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            grace_seconds=wish.graceSeconds,
        )
        return _with_secret(rows.get(cursor, key_id), secret)


def revoke_key(database: Database, caller: Caller, key_id: str) -> KeyAnswer:
    """End a key for good. What it made and what it cost stays."""
    caller.need("admin")
    with database.transaction() as cursor:
        rows.revoke(cursor, key_id)
        return _answer(rows.get(cursor, key_id))


def _changes(wish: ChangeKey) -> dict[str, Any]:
    named = wish.model_dump(exclude_unset=True)
    columns = {_COLUMNS[name]: value for name, value in named.items() if name in _COLUMNS}
    if "expiresIn" in named:
        columns["expires_at"] = _moment(wish.expiresIn)
    limits = named.get("rateLimit", {})
    columns |= {_LIMITS[name]: value for name, value in limits.items()}
    return columns


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)


def _answer(record: KeyRecord) -> KeyAnswer:
    return KeyAnswer(apiKey=KeyObject(**_shown(record)))


def _with_secret(record: KeyRecord, secret: str) -> SecretAnswer:
    return SecretAnswer(apiKey=KeyWithSecret(**_shown(record), key=secret))


def _shown(record: KeyRecord) -> dict[str, Any]:
    return {
        "id": record.key_id,
        "prefix": record.prefix,
        "name": record.name,
        "userId": record.user_id,
        "test": not record.live,
        "scopes": record.scopes,
        "allowedEndpoints": record.endpoints,
        "rateLimit": RateLimitObject(
            requestsPerMinute=record.per_minute, requestsPerHour=record.per_hour
        ),
        "maxConcurrentRuns": record.max_concurrent_runs,
        "dailyCapUsd": _usd(record.daily_cap_usd),
        "monthlyCapUsd": _usd(record.monthly_cap_usd),
        "isActive": record.active,
        "createdAt": record.created_at,
        "expiresAt": record.expires_at,
        "lastUsedAt": record.last_used_at,
        "rotatedAt": record.rotated_at,
        "oldSecretEndsAt": record.old_expires_at,
        "revokedAt": record.revoked_at,
    }
