"""SQL of the steps of a video: one picture and one clip for each scene, in versions."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, TypeVar

from psycopg2 import sql
from psycopg2.extras import Json

from common.database import Cursor
from common.errors import NotFound
from common.video import Story


@dataclass(frozen=True, slots=True)
class Frame:
    """The picture of a scene, newest version."""

    frame_number: int
    version: int
    timestamp: str
    description: str
    prompt: str
    motion_prompt: str
    status: str
    image_key: str | None
    cost_usd: Decimal
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Clip:
    """The clip of a scene, newest version."""

    clip_number: int
    version: int
    status: str
    video_key: str | None
    frames: int | None
    cost_usd: Decimal
    error: dict[str, Any] | None


_TABLES = {"image": ("video_frames", "frame_number"), "clip": ("video_clips", "clip_number")}
StepKind = Literal["image", "clip"]
Row = TypeVar("Row", Frame, Clip)


def insert_story(cursor: Cursor, session_id: str, story: Story, style: str, mood: str) -> None:
    """Store the story, with a picture and a clip to be made for each scene; once."""
    cursor.execute(
        """
        UPDATE video_sessions SET story_title = %s, story_overview = %s, updated_at = now()
        WHERE session_id = %s AND story_title IS NULL
        """,
        (story.title, story.overview, session_id),
    )
    for scene in story.scenes:
        cursor.execute(
            """
            INSERT INTO video_frames (session_id, frame_number, timestamp, description, prompt,
                motion_prompt, scene_story, story_title, story_overview, style, mood)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (session_id, frame_number, version) DO NOTHING
            """,
            (
                session_id, scene.number, scene.timestamp, scene.description, scene.image_prompt,
                scene.motion_prompt, scene.description, story.title, story.overview, style, mood,
            ),
        )  # fmt: skip
        cursor.execute(
            """
            INSERT INTO video_clips (session_id, clip_number, start_frame, end_frame,
                                     optimized_prompt)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (session_id, clip_number, version) DO NOTHING
            """,
            (session_id, scene.number, scene.number, scene.number, scene.motion_prompt),
        )


def frames(cursor: Cursor, session_id: str) -> list[Frame]:
    """Return the pictures of the video, newest version of each, in order."""
    cursor.execute(
        """
        SELECT DISTINCT ON (frame_number) frame_number, version, timestamp, description, prompt,
               motion_prompt, status, image_key, cost_usd, error
        FROM video_frames WHERE session_id = %s ORDER BY frame_number, version DESC
        """,
        (session_id,),
    )
    return [Frame(**row) for row in cursor.fetchall()]


def frame(cursor: Cursor, session_id: str, scene: int) -> Frame:
    """Return the picture of one scene; raises NotFound."""
    return _one(frames(cursor, session_id), scene - 1)


def clips(cursor: Cursor, session_id: str) -> list[Clip]:
    """Return the clips of the video, newest version of each, in order."""
    cursor.execute(
        """
        SELECT DISTINCT ON (clip_number) clip_number, version, status, video_key, frames,
               cost_usd, error
        FROM video_clips WHERE session_id = %s ORDER BY clip_number, version DESC
        """,
        (session_id,),
    )
    return [Clip(**row) for row in cursor.fetchall()]


def clip(cursor: Cursor, session_id: str, scene: int) -> Clip:
    """Return the clip of one scene; raises NotFound."""
    return _one(clips(cursor, session_id), scene - 1)


def start(cursor: Cursor, kind: StepKind, session_id: str, scene: int, version: int) -> None:
    """Mark a step as running, unless it is finished."""
    _update(cursor, kind, session_id, scene, version, "status = 'running', error = NULL", ())


def finish_image(
    cursor: Cursor, session_id: str, scene: int, version: int, *, key: str, usd: Decimal
) -> None:
    """Mark a picture as finished."""
    _update(
        cursor, "image", session_id, scene, version,
        "status = 'succeeded', error = NULL, image_key = %s, cost_usd = %s", (key, usd),
    )  # fmt: skip


def finish_clip(
    cursor: Cursor,
    session_id: str,
    scene: int,
    version: int,
    *,
    key: str,
    frames: int,
    usd: Decimal,
) -> None:
    """Mark a clip as finished, with the number of its decoded pictures."""
    _update(
        cursor, "clip", session_id, scene, version,
        "status = 'succeeded', error = NULL, video_key = %s, frames = %s, cost_usd = %s",
        (key, frames, usd),
    )  # fmt: skip


def fail(
    cursor: Cursor, kind: StepKind, session_id: str, scene: int, error: dict[str, Any]
) -> None:
    """Mark a step as failed, unless it is finished."""
    table, number = _TABLES[kind]
    cursor.execute(
        sql.SQL(
            "UPDATE {table} SET status = 'failed', error = %s, updated_at = now() "
            "WHERE session_id = %s AND {number} = %s AND status <> 'succeeded'"
        ).format(table=sql.Identifier(table), number=sql.Identifier(number)),
        (Json(error), session_id, scene),
    )


def _update(
    cursor: Cursor,
    kind: StepKind,
    session_id: str,
    scene: int,
    version: int,
    change: str,
    values: Iterable[Any],
) -> None:
    table, number = _TABLES[kind]
    cursor.execute(
        sql.SQL(
            "UPDATE {table} SET {change}, updated_at = now() WHERE session_id = %s "
            "AND {number} = %s AND version = %s AND status <> 'succeeded'"
        ).format(
            table=sql.Identifier(table), change=sql.SQL(change), number=sql.Identifier(number)
        ),
        (*values, session_id, scene, version),
    )


def _one(rows: list[Row], index: int) -> Row:
    if not 0 <= index < len(rows):
        raise NotFound("There is no such scene.")
    return rows[index]
