"""SQL of a video's status, which is derived from its runs and media."""

from common.database import Cursor


def refresh(cursor: Cursor, session_id: str) -> None:
    """Recompute and store the video's status (function `video_status`, migration 0013).

    Call this when a run is stored or ends, and when a step finishes after its run has ended.
    """
    cursor.execute(
        """
        UPDATE video_sessions SET status = video_status(session_id), updated_at = now()
        WHERE session_id = %s
        """,
        (session_id,),
    )
