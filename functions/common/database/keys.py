"""SQL of API keys: made, found, changed, rotated, revoked. Their limits are in `limits`."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

from psycopg2 import sql

from common.database import Cursor
from common.domain.caller import Caller
from common.domain.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A managed API key, without its secret. `endpoints` are `METHOD /path` or `*`."""

    key_id: str
    user_id: str
    name: str
    live: bool
    scopes: list[str]
    endpoints: list[str]
    per_minute: int
    per_hour: int
    max_concurrent_runs: int
    daily_cap_usd: Decimal | None = None
    monthly_cap_usd: Decimal | None = None

    def allows(self, endpoint: str) -> bool:
        """Say whether the key may use `METHOD /path`; a `*` stands for anything, as in IAM."""
        return any(fnmatchcase(endpoint, allowed) for allowed in self.endpoints)

    def caller(self) -> Caller:
        """Return its owner, as one who calls with it."""
        return Caller(
            key_id=self.key_id,
            user_id=self.user_id,
            live=self.live,
            scopes=frozenset(self.scopes),
            limits={"minute": self.per_minute, "hour": self.per_hour},
            max_runs=self.max_concurrent_runs,
            daily_cap_usd=self.daily_cap_usd,
            monthly_cap_usd=self.monthly_cap_usd,
        )


@dataclass(frozen=True, slots=True)
class KeyRecord(ApiKey):
    """A key with its life. `old_expires_at` is when the secret before the rotation ends."""

    prefix: str = ""
    active: bool = True
    created_at: datetime | None = None
    expires_at: datetime | None = None
    rotated_at: datetime | None = None
    old_expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None


_KEY = """key_id, user_id, name, live, scopes, endpoints, per_minute, per_hour,
          max_concurrent_runs, daily_cap_usd, monthly_cap_usd"""
# The last use is what the limiter writes anyway.
_LIFE = """prefix, active, created_at, expires_at, rotated_at, revoked_at,
    CASE WHEN old_expires_at > now() THEN old_expires_at END AS old_expires_at,
    (SELECT r.last_used_at FROM key_requests r WHERE r.key_id = k.key_id
     ORDER BY r.day DESC LIMIT 1) AS last_used_at"""


def insert(
    cursor: Cursor, key: ApiKey, *, digest: bytes, prefix: str, expires_at: datetime | None
) -> None:
    """Store a new key by its SHA-256."""
    cursor.execute(
        """
        INSERT INTO api_keys (key_id, digest, prefix, user_id, name, live, scopes, endpoints,
                              per_minute, per_hour, max_concurrent_runs, daily_cap_usd,
                              monthly_cap_usd, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            key.key_id,
            digest,
            prefix,
            key.user_id,
            key.name,
            key.live,
            key.scopes,
            key.endpoints,
            key.per_minute,
            key.per_hour,
            key.max_concurrent_runs,
            key.daily_cap_usd,
            key.monthly_cap_usd,
            expires_at,
        ),
    )


def find(cursor: Cursor, digest: bytes) -> ApiKey | None:
    """Return the key with that SHA-256, if it is active, not expired and not revoked.

    For a while after a rotation the key answers to two secrets.
    """
    cursor.execute(
        f"""
        SELECT {_KEY} FROM api_keys
        WHERE (digest = %(digest)s OR (old_digest = %(digest)s AND old_expires_at > now()))
          AND active AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
        """,  # noqa: S608 - the columns above
        {"digest": digest},
    )
    row = cursor.fetchone()
    return ApiKey(**row) if row else None


def owner(cursor: Cursor, user_id: str, endpoint: str) -> ApiKey | None:
    """Return the key that speaks for a user who sends none, if one of theirs allows the endpoint.

    A live one before a test key, the newest before older ones.
    """
    cursor.execute(
        f"""
        SELECT {_KEY} FROM api_keys
        WHERE user_id = %s AND active AND revoked_at IS NULL
          AND (expires_at IS NULL OR expires_at > now())
        ORDER BY live DESC, created_at DESC, key_id DESC
        """,  # noqa: S608 - the columns above
        (user_id,),
    )
    found = (ApiKey(**row) for row in cursor.fetchall())
    return next((key for key in found if key.allows(endpoint)), None)


def get(cursor: Cursor, key_id: str) -> KeyRecord:
    """Return a key with its life; raises NotFound."""
    cursor.execute(
        f"SELECT {_KEY}, {_LIFE} FROM api_keys k WHERE key_id = %s",  # noqa: S608 - the columns above
        (key_id,),
    )
    row = cursor.fetchone()
    if row is None:
        raise NotFound("There is no such API key.")
    return KeyRecord(**row)


def page(cursor: Cursor, *, user_id: str | None, limit: int, before: str | None) -> list[KeyRecord]:
    """Return keys, of that user if one is given, newest first, older than the key `before`."""
    cursor.execute(
        f"""
        SELECT {_KEY}, {_LIFE} FROM api_keys k
        WHERE (%(user)s::text IS NULL OR user_id = %(user)s)
          AND (%(before)s::text IS NULL OR key_id < %(before)s)
        ORDER BY key_id DESC LIMIT %(limit)s
        """,  # noqa: S608 - the columns above
        {"user": user_id, "before": before, "limit": limit},
    )
    return [KeyRecord(**row) for row in cursor.fetchall()]


def change(cursor: Cursor, key_id: str, columns: dict[str, Any]) -> None:
    """Set columns of a key; raises NotFound, or Conflict for one that is revoked."""
    assignments = [
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
    ]
    cursor.execute(
        sql.SQL(
            "UPDATE api_keys SET {} WHERE key_id = %(key)s AND revoked_at IS NULL RETURNING key_id"
        ).format(sql.SQL(", ").join(assignments)),
        {**columns, "key": key_id},
    )
    _need_one(cursor, key_id)


def rotate(cursor: Cursor, key_id: str, *, digest: bytes, prefix: str, grace_seconds: int) -> None:
    """Give a key a new secret; the old one lives on for a while. Raises NotFound or Conflict.

    While an old secret still lives, rotating again replaces the newer one, which nobody may have
    received: a repeated call never cuts off the secret that is in use.
    """
    cursor.execute(
        """
        UPDATE api_keys
        SET old_digest = CASE WHEN old_expires_at > now() THEN old_digest ELSE digest END,
            old_expires_at = now() + %(grace)s * interval '1 second',
            digest = %(digest)s, prefix = %(prefix)s, rotated_at = now()
        WHERE key_id = %(key)s AND revoked_at IS NULL
        RETURNING key_id
        """,
        {"key": key_id, "digest": digest, "prefix": prefix, "grace": grace_seconds},
    )
    _need_one(cursor, key_id)


def revoke(cursor: Cursor, key_id: str) -> None:
    """End a key for good, with the next request; doing it again changes nothing."""
    cursor.execute(
        """
        UPDATE api_keys SET active = false, revoked_at = COALESCE(revoked_at, now())
        WHERE key_id = %s
        """,
        (key_id,),
    )
    if cursor.rowcount != 1:
        raise NotFound("There is no such API key.")


def _need_one(cursor: Cursor, key_id: str) -> None:
    """Say why nothing was changed, if nothing was."""
    if cursor.rowcount == 1:
        return
    get(cursor, key_id)
    raise Conflict("This API key is revoked, which is for good; mint another.", code="key.revoked")
