"""SQL of deleting videos. Rows go at once; what was paid stays in the ledger and in `spend`.

A worker may still be at a step when its video is deleted. It finds no row to write to, but may
leave an object, and what its call cost comes late: so a deleted video is remembered until its last
worker is certainly dead, and then looked after once more.
"""

from dataclasses import dataclass

from common.database import Cursor, budget, idempotency

# The longest step is stopped after a quarter of an hour.
_WORKER_MINUTES = 20


@dataclass(frozen=True, slots=True)
class Deleted:
    """A video that is gone, and where its media lay."""

    session_id: str
    user_id: str


def delete(cursor: Cursor, session_id: str) -> bool:
    """Delete the video with everything that was made of it; False while a run of it goes on."""
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
    idempotency.forget_answers(cursor, session_id)
    cursor.execute("DELETE FROM video_sessions WHERE session_id = %s", (session_id,))
    return True


def due(cursor: Cursor, limit: int) -> list[Deleted]:
    """Return deleted videos whose last worker is dead, and that were not looked after since."""
    cursor.execute(
        """
        SELECT session_id, user_id FROM deleted_videos
        WHERE erased_at IS NULL AND deleted_at < now() - %s * interval '1 minute'
        ORDER BY deleted_at LIMIT %s
        """,
        (_WORKER_MINUTES, limit),
    )
    return [Deleted(**row) for row in cursor.fetchall()]


def erased(cursor: Cursor, session_id: str) -> None:
    """Note that nothing is left of the video, and count what its late calls cost."""
    budget.settle_deleted(cursor, session_id)
    cursor.execute(
        "UPDATE deleted_videos SET erased_at = now() WHERE session_id = %s", (session_id,)
    )
