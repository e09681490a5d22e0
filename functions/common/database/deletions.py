"""SQL of deleting videos. Rows are deleted at once; costs stay in the ledger and in `spend`.

A worker may still be running a step of a video that is being deleted. It finds no row to update,
but it may store an object, and the cost of its call is settled late. A tombstone in
`deleted_videos` therefore remains until the last worker has certainly ended; then the sweeper
cleans up again.
"""

from dataclasses import dataclass

from common.database import Cursor, budget, idempotency

# Lambda stops the longest step after 15 minutes.
_WORKER_MINUTES = 20


@dataclass(frozen=True, slots=True)
class DeletedVideo:
    """A deleted video whose media objects have to be erased."""

    session_id: str
    user_id: str


def delete(cursor: Cursor, session_id: str) -> bool:
    """Delete the video and all its rows; return False, and delete nothing, while a run is open."""
    cursor.execute("SELECT 1 FROM video_sessions WHERE session_id = %s FOR UPDATE", (session_id,))
    cursor.execute(
        "SELECT 1 FROM runs WHERE session_id = %s AND status IN ('queued', 'running')",
        (session_id,),
    )
    if cursor.fetchone():
        return False
    cursor.execute(
        """
        INSERT INTO deleted_videos (session_id, user_id, key_id, settled_usd, counted_at)
        SELECT s.session_id, s.user_id, COALESCE(r.key_id, s.key_id), s.settled_usd, r.created_at
        FROM video_sessions s JOIN runs r USING (session_id)
        WHERE s.session_id = %s ORDER BY r.created_at DESC LIMIT 1
        """,
        (session_id,),
    )
    idempotency.clear_responses(cursor, session_id)
    cursor.execute("DELETE FROM video_sessions WHERE session_id = %s", (session_id,))
    return True


def due(cursor: Cursor, limit: int) -> list[DeletedVideo]:
    """Return deleted videos, oldest first, whose last worker has ended and that are not erased."""
    cursor.execute(
        """
        SELECT session_id, user_id FROM deleted_videos
        WHERE erased_at IS NULL AND deleted_at < now() - %s * interval '1 minute'
        ORDER BY deleted_at LIMIT %s
        """,
        (_WORKER_MINUTES, limit),
    )
    return [DeletedVideo(**row) for row in cursor.fetchall()]


def mark_erased(cursor: Cursor, session_id: str) -> None:
    """Mark the video's media as erased, and count the cost of its late calls."""
    budget.settle_deleted(cursor, session_id)
    cursor.execute(
        "UPDATE deleted_videos SET erased_at = now() WHERE session_id = %s", (session_id,)
    )
