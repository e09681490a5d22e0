"""SQL of uploads: pending until the file arrives, then ready or refused. `media` lists them."""

from dataclasses import dataclass

from psycopg2.extras import Json

from common.database import Cursor
from common.domain.errors import NotFound, PayloadTooLarge, TooManyRequests
from common.domain.uploads import MOST_PENDING, MOST_PENDING_BYTES, InspectedUpload, Kind

# By then the presigned POST and the object (lifecycle rule on `_uploads/`) have expired.
LOST_AFTER_HOURS = 25
_RETRY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as announced by its owner; `multipart_id` is set for a multipart upload."""

    media_id: str
    user_id: str
    kind: Kind
    media_type: str
    size_bytes: int
    name: str | None = None
    request_id: str | None = None
    multipart_id: str | None = None


def check_pending(cursor: Cursor, user_id: str, size_bytes: int) -> None:
    """Check the owner's limits of pending uploads; raises TooManyRequests or PayloadTooLarge.

    An advisory lock, held until the transaction ends, serializes the owner's announcements.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"uploads:{user_id}",))
    cursor.execute(
        """
        SELECT count(*) AS number, coalesce(sum(size_bytes), 0)::bigint AS bytes
        FROM uploads WHERE user_id = %s AND status = 'pending'
        """,
        (user_id,),
    )
    (pending,) = cursor.fetchall()
    advice = "Nothing was stored. Send or abort some of them, or try again later."
    if pending["number"] >= MOST_PENDING:
        raise TooManyRequests(
            f"You have {pending['number']} pending uploads; the limit is {MOST_PENDING}. {advice}",
            code="upload.too_many_pending",
            retry_after=_RETRY_SECONDS,
        )
    if pending["bytes"] + size_bytes > MOST_PENDING_BYTES:
        raise PayloadTooLarge(
            f"Your pending uploads have {pending['bytes']} bytes; with this one they would exceed "
            f"the limit of {MOST_PENDING_BYTES}. {advice}",
            code="upload.too_many_bytes_pending",
        )


def insert(cursor: Cursor, upload: Upload) -> None:
    """Store an upload as pending."""
    cursor.execute(
        """
        INSERT INTO uploads (media_id, user_id, kind, media_type, size_bytes, name, request_id,
                             multipart_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            upload.media_id,
            upload.user_id,
            upload.kind,
            upload.media_type,
            upload.size_bytes,
            upload.name,
            upload.request_id,
            upload.multipart_id,
        ),
    )


def pending(cursor: Cursor, media_id: str, user_id: str) -> Upload:
    """Return the user's upload if it is still pending; raises NotFound."""
    cursor.execute(
        """
        SELECT media_id, user_id, kind, media_type, size_bytes, name, request_id, multipart_id
        FROM uploads WHERE media_id = %s AND user_id = %s AND status = 'pending'
        """,
        (media_id, user_id),
    )
    row = cursor.fetchone()
    if row is None:
        raise NotFound("No pending upload has this id.")
    return Upload(**row)


def finish(cursor: Cursor, media_id: str, inspected: InspectedUpload) -> bool:
    """Mark a pending upload as ready; return False if it is no longer pending.

    The row stays locked until the transaction ends.
    """
    cursor.execute(
        """
        UPDATE uploads SET status = 'ready', media_type = %s, object_key = %s, size_bytes = %s,
               sha256 = %s, width = %s, height = %s, seconds = %s, has_sound = %s,
               updated_at = now()
        WHERE media_id = %s AND status = 'pending'
        """,
        (
            inspected.media_type,
            inspected.key,
            inspected.size_bytes,
            inspected.sha256,
            inspected.width,
            inspected.height,
            inspected.seconds,
            inspected.has_sound,
            media_id,
        ),
    )
    return cursor.rowcount == 1


def refuse(cursor: Cursor, media_id: str, code: str, detail: str) -> bool:
    """Mark a pending upload as refused; return False if it is no longer pending."""
    cursor.execute(
        """
        UPDATE uploads SET status = 'refused', error = %s, updated_at = now()
        WHERE media_id = %s AND status = 'pending'
        """,
        (Json({"code": code, "detail": detail}), media_id),
    )
    return cursor.rowcount == 1


def refuse_lost(cursor: Cursor) -> int:
    """Mark pending uploads whose file never arrived as refused; return their number."""
    cursor.execute(
        """
        UPDATE uploads SET status = 'refused', error = %s, updated_at = now()
        WHERE status = 'pending' AND created_at < now() - make_interval(hours => %s)
        """,
        (
            Json({"code": "upload.lost", "detail": "No file arrived in time. Upload it again."}),
            LOST_AFTER_HOURS,
        ),
    )
    return cursor.rowcount
