"""SQL of the scenes of a video: one image and one clip per scene, each in versions."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from psycopg2 import sql
from psycopg2.extras import Json

from common.database import Cursor, narrations
from common.domain.errors import NotFound
from common.domain.video import Story


@dataclass(frozen=True, slots=True)
class SceneImage:
    """One version of the image of a scene."""

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
    style: str | None
    mood: str | None
    reference_key: str | None


@dataclass(frozen=True, slots=True)
class Clip:
    """One version of the clip of a scene.

    If `ratio` or `clip_seconds` is None, the value of the video applies.
    """

    clip_number: int
    version: int
    status: str
    video_key: str | None
    frames: int | None
    cost_usd: Decimal
    error: dict[str, Any] | None
    optimized_prompt: str | None
    ratio: str | None
    clip_seconds: int | None


TABLES = {"image": ("video_frames", "frame_number"), "clip": ("video_clips", "clip_number")}
StepKind = Literal["image", "clip"]

_FRAME = """frame_number, version, timestamp, description, prompt, motion_prompt, status,
    image_key, cost_usd, error, style, mood, reference_key"""
_CLIP = """clip_number, version, status, video_key, frames, cost_usd, error, optimized_prompt,
    ratio, clip_seconds"""
_NO_SCENE = "The video has no such scene."
Size = tuple[int | None, int | None]  # width and height in pixels
_NOT_MEASURED: Size = (None, None)


def insert_story(cursor: Cursor, session_id: str, story: Story, style: str, mood: str) -> None:
    """Store the story, with a queued image and clip for each scene; idempotent."""
    cursor.execute(
        """
        UPDATE video_sessions SET story_title = %s, story_overview = %s, updated_at = now()
        WHERE session_id = %s AND story_title IS NULL
        """,
        (story.title, story.overview, session_id),
    )
    narrations.insert(cursor, session_id, story)
    for scene in story.scenes:
        cursor.execute(
            """
            INSERT INTO video_frames (session_id, frame_number, timestamp, description, prompt,
                motion_prompt, scene_story, story_title, story_overview, style, mood)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (session_id, frame_number, version) DO NOTHING
            """,
            (
                session_id,
                scene.number,
                scene.timestamp,
                scene.description,
                scene.image_prompt,
                scene.motion_prompt,
                scene.description,
                story.title,
                story.overview,
                style,
                mood,
            ),
        )
        cursor.execute(
            """
            INSERT INTO video_clips (session_id, clip_number, start_frame, end_frame,
                                     optimized_prompt)
            VALUES (%s, %s, %s, %s, %s)
            ON CONFLICT (session_id, clip_number, version) DO NOTHING
            """,
            (session_id, scene.number, scene.number, scene.number, scene.motion_prompt),
        )


def images(cursor: Cursor, session_id: str) -> list[SceneImage]:
    """Return the newest version of each scene's image, in scene order."""
    cursor.execute(
        f"""
        SELECT DISTINCT ON (frame_number) {_FRAME}
        FROM video_frames WHERE session_id = %s ORDER BY frame_number, version DESC
        """,  # noqa: S608 - the columns are a constant of this module
        (session_id,),
    )
    return [SceneImage(**row) for row in cursor.fetchall()]


def first_version_images(cursor: Cursor, session_id: str) -> list[SceneImage]:
    """Return the first version of each scene's image, as the story describes it, in scene order."""
    cursor.execute(
        f"""
        SELECT {_FRAME} FROM video_frames
        WHERE session_id = %s AND version = 1 ORDER BY frame_number
        """,  # noqa: S608 - the columns are a constant of this module
        (session_id,),
    )
    return [SceneImage(**row) for row in cursor.fetchall()]


def image(cursor: Cursor, session_id: str, scene: int, version: int | None = None) -> SceneImage:
    """Return a version of a scene's image, the newest by default; raises NotFound."""
    cursor.execute(
        f"""
        SELECT {_FRAME} FROM video_frames
        WHERE session_id = %(video)s AND frame_number = %(scene)s
          AND (%(version)s::int IS NULL OR version = %(version)s)
        ORDER BY version DESC LIMIT 1
        """,  # noqa: S608 - the columns are a constant of this module
        {"video": session_id, "scene": scene, "version": version},
    )
    row = cursor.fetchone()
    if row is None:
        raise NotFound(_NO_SCENE)
    return SceneImage(**row)


def clips(cursor: Cursor, session_id: str) -> list[Clip]:
    """Return the newest version of each scene's clip, in scene order."""
    cursor.execute(
        f"""
        SELECT DISTINCT ON (clip_number) {_CLIP}
        FROM video_clips WHERE session_id = %s ORDER BY clip_number, version DESC
        """,  # noqa: S608 - the columns are a constant of this module
        (session_id,),
    )
    return [Clip(**row) for row in cursor.fetchall()]


def clip(cursor: Cursor, session_id: str, scene: int, version: int | None = None) -> Clip:
    """Return a version of a scene's clip, the newest by default; raises NotFound."""
    cursor.execute(
        f"""
        SELECT {_CLIP} FROM video_clips
        WHERE session_id = %(video)s AND clip_number = %(scene)s
          AND (%(version)s::int IS NULL OR version = %(version)s)
        ORDER BY version DESC LIMIT 1
        """,  # noqa: S608 - the columns are a constant of this module
        {"video": session_id, "scene": scene, "version": version},
    )
    row = cursor.fetchone()
    if row is None:
        raise NotFound(_NO_SCENE)
    return Clip(**row)


def finished_images(cursor: Cursor, session_id: str) -> dict[int, SceneImage]:
    """Return the newest finished image of each scene that has one, by scene number."""
    cursor.execute(
        f"""
        SELECT DISTINCT ON (frame_number) {_FRAME} FROM video_frames
        WHERE session_id = %s AND status = 'succeeded' AND invalidated_at IS NULL
        ORDER BY frame_number, version DESC
        """,  # noqa: S608 - the columns are a constant of this module
        (session_id,),
    )
    return {row["frame_number"]: SceneImage(**row) for row in cursor.fetchall()}


def finished_clips(cursor: Cursor, session_id: str) -> dict[int, Clip]:
    """Return the newest finished clip of each scene that has one, by scene number."""
    cursor.execute(
        f"""
        SELECT DISTINCT ON (clip_number) {_CLIP} FROM video_clips
        WHERE session_id = %s AND status = 'succeeded' AND invalidated_at IS NULL
        ORDER BY clip_number, version DESC
        """,  # noqa: S608 - the columns are a constant of this module
        (session_id,),
    )
    return {row["clip_number"]: Clip(**row) for row in cursor.fetchall()}


def current_version(cursor: Cursor, kind: StepKind, session_id: str, scene: int) -> int | None:
    """Return the version of a scene's image or clip that the whole video uses.

    That is the newest finished version; without one, the newest version. None if there is no
    version.
    """
    table, number = TABLES[kind]
    cursor.execute(
        sql.SQL(
            "SELECT version FROM {table} WHERE session_id = %s AND {number} = %s "
            "ORDER BY status = 'succeeded' AND invalidated_at IS NULL DESC, version DESC LIMIT 1"
        ).format(table=sql.Identifier(table), number=sql.Identifier(number)),
        (session_id, scene),
    )
    row = cursor.fetchone()
    return row["version"] if row else None


def invalidate(cursor: Cursor, kind: StepKind, session_id: str, scene: int) -> None:
    """Invalidate the scene's finished images or clips, because a new one will be made."""
    table, number = TABLES[kind]
    cursor.execute(
        sql.SQL(
            "UPDATE {table} SET invalidated_at = now() "
            "WHERE session_id = %s AND {number} = %s AND status = 'succeeded'"
        ).format(table=sql.Identifier(table), number=sql.Identifier(number)),
        (session_id, scene),
    )


def set_prompt(
    cursor: Cursor, kind: StepKind, session_id: str, scene: int, version: int, prompt: str
) -> None:
    """Change the prompt of an image or clip that is not finished."""
    change = {"image": "prompt = %s", "clip": "optimized_prompt = %s"}[kind]
    _update(cursor, kind, session_id, scene, version, change, (prompt,))


def set_motion(cursor: Cursor, session_id: str, scene: int, prompt: str) -> None:
    """Change the motion prompt of the scene's newest image, which the API shows with the scene."""
    cursor.execute(
        """
        UPDATE video_frames f SET motion_prompt = %(prompt)s, updated_at = now()
        WHERE session_id = %(video)s AND frame_number = %(scene)s AND version = (
            SELECT max(version) FROM video_frames
            WHERE session_id = f.session_id AND frame_number = f.frame_number)
        """,
        {"prompt": prompt, "video": session_id, "scene": scene},
    )


def start(cursor: Cursor, kind: StepKind, session_id: str, scene: int, version: int) -> None:
    """Mark an image or clip as running unless it is finished."""
    _update(cursor, kind, session_id, scene, version, "status = 'running', error = NULL", ())


def finish_image(
    cursor: Cursor,
    session_id: str,
    scene: int,
    version: int,
    *,
    key: str,
    usd: Decimal,
    size: Size = _NOT_MEASURED,
) -> None:
    """Mark an image as finished, with its S3 key, cost and size in pixels."""
    _update(
        cursor,
        "image",
        session_id,
        scene,
        version,
        "status = 'succeeded', error = NULL, image_key = %s, cost_usd = %s, width = %s, "
        "height = %s",
        (key, usd, *size),
    )


def finish_clip(
    cursor: Cursor,
    session_id: str,
    scene: int,
    version: int,
    *,
    key: str,
    frames: int,
    usd: Decimal,
    size: Size = _NOT_MEASURED,
    seconds: float | None = None,
    has_sound: bool | None = None,
) -> None:
    """Mark a clip as finished, with its S3 key, cost, and the properties of the decoded video."""
    _update(
        cursor,
        "clip",
        session_id,
        scene,
        version,
        "status = 'succeeded', error = NULL, video_key = %s, frames = %s, cost_usd = %s, "
        "width = %s, height = %s, seconds = %s, has_sound = %s",
        (key, frames, usd, *size, seconds, has_sound),
    )


def fail(
    cursor: Cursor,
    kind: StepKind,
    session_id: str,
    scene: int,
    error: dict[str, Any],
    version: int | None = None,
) -> None:
    """Mark one version, or all, of a scene's image or clip as failed unless it is finished."""
    table, number = TABLES[kind]
    cursor.execute(
        sql.SQL(
            "UPDATE {table} SET status = 'failed', error = %(error)s, updated_at = now() "
            "WHERE session_id = %(video)s AND {number} = %(scene)s AND status <> 'succeeded' "
            "AND (%(version)s::int IS NULL OR version = %(version)s)"
        ).format(table=sql.Identifier(table), number=sql.Identifier(number)),
        {"error": Json(error), "video": session_id, "scene": scene, "version": version},
    )


def cancel(cursor: Cursor, session_id: str) -> None:
    """Mark the video's queued and running images and clips as canceled; a later run restarts them.

    If the worker of a canceled step still finishes it, the step is marked as finished, because it
    is paid for.
    """
    for table, _ in TABLES.values():
        cursor.execute(
            sql.SQL(
                "UPDATE {table} SET status = 'canceled', updated_at = now() "
                "WHERE session_id = %s AND status IN ('queued', 'running')"
            ).format(table=sql.Identifier(table)),
            (session_id,),
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
    table, number = TABLES[kind]
    cursor.execute(
        sql.SQL(
            "UPDATE {table} SET {change}, updated_at = now() WHERE session_id = %s "
            "AND {number} = %s AND version = %s AND status <> 'succeeded'"
        ).format(
            table=sql.Identifier(table), change=sql.SQL(change), number=sql.Identifier(number)
        ),
        (*values, session_id, scene, version),
    )
