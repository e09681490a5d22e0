"""SQL of a video's status, which follows from what exists."""

from common.database import Cursor


def refresh(cursor: Cursor, session_id: str) -> None:
    """Store the video's status as it is now (`video_status`, migration 0013).

    To be called whenever a run is stored or ends, and when something is finished after its run.
    """
    cursor.execute(
        """
        UPDATE video_sessions SET status = video_status(session_id), updated_at = now()
        WHERE session_id = %s
        """,
        (session_id,),
    )
