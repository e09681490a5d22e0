"""SQL of requests that may be repeated: what a key was answered, stored with what it did."""

from collections.abc import Mapping
from dataclasses import dataclass

from psycopg2.extras import Json

from common.database import Cursor

KEEP_HOURS = 24


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """What a key was answered. `body` is None when the video that it is about was deleted."""

    fingerprint: bytes
    session_id: str | None
    status: int
    headers: Mapping[str, str]
    body: str | None


def lock(cursor: Cursor, key: bytes) -> bool:
    """Take the key until the transaction ends; False while another request has it.

    The lock goes with the connection, so a worker that dies leaves no key in progress.
    """
    number = int.from_bytes(key[:8], signed=True)
    cursor.execute("SELECT pg_try_advisory_xact_lock(%s) AS taken", (number,))
    row = cursor.fetchone()
    return bool(row and row["taken"])


def find(cursor: Cursor, key: bytes) -> StoredResponse | None:
    """Return what the key was answered, unless that is too long ago."""
    cursor.execute(
        """
        SELECT fingerprint, session_id, status, headers, body FROM idempotency_keys
        WHERE id = %s AND expires_at > now()
        """,
        (key,),
    )
    row = cursor.fetchone()
    return StoredResponse(**{**row, "fingerprint": bytes(row["fingerprint"])}) if row else None


def store(cursor: Cursor, key: bytes, answer: StoredResponse) -> None:
    """Store the answer, in place of one that is too old."""
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
            answer.fingerprint,
            answer.session_id,
            answer.status,
            Json(dict(answer.headers)),
            answer.body,
            KEEP_HOURS,
        ),
    )


def forget_answers(cursor: Cursor, session_id: str) -> None:
    """Remove what was said about a video; its keys stay, so that none of them makes another."""
    cursor.execute("UPDATE idempotency_keys SET body = NULL WHERE session_id = %s", (session_id,))


def forget_expired(cursor: Cursor, limit: int) -> int:
    """Remove keys that are too old, at most so many; return how many."""
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
