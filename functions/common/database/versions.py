"""SQL of new versions: images and clips that are requested individually.

The caller holds the row lock of the video, so that concurrent requests get different versions.
"""

from decimal import Decimal

from psycopg2 import sql

from common.database import Cursor
from common.database.scenes import TABLES, Size, StepKind, finish_image

# The run scopes whose targets name versions of the kind.
_SCOPES = {"image": ["image"], "clip": ["clip", "video"]}


def add_image(
    cursor: Cursor,
    session_id: str,
    scene: int,
    *,
    prompt: str,
    timestamp: str,
    style: str,
    mood: str,
    description: str | None = None,
) -> int:
    """Store a queued image; return its version.

    The story fields of the scene's newest version are copied. The description is that of the story;
    without a story it is `description` (shown to people, for example in captions), else the stored
    one, else the prompt. A scene without a clip gets a queued one.
    """
    version = _next_version(cursor, "image", session_id, scene)
    cursor.execute(
        """
        INSERT INTO video_frames (session_id, frame_number, version, timestamp, description, prompt,
            motion_prompt, scene_story, story_title, story_overview, style, mood)
        SELECT %(video)s, %(scene)s, %(version)s, COALESCE(told.timestamp, %(timestamp)s),
               COALESCE(CASE WHEN told.scene_story IS NULL THEN %(description)s::text END,
                        told.description, %(prompt)s), %(prompt)s,
               COALESCE(told.motion_prompt, %(prompt)s), told.scene_story, told.story_title,
               told.story_overview, %(style)s, %(mood)s
        FROM (SELECT) here LEFT JOIN LATERAL (
            SELECT * FROM video_frames
            WHERE session_id = %(video)s AND frame_number = %(scene)s
            ORDER BY version DESC LIMIT 1
        ) told ON true
        ON CONFLICT (session_id, frame_number, version) DO UPDATE
        SET prompt = excluded.prompt, description = excluded.description,
            style = excluded.style, mood = excluded.mood, reference_key = NULL, updated_at = now()
        """,
        {
            "video": session_id,
            "scene": scene,
            "version": version,
            "timestamp": timestamp,
            "prompt": prompt,
            "style": style,
            "mood": mood,
            "description": description,
        },
    )
    cursor.execute(
        """
        INSERT INTO video_clips (session_id, clip_number, start_frame, end_frame)
        SELECT %(video)s, %(scene)s, %(scene)s, %(scene)s
        WHERE NOT EXISTS (
            SELECT FROM video_clips WHERE session_id = %(video)s AND clip_number = %(scene)s)
        """,
        {"video": session_id, "scene": scene},
    )
    return version


def add_reference(cursor: Cursor, session_id: str, scene: int, version: int, key: str) -> None:
    """Set the reference image of a queued image; `key` is its S3 key."""
    cursor.execute(
        """
        UPDATE video_frames SET reference_key = %s
        WHERE session_id = %s AND frame_number = %s AND version = %s
        """,
        (key, session_id, scene, version),
    )


def finish_supplied_image(
    cursor: Cursor, session_id: str, scene: int, version: int, *, key: str, size: Size
) -> None:
    """Mark an image as finished that the client supplied, at no cost."""
    finish_image(cursor, session_id, scene, version, key=key, usd=Decimal(0), size=size)


def add_clip(
    cursor: Cursor,
    session_id: str,
    scene: int,
    *,
    prompt: str,
    ratio: str | None = None,
    clip_seconds: int | None = None,
) -> int:
    """Store a queued clip of the scene; return its version.

    If `ratio` or `clip_seconds` is None, the value of the video applies.
    """
    version = _next_version(cursor, "clip", session_id, scene)
    cursor.execute(
        """
        INSERT INTO video_clips (session_id, clip_number, version, start_frame, end_frame,
                                 optimized_prompt, ratio, clip_seconds)
        VALUES (%(video)s, %(scene)s, %(version)s, %(scene)s, %(scene)s, %(prompt)s, %(ratio)s,
                %(seconds)s)
        ON CONFLICT (session_id, clip_number, version) DO UPDATE
        SET optimized_prompt = excluded.optimized_prompt, ratio = excluded.ratio,
            clip_seconds = excluded.clip_seconds, updated_at = now()
        """,
        {
            "video": session_id,
            "scene": scene,
            "version": version,
            "prompt": prompt,
            "ratio": ratio,
            "seconds": clip_seconds,
        },
    )
    return version


def _next_version(cursor: Cursor, kind: StepKind, session_id: str, scene: int) -> int:
    """Return the newest version number if no run was started for it, else the next number."""
    table, number = TABLES[kind]
    cursor.execute(
        sql.SQL(
            """
            SELECT version, status = 'queued' AND NOT EXISTS (
                SELECT FROM runs r
                WHERE r.session_id = %(video)s AND r.step = ANY(%(parts)s)
                  AND (r.scenes ->> %(scene)s)::int = made.version
            ) AS untouched
            FROM {table} made WHERE session_id = %(video)s AND {number} = %(scene)s::int
            ORDER BY version DESC LIMIT 1
            """
        ).format(table=sql.Identifier(table), number=sql.Identifier(number)),
        {"video": session_id, "scene": str(scene), "parts": _SCOPES[kind]},
    )
    row = cursor.fetchone()
    if row is None:
        return 1
    newest: int = row["version"]
    return newest if row["untouched"] else newest + 1
