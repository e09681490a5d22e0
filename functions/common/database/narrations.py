"""SQL of narrations: one spoken text per scene of a narrated video."""

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
    """The narration of one scene.

    `seconds` is the duration of the speech, None until it is synthesized. `warnings` tell the owner
    what differs from the request.
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
    """Store the narration of each scene that has one; idempotent."""
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
    """Return the narrations by scene number; empty if the video is not narrated."""
    cursor.execute(
        """
        SELECT scene_number, text, status, audio_key, seconds, cost_usd, error, warnings
        FROM video_narrations WHERE session_id = %s ORDER BY scene_number
        """,
        (session_id,),
    )
    return {row["scene_number"]: Narration(**row) for row in cursor.fetchall()}


def warnings(narrations: Mapping[int, Narration]) -> list[str]:
    """Return the warnings of all scenes in scene order, without duplicates."""
    in_order = (narration for _, narration in sorted(narrations.items()))
    return list(dict.fromkeys(text for narration in in_order for text in narration.warnings))


def of_scene(cursor: Cursor, session_id: str, scene: int) -> Narration:
    """Return the narration of a scene; raises NotFound."""
    narration = of_video(cursor, session_id).get(scene)
    if narration is None:
        raise NotFound("The scene has no narration.")
    return narration


def set_text(cursor: Cursor, session_id: str, scene: int, text: str) -> None:
    """Change the text of a narration that has not succeeded yet."""
    cursor.execute(
        """
        UPDATE video_narrations SET text = %s, updated_at = now()
        WHERE session_id = %s AND scene_number = %s AND status <> 'succeeded'
        """,
        (text, session_id, scene),
    )


def start(cursor: Cursor, session_id: str, scene: int) -> None:
    """Mark the narration as running unless it has succeeded."""
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
    """Mark the narration as succeeded and append the warnings."""
    cursor.execute(
        """
        UPDATE video_narrations SET status = 'succeeded', error = NULL, audio_key = %s,
               seconds = %s, cost_usd = %s, warnings = warnings || %s, updated_at = now()
        WHERE session_id = %s AND scene_number = %s AND status <> 'succeeded'
        """,
        (key, seconds, usd, Json(list(warnings)), session_id, scene),
    )


def fail(cursor: Cursor, session_id: str, scene: int, error: dict[str, Any]) -> None:
    """Mark the narration as failed unless it has succeeded."""
    _update(cursor, session_id, scene, "failed", error)


def cancel(cursor: Cursor, session_id: str) -> None:
    """Mark the queued and running narrations of the video as canceled."""
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
