"""Use cases of API keys; all require the scope `admin`, otherwise they raise Forbidden."""

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

# Columns by field of a request that changes a key.
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


def create_key(database: Database, caller: Caller, request: CreateKey) -> SecretAnswer:
    """Create a key for a user; the response has its secret."""
    caller.need("admin")
    secret = api_keys.mint(live=not request.test)
    key = ApiKey(
        key_id=ids.new("key"),
        user_id=request.userId,
        name=request.name,
        live=not request.test,
        scopes=list(request.scopes),
        endpoints=request.allowedEndpoints,
        per_minute=request.rateLimit.requestsPerMinute,
        per_hour=request.rateLimit.requestsPerHour,
        max_concurrent_runs=request.maxConcurrentRuns,
        daily_cap_usd=request.dailyCapUsd,
        monthly_cap_usd=request.monthlyCapUsd,
    )
    with database.transaction() as cursor:
        rows.insert(
            cursor,
            key,
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            expires_at=_expiry(request.expiresIn),
        )
        record = rows.get(cursor, key.key_id)
    return _with_secret(record, secret)


def list_keys(
    database: Database, caller: Caller, *, user_id: str | None, limit: int, cursor: str | None
) -> KeyPage:
    """Return a page of keys, newest first, optionally only those of a user."""
    caller.need("admin")
    records = database.run_autocommit(
        lambda sql: rows.page(sql, user_id=user_id, limit=limit + 1, before=cursor)
    )
    page = records[:limit]
    return KeyPage(
        apiKeys=[KeyObject(**_fields(record)) for record in page],
        nextCursor=page[-1].key_id if len(records) > limit else None,
    )


def get_key(database: Database, caller: Caller, key_id: str) -> KeyAnswer:
    """Return a key; raises NotFound."""
    caller.need("admin")
    return _response(database.run_autocommit(lambda cursor: rows.get(cursor, key_id)))


def change_key(database: Database, caller: Caller, key_id: str, request: ChangeKey) -> KeyAnswer:
    """Update the fields in the request; changes apply from the next request with the key."""
    caller.need("admin")
    columns = _changes(request)
    if not columns:
        raise InvalidInput("The request has no changes. Send at least one field.")
    with database.transaction() as cursor:
        rows.change(cursor, key_id, columns)
        return _response(rows.get(cursor, key_id))


def rotate_key(database: Database, caller: Caller, key_id: str, request: RotateKey) -> SecretAnswer:
    """Replace the secret of a key; the old one works until the grace period ends."""
    caller.need("admin")
    with database.transaction() as cursor:
        record = rows.get(cursor, key_id)
        secret = api_keys.mint(live=record.live)
        rows.rotate(
            cursor,
            key_id,
            digest=api_keys.digest(secret),
            prefix=api_keys.prefix(secret),
            grace_seconds=request.graceSeconds,
        )
        return _with_secret(rows.get(cursor, key_id), secret)


def revoke_key(database: Database, caller: Caller, key_id: str) -> KeyAnswer:
    """Revoke a key permanently. What was created with it, and its usage, is kept."""
    caller.need("admin")
    with database.transaction() as cursor:
        rows.revoke(cursor, key_id)
        return _response(rows.get(cursor, key_id))


def _changes(request: ChangeKey) -> dict[str, Any]:
    fields = request.model_dump(exclude_unset=True)
    columns = {_COLUMNS[name]: value for name, value in fields.items() if name in _COLUMNS}
    if "expiresIn" in fields:
        columns["expires_at"] = _expiry(request.expiresIn)
    limits = fields.get("rateLimit", {})
    columns |= {_LIMITS[name]: value for name, value in limits.items()}
    return columns


def _usd(amount: Decimal | None) -> str | None:
    return None if amount is None else f"{amount.normalize():f}"


def _expiry(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.now(UTC) + timedelta(seconds=seconds)


def _response(record: KeyRecord) -> KeyAnswer:
    return KeyAnswer(apiKey=KeyObject(**_fields(record)))


def _with_secret(record: KeyRecord, secret: str) -> SecretAnswer:
    return SecretAnswer(apiKey=KeyWithSecret(**_fields(record), key=secret))


def _fields(record: KeyRecord) -> dict[str, Any]:
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
