"""SQL of the inbox: received objects, the runs that they started, and their results."""

from dataclasses import dataclass
from typing import Any

from psycopg2.extras import Json

from common.database import Cursor


@dataclass(frozen=True, slots=True)
class ReceivedObject:
    """A received object. `problem` is the error of a rejected one."""

    object_id: str
    user_id: str
    object_key: str
    version_id: str
    batch: bool
    problem: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Job:
    """One job of an object, with the state of its run.

    `status` and `error` are None if the video was deleted.
    """

    line: int
    session_id: str
    run_id: str
    status: str | None
    error: dict[str, Any] | None


def insert(cursor: Cursor, received: ReceivedObject) -> bool:
    """Store a received object; return False if an earlier delivery of the event stored it."""
    cursor.execute(
        """
        INSERT INTO inbox_objects (object_id, user_id, object_key, version_id, batch, problem)
        VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (object_id) DO NOTHING
        """,
        (
            received.object_id,
            received.user_id,
            received.object_key,
            received.version_id,
            received.batch,
            Json(received.problem) if received.problem else None,
        ),
    )
    return cursor.rowcount == 1


def insert_job(cursor: Cursor, object_id: str, line: int, session_id: str, run_id: str) -> None:
    """Store the run that a line of the object started."""
    cursor.execute(
        "INSERT INTO inbox_jobs (object_id, line, session_id, run_id) VALUES (%s, %s, %s, %s)",
        (object_id, line, session_id, run_id),
    )


def is_received(cursor: Cursor, object_id: str) -> bool:
    """Return whether the object is stored as received."""
    cursor.execute("SELECT 1 FROM inbox_objects WHERE object_id = %s", (object_id,))
    return cursor.fetchone() is not None


def has_no_reference_image(cursor: Cursor, object_id: str) -> bool:
    """Return whether the object started a video that has no reference image."""
    cursor.execute(
        """
        SELECT 1 FROM inbox_jobs j JOIN video_sessions s USING (session_id)
        WHERE j.object_id = %s AND s.reference_key IS NULL
        """,
        (object_id,),
    )
    return cursor.fetchone() is not None


_DUE = """answered_at IS NULL AND NOT EXISTS (
    SELECT FROM inbox_jobs j JOIN runs r USING (run_id)
    WHERE j.object_id = o.object_id AND r.ended_at IS NULL)"""


def due(cursor: Cursor, *, limit: int, run_id: str | None = None) -> list[str]:
    """Return the ids of objects whose result is due, oldest first.

    A result is due for a rejected object, and for one whose runs have all ended. With `run_id`,
    only the object that started the run is considered.
    """
    cursor.execute(
        f"""
        SELECT object_id FROM inbox_objects o
        WHERE {_DUE} AND (%(run)s::text IS NULL OR EXISTS (
            SELECT FROM inbox_jobs j WHERE j.object_id = o.object_id AND j.run_id = %(run)s))
        ORDER BY received_at LIMIT %(limit)s
        """,  # noqa: S608 - a constant of this module
        {"run": run_id, "limit": limit},
    )
    return [row["object_id"] for row in cursor.fetchall()]


def lock_due(cursor: Cursor, object_id: str) -> ReceivedObject | None:
    """Return the object and lock its row until the transaction ends.

    Returns None if its result is no longer due, or if another worker holds the row lock.
    """
    cursor.execute(
        f"""
        SELECT object_id, user_id, object_key, version_id, batch, problem
        FROM inbox_objects o WHERE {_DUE} AND object_id = %s FOR UPDATE SKIP LOCKED
        """,  # noqa: S608 - a constant of this module
        (object_id,),
    )
    row = cursor.fetchone()
    return ReceivedObject(**row) if row else None


def jobs(cursor: Cursor, object_id: str) -> list[Job]:
    """Return the jobs of the object, in the order of its lines."""
    cursor.execute(
        """
        SELECT j.line, j.session_id, j.run_id, r.status, r.error
        FROM inbox_jobs j LEFT JOIN runs r USING (run_id)
        WHERE j.object_id = %s ORDER BY j.line
        """,
        (object_id,),
    )
    return [Job(**row) for row in cursor.fetchall()]


def replaces_another(cursor: Cursor, object_id: str) -> bool:
    """Return whether the object is the newest received version of its key, with older ones."""
    cursor.execute(
        """
        SELECT count(*) > 1 AND every(o.received_at <= this.received_at) AS replaces
        FROM inbox_objects o JOIN inbox_objects this USING (user_id, object_key)
        WHERE this.object_id = %s
        """,
        (object_id,),
    )
    row = cursor.fetchone()
    return bool(row and row["replaces"])


def mark_result_written(cursor: Cursor, object_id: str) -> None:
    """Mark the result of the object as written to the outbox."""
    cursor.execute(
        "UPDATE inbox_objects SET answered_at = now() WHERE object_id = %s", (object_id,)
    )
