"""SQL of uploads: announced, then ready or refused. How they are listed is in `media`."""

from dataclasses import dataclass

from psycopg2.extras import Json

from common.database import Cursor
from common.domain.errors import NotFound, PayloadTooLarge, TooManyRequests
from common.domain.uploads import MOST_PENDING, MOST_PENDING_BYTES, InspectedUpload, Kind

# The form to send it with has long run out, and so has the object itself (the rule on `_uploads/`).
LOST_AFTER_HOURS = 25
_RETRY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload as it was announced."""

    media_id: str
    user_id: str
    kind: Kind
    media_type: str
    size_bytes: int
    name: str | None = None
    request_id: str | None = None
    multipart_id: str | None = None


def check_pending(cursor: Cursor, user_id: str, size_bytes: int) -> None:
    """Check that the owner may announce one more upload of that size.

    Raises TooManyRequests or PayloadTooLarge. Other announcements of the owner wait until the
    transaction ends.
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
    advice = "Send or abort some of them, or try again when they have been looked at."
    if pending["number"] >= MOST_PENDING:
        raise TooManyRequests(
            f"{pending['number']} uploads of yours are announced and not sent; at most "
            f"{MOST_PENDING} may be. {advice}",
            code="upload.too_many_pending",
            retry_after=_RETRY_SECONDS,
        )
    if pending["bytes"] + size_bytes > MOST_PENDING_BYTES:
        raise PayloadTooLarge(
            f"Uploads of yours that are announced and not sent have {pending['bytes']} bytes; "
            f"with this one they would have more than {MOST_PENDING_BYTES}. {advice}",
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
        raise NotFound("There is no such upload that is still to be sent.")
    return Upload(**row)


def finish(cursor: Cursor, media_id: str, found: InspectedUpload) -> bool:
    """Make a pending upload ready; False when it is no longer pending. The row stays locked."""
    cursor.execute(
        """
        UPDATE uploads SET status = 'ready', media_type = %s, object_key = %s, size_bytes = %s,
               sha256 = %s, width = %s, height = %s, seconds = %s, has_sound = %s,
               updated_at = now()
        WHERE media_id = %s AND status = 'pending'
        """,
        (
            found.media_type,
            found.key,
            found.size_bytes,
            found.sha256,
            found.width,
            found.height,
            found.seconds,
            found.has_sound,
            media_id,
        ),
    )
    return cursor.rowcount == 1


def refuse(cursor: Cursor, media_id: str, code: str, detail: str) -> bool:
    """Refuse a pending upload and say why; False when it is no longer pending."""
    cursor.execute(
        """
        UPDATE uploads SET status = 'refused', error = %s, updated_at = now()
        WHERE media_id = %s AND status = 'pending'
        """,
        (Json({"code": code, "detail": detail}), media_id),
    )
    return cursor.rowcount == 1


def refuse_lost(cursor: Cursor) -> int:
    """Refuse the uploads that were announced and never arrived; return how many."""
    cursor.execute(
        """
        UPDATE uploads SET status = 'refused', error = %s, updated_at = now()
        WHERE status = 'pending' AND created_at < now() - make_interval(hours => %s)
        """,
        (
            Json({"code": "upload.lost", "detail": "It did not arrive in time; upload it again."}),
            LOST_AFTER_HOURS,
        ),
    )
    return cursor.rowcount
