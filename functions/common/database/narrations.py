"""SQL of what is said in the scenes of a narrated video."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from psycopg2.extras import Json

from common.database import Cursor
from common.domain.errors import NotFound
from common.domain.video import Story


@dataclass(frozen=True, slots=True)
class Narration:
    """What is said in one scene; `seconds` is how long it takes as spoken.

    `warnings` tell the owner what differs from the request.
    """

    scene_number: int
    text: str
    status: str
    audio_key: str | None
    seconds: Decimal | None
    cost_usd: Decimal
    error: dict[str, Any] | None
    warnings: list[str] = field(default_factory=list)


def insert(cursor: Cursor, session_id: str, story: Story) -> None:
    """Store what is to be said in each scene; once."""
    for scene in story.scenes:
        if scene.narration:
            cursor.execute(
                """
                INSERT INTO video_narrations (session_id, scene_number, text, warnings)
                VALUES (%s, %s, %s, %s)
                ON CONFLICT (session_id, scene_number) DO NOTHING
                """,
                (session_id, scene.number, scene.narration, Json(list(scene.warnings))),
            )


def of_video(cursor: Cursor, session_id: str) -> dict[int, Narration]:
    """Return what is said, by scene; empty where nobody speaks."""
    cursor.execute(
        """
        SELECT scene_number, text, status, audio_key, seconds, cost_usd, error, warnings
        FROM video_narrations WHERE session_id = %s ORDER BY scene_number
        """,
        (session_id,),
    )
    return {row["scene_number"]: Narration(**row) for row in cursor.fetchall()}


def warnings(spoken: Mapping[int, Narration]) -> list[str]:
    """Return the warnings of all scenes in order, each once."""
    found = (warning for _, one in sorted(spoken.items()) for warning in one.warnings)
    return list(dict.fromkeys(found))


def of_scene(cursor: Cursor, session_id: str, scene: int) -> Narration:
    """Return what is said in a scene; raises NotFound."""
    found = of_video(cursor, session_id).get(scene)
    if found is None:
        raise NotFound("Nothing is said in the scene.")
    return found


def set_text(cursor: Cursor, session_id: str, scene: int, text: str) -> None:
    """Change what is said in a scene, unless it is spoken."""
    cursor.execute(
        """
        UPDATE video_narrations SET text = %s, updated_at = now()
        WHERE session_id = %s AND scene_number = %s AND status <> 'succeeded'
        """,
        (text, session_id, scene),
    )


def start(cursor: Cursor, session_id: str, scene: int) -> None:
    """Mark it as being spoken, unless it is."""
    _update(cursor, session_id, scene, "running")


def finish(
    cursor: Cursor,
    session_id: str,
    scene: int,
    *,
    key: str,
    seconds: float,
    usd: Decimal,
    warnings: Sequence[str] = (),
) -> None:
    """Mark it as spoken, and add the warnings to those that it has."""
    cursor.execute(
        """
        UPDATE video_narrations SET status = 'succeeded', error = NULL, audio_key = %s,
               seconds = %s, cost_usd = %s, warnings = warnings || %s, updated_at = now()
        WHERE session_id = %s AND scene_number = %s AND status <> 'succeeded'
        """,
        (key, seconds, usd, Json(list(warnings)), session_id, scene),
    )


def fail(cursor: Cursor, session_id: str, scene: int, error: dict[str, Any]) -> None:
    """Mark it as failed, unless it is spoken."""
    _update(cursor, session_id, scene, "failed", error)


def cancel(cursor: Cursor, session_id: str) -> None:
    """Mark what is not spoken yet as canceled."""
    cursor.execute(
        """
        UPDATE video_narrations SET status = 'canceled', updated_at = now()
        WHERE session_id = %s AND status IN ('queued', 'running')
        """,
        (session_id,),
    )


def _update(
    cursor: Cursor, session_id: str, scene: int, status: str, error: dict[str, Any] | None = None
) -> None:
    cursor.execute(
        """
        UPDATE video_narrations SET status = %s, error = %s, updated_at = now()
        WHERE session_id = %s AND scene_number = %s AND status <> 'succeeded'
        """,
        (status, Json(error) if error else None, session_id, scene),
    )
