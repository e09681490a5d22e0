"""SQL of idempotency keys: the response to a key is stored in the transaction of its request."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2.extras import Json

from common.database import Cursor

KEEP_HOURS = 24


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """The response to an idempotency key. `body` is None if its video was deleted."""

    fingerprint: bytes
    session_id: str | None
    status: int
    headers: Mapping[str, str]
    body: str | None


def lock(cursor: Cursor, key: bytes) -> bool:
    """Take an advisory lock on the key until the transaction ends; return False if it is taken.

    PostgreSQL releases the lock when the connection ends, so a crashed worker leaves no key in
    progress.
    """
    number = int.from_bytes(key[:8], signed=True)
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s) AS taken", (number,))
    row = cursor.fetchone()
    return bool(row and row["taken"])


def find(cursor: Cursor, key: bytes) -> StoredResponse | None:
    """Return the stored response to the key, or None if there is none or it has expired."""
    cursor.execute(
        """
        SELECT fingerprint, session_id, status, headers, body FROM idempotency_keys
        WHERE id = %s AND expires_at > now()
        """,
        (key,),
    )
    row = cursor.fetchone()
    return StoredResponse(**{**row, "fingerprint": bytes(row["fingerprint"])}) if row else None


def store(cursor: Cursor, key: bytes, response: StoredResponse) -> None:
    """Store the response to the key, replacing an expired one."""
    cursor.execute(
        """
        INSERT INTO idempotency_keys (id, fingerprint, session_id, status, headers, body,
                                      expires_at)
        VALUES (%s, %s, %s, %s, %s, %s, now() + %s * interval '1 hour')
        ON CONFLICT (id) DO UPDATE
        SET fingerprint = excluded.fingerprint, session_id = excluded.session_id,
            status = excluded.status, headers = excluded.headers, body = excluded.body,
            created_at = now(), expires_at = excluded.expires_at
        """,
        (
            key,
            response.fingerprint,
            response.session_id,
            response.status,
            Json(dict(response.headers)),
            response.body,
            KEEP_HOURS,
        ),
    )


def clear_responses(cursor: Cursor, session_id: str) -> None:
    """Clear the stored responses about a video; the keys stay, so that none creates another."""
    cursor.execute("UPDATE idempotency_keys SET body = NULL WHERE session_id = %s", (session_id,))


def delete_expired(cursor: Cursor, limit: int) -> int:
    """Delete at most `limit` expired keys; return the number of deleted keys."""
    cursor.execute(
        """
        DELETE FROM idempotency_keys WHERE id IN (
            SELECT id FROM idempotency_keys WHERE expires_at <= now() LIMIT %s
            FOR UPDATE SKIP LOCKED
        )
        """,
        (limit,),
    )
    return cursor.rowcount
