"""SQL of API keys and their request limits."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from common.database import Cursor


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A managed API key, without the key itself. `endpoints` are `METHOD /path` or `*`."""

    key_id: str
    user_id: str
    name: str
    live: bool
    scopes: list[str]
    endpoints: list[str]
    per_minute: int
    per_hour: int
    daily_cap_usd: Decimal | None = None
    monthly_cap_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """How often a key was used in the running minute or hour, and when that one ends."""

    period: str
    count: int
    resets_in: int


def insert(
    cursor: Cursor, key: ApiKey, *, digest: bytes, prefix: str, expires_at: datetime | None
) -> None:
    """Store a new key by its SHA-256."""
    cursor.execute(
        """
        INSERT INTO api_keys (key_id, digest, prefix, user_id, name, live, scopes, endpoints,
                              per_minute, per_hour, daily_cap_usd, monthly_cap_usd, expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            key.key_id, digest, prefix, key.user_id, key.name, key.live, key.scopes,
            key.endpoints, key.per_minute, key.per_hour, key.daily_cap_usd, key.monthly_cap_usd,
            expires_at,
        ),
    )  # fmt: skip


def find(cursor: Cursor, digest: bytes) -> ApiKey | None:
    """Return the key with that SHA-256, if it is active and not expired."""
    cursor.execute(
        """
        SELECT key_id, user_id, name, live, scopes, endpoints, per_minute, per_hour,
               daily_cap_usd, monthly_cap_usd
        FROM api_keys
        WHERE digest = %s AND active AND (expires_at IS NULL OR expires_at > now())
        """,
        (digest,),
    )
    row = cursor.fetchone()
    return ApiKey(**row) if row else None


def count_request(cursor: Cursor, key_id: str) -> list[Window]:
    """Count one request and return the running windows, minute first; exact over all callers."""
    cursor.execute(
        """
        INSERT INTO rate_windows AS w (key_id, period, started_at, count)
        VALUES (%(key)s, 'hour', date_trunc('hour', now()), 1),
               (%(key)s, 'minute', date_trunc('minute', now()), 1)
        ON CONFLICT (key_id, period) DO UPDATE
        SET count = CASE WHEN w.started_at = excluded.started_at THEN w.count + 1 ELSE 1 END,
            started_at = excluded.started_at
        RETURNING period, count,
            ceil(extract(epoch FROM started_at + ('1 ' || period)::interval - now()))::int
            AS resets_in
        """,
        {"key": key_id},
    )
    windows = [Window(**row) for row in cursor.fetchall()]
    return sorted(windows, key=lambda window: window.period, reverse=True)
