"""SQL of API keys: create, look up, update, rotate and revoke. `limits` counts their use."""

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
        """Return whether the key may call `METHOD /path`; `*` is a wildcard, as in IAM."""
        return any(fnmatchcase(endpoint, allowed) for allowed in self.endpoints)

    def caller(self) -> Caller:
        """Return the authenticated caller that the key stands for."""
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
    """A key with its life cycle. `old_expires_at` is when the previous secret expires."""

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
# The rate limiter records the last use with each request.
_LIFE = """prefix, active, created_at, expires_at, rotated_at, revoked_at,
    CASE WHEN old_expires_at > now() THEN old_expires_at END AS old_expires_at,
    (SELECT r.last_used_at FROM key_requests r WHERE r.key_id = k.key_id
     ORDER BY r.day DESC LIMIT 1) AS last_used_at"""


def insert(
    cursor: Cursor, key: ApiKey, *, digest: bytes, prefix: str, expires_at: datetime | None
) -> None:
    """Store a new key; of its secret only `digest` (SHA-256) and `prefix` are stored."""
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
    """Return the key with the digest (SHA-256) if it is active, not expired and not revoked.

    During the grace period after a rotation both secrets are valid.
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


def key_of_user(cursor: Cursor, user_id: str, endpoint: str) -> ApiKey | None:
    """Return the key that represents a user whose request carries none, as in the inbox.

    Live keys take precedence over test keys, newer keys over older ones. Returns None if no active
    key of the user allows the endpoint.
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
    keys = (ApiKey(**row) for row in cursor.fetchall())
    return next((key for key in keys if key.allows(endpoint)), None)


def get(cursor: Cursor, key_id: str) -> KeyRecord:
    """Return a key with its life cycle; raises NotFound."""
    cursor.execute(
        f"SELECT {_KEY}, {_LIFE} FROM api_keys k WHERE key_id = %s",  # noqa: S608 - the columns above
        (key_id,),
    )
    row = cursor.fetchone()
    if row is None:
        raise NotFound("The API key does not exist.")
    return KeyRecord(**row)


def page(cursor: Cursor, *, user_id: str | None, limit: int, before: str | None) -> list[KeyRecord]:
    """Return a page of keys, newest first, starting after the key `before`.

    With `user_id`, only keys of that user.
    """
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
    """Update columns of a key; raises NotFound, or Conflict if the key is revoked."""
    assignments = [
        sql.SQL("{} = {}").format(sql.Identifier(name), sql.Placeholder(name)) for name in columns
    ]
    cursor.execute(
        sql.SQL(
            "UPDATE api_keys SET {} WHERE key_id = %(key)s AND revoked_at IS NULL RETURNING key_id"
        ).format(sql.SQL(", ").join(assignments)),
        {**columns, "key": key_id},
    )
    _require_updated(cursor, key_id)


def rotate(cursor: Cursor, key_id: str, *, digest: bytes, prefix: str, grace_seconds: int) -> None:
    """Give a key a new secret; the old one stays valid for a grace period.

    During the grace period another rotation replaces the newer secret, because the response that
    carried it may have been lost: a repeated call never invalidates the secret that is in use.
    Raises NotFound, or Conflict if the key is revoked.
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
    _require_updated(cursor, key_id)


def revoke(cursor: Cursor, key_id: str) -> None:
    """Revoke a key permanently, effective with the next request; idempotent. Raises NotFound."""
    cursor.execute(
        """
        UPDATE api_keys SET active = false, revoked_at = COALESCE(revoked_at, now())
        WHERE key_id = %s
        """,
        (key_id,),
    )
    if cursor.rowcount != 1:
        raise NotFound("The API key does not exist.")


def _require_updated(cursor: Cursor, key_id: str) -> None:
    """Raise NotFound or Conflict if the statement updated no row."""
    if cursor.rowcount == 1:
        return
    get(cursor, key_id)
    raise Conflict(
        "This API key is revoked, which cannot be undone. Create a new key.", code="key.revoked"
    )
