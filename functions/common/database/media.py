"""SQL of the media library: images, clips, merged videos and uploads of a user.

Each kind has its own table; the view `media` is the union of them. Ids begin with a timestamp, so
ordering by id is ordering by time, and an id serves as pagination cursor.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from psycopg2 import sql

from common.database import Cursor
from common.domain.errors import Conflict, NotFound

Kind = Literal["image", "clip", "video", "upload"]


@dataclass(frozen=True, slots=True)
class Media:
    """One media object. Unknown properties are None; `key` is None until the object is ready."""

    media_id: str
    user_id: str
    kind: Kind
    status: Literal["pending", "ready", "refused"]
    media_type: str
    key: str | None
    video_id: str | None
    scene: int | None
    version: int | None
    name: str | None
    size_bytes: int | None
    sha256: str | None
    width: int | None
    height: int | None
    seconds: Decimal | None
    error: dict[str, Any] | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Search:
    """Filters of a media list; None does not filter. `since` is inclusive, `until` is exclusive."""

    kind: Kind | None = None
    video_id: str | None = None
    text: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def get(cursor: Cursor, media_id: str, user_id: str) -> Media:
    """Return one media object of the user; raises NotFound."""
    cursor.execute("SELECT * FROM media WHERE media_id = %s AND user_id = %s", (media_id, user_id))
    return _one(cursor)


def by_key(cursor: Cursor, key: str, user_id: str) -> Media:
    """Return the user's media object with the S3 key; raises NotFound."""
    cursor.execute("SELECT * FROM media WHERE key = %s AND user_id = %s", (key, user_id))
    return _one(cursor)


def of_video(cursor: Cursor, video_id: str) -> list[Media]:
    """Return the media objects of the video that are ready."""
    cursor.execute("SELECT * FROM media WHERE video_id = %s AND key IS NOT NULL", (video_id,))
    return [_media(row) for row in cursor.fetchall()]


def by_epoch(cursor: Cursor, media_id: str, epoch: int) -> Media:
    """Return the media object if `epoch` is the current epoch of its owner; raises NotFound."""
    cursor.execute(
        """
        SELECT m.* FROM media m LEFT JOIN media_epochs e USING (user_id)
        WHERE m.media_id = %s AND coalesce(e.epoch, 0) = %s
        """,
        (media_id, epoch),
    )
    return _one(cursor)


def is_epoch_of_video(cursor: Cursor, video_id: str, epoch: int) -> bool:
    """Return whether the video exists and `epoch` is the current epoch of its owner."""
    cursor.execute(
        """
        SELECT 1 FROM video_sessions s LEFT JOIN media_epochs e USING (user_id)
        WHERE s.session_id = %s AND coalesce(e.epoch, 0) = %s
        """,
        (video_id, epoch),
    )
    return cursor.fetchone() is not None


def page(
    cursor: Cursor, user_id: str, search: Search, *, limit: int, before: str | None
) -> list[Media]:
    """Return a page of the user's media that match the search, newest first.

    `before` is the pagination cursor: only ids below it are returned.
    """
    cursor.execute(
        """
        SELECT * FROM media
        WHERE user_id = %(user)s
          AND (%(before)s::text IS NULL OR media_id < %(before)s)
          AND (%(kind)s::text IS NULL OR kind = %(kind)s)
          AND (%(video)s::text IS NULL OR video_id = %(video)s)
          AND (%(since)s::timestamptz IS NULL OR created_at >= %(since)s)
          AND (%(until)s::timestamptz IS NULL OR created_at < %(until)s)
          AND (%(text)s::text IS NULL OR position(
                lower(normalize(%(text)s, NFKC)) IN lower(normalize(words, NFKC))) > 0)
        ORDER BY media_id DESC LIMIT %(limit)s
        """,
        {
            "user": user_id,
            "before": before,
            "kind": search.kind,
            "video": search.video_id,
            "since": search.since,
            "until": search.until,
            "text": search.text,
            "limit": limit,
        },
    )
    return [_media(row) for row in cursor.fetchall()]


_TABLES: dict[Kind, tuple[str, str | None]] = {
    "image": ("video_frames", "frame_number"),
    "clip": ("video_clips", "clip_number"),
    "video": ("final_videos", None),
}


def has_sound(cursor: Cursor, media: Media) -> bool | None:
    """Return whether the media object has audible sound; None if that is unknown."""
    table = "uploads" if media.kind == "upload" else _TABLES[media.kind][0]
    cursor.execute(
        sql.SQL("SELECT has_sound FROM {} WHERE media_id = %s").format(sql.Identifier(table)),
        (media.media_id,),
    )
    row = cursor.fetchone()
    has_sound: bool | None = row["has_sound"] if row else None
    return has_sound


def delete(cursor: Cursor, media: Media) -> list[str]:
    """Delete the row; return the S3 keys of all objects that belong to it alone.

    Of an image, clip or merged video only a version with a newer one can be deleted; a newer image
    or clip counts if it succeeded. Raises Conflict for the version that the video uses now.
    """
    if media.kind == "upload":
        cursor.execute("DELETE FROM uploads WHERE media_id = %s", (media.media_id,))
        return [media.key] if media.key else []
    table, number = _TABLES[media.kind]
    # A merged video has no scene number and no status: its row is written when it is finished.
    same = sql.SQL(f"AND n.{number} = m.{number} AND n.status = 'succeeded'" if number else "")
    cursor.execute(
        sql.SQL(
            "DELETE FROM {table} m WHERE media_id = %s AND EXISTS (SELECT FROM {table} n "
            "WHERE n.session_id = m.session_id {same} AND n.version > m.version) RETURNING m.*"
        ).format(table=sql.Identifier(table), same=same),
        (media.media_id,),
    )
    row = cursor.fetchone()
    if row is None:
        raise Conflict(
            f"The video {media.video_id} uses this object. Nothing was deleted. Older versions can "
            "be deleted individually. To delete the newest one, delete its video: "
            f"DELETE /v1/videos/{media.video_id}.",
            code="media.in_use",
        )
    related = [row.get("reference_key"), row.get("poster_key")]
    related += [file["key"] for file in row.get("files", [])]
    return sorted({key for key in [media.key, *related] if key})


def is_video_of(cursor: Cursor, video_id: str, user_id: str) -> bool:
    """Return whether the video belongs to the user."""
    cursor.execute(
        "SELECT 1 FROM video_sessions WHERE session_id = %s AND user_id = %s", (video_id, user_id)
    )
    return cursor.fetchone() is not None


def epoch(cursor: Cursor, user_id: str) -> int:
    """Return the user's link epoch: a signed link is valid if it carries this number."""
    cursor.execute("SELECT epoch FROM media_epochs WHERE user_id = %s", (user_id,))
    row = cursor.fetchone()
    return int(row["epoch"]) if row else 0


def request_name(cursor: Cursor, item: Media) -> str | None:
    """Return the `request_id` that the owner gave to the upload, or to the video of the object."""
    cursor.execute(
        """
        SELECT request_id FROM uploads WHERE media_id = %s
        UNION ALL SELECT request_id FROM video_sessions WHERE session_id = %s
        """,
        (item.media_id, item.video_id),
    )
    row = cursor.fetchone()
    return row["request_id"] if row else None


def raise_epoch(cursor: Cursor, user_id: str) -> None:
    """Invalidate all signed links to the user's media."""
    cursor.execute(
        """
        INSERT INTO media_epochs (user_id, epoch) VALUES (%s, 1)
        ON CONFLICT (user_id) DO UPDATE SET epoch = media_epochs.epoch + 1, raised_at = now()
        """,
        (user_id,),
    )


def _one(cursor: Cursor) -> Media:
    row = cursor.fetchone()
    if row is None:
        raise NotFound("The media object does not exist.")
    return _media(row)


def _media(row: Mapping[str, Any]) -> Media:
    return Media(**{name: value for name, value in row.items() if name != "words"})
