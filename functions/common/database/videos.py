"""SQL of videos and of their merged files."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg2 import sql
from psycopg2.extras import Json

from common.database import Cursor
from common.database.search import EVERYTHING, Search
from common.domain import advice
from common.domain.errors import NotFound
from common.domain.video import TERMINAL, Stage


@dataclass(frozen=True, slots=True)
class VideoRecord:
    """A video as requested: everything that is known at admission."""

    session_id: str
    user_id: str
    original_prompt: str
    frame_count: int
    clip_seconds: int
    ratio: str
    style: str
    mood: str
    seed: int
    reference_key: str | None
    text_provider: str
    text_model: str
    image_provider: str
    image_model: str
    video_provider: str
    video_model: str
    estimated_usd: Decimal
    key_id: str
    max_cost_usd: Decimal | None = None
    on_unknown: str = "fail"
    metadata: dict[str, Any] = field(default_factory=dict)
    output: dict[str, Any] = field(default_factory=dict)
    speech_provider: str | None = None
    speech_model: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Video(VideoRecord):
    """A video with its state. `run_*`, `stage`, `started_at` and `ended_at` are of the latest run.

    `error` is the reason why a failed video failed, or names what it lacks. `source_key` is the S3
    key of the inbox object that requested the video, if any.
    """

    id: int = 0
    status: str = "queued"
    story_title: str | None = None
    story_overview: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    run_id: str = ""
    run_status: str = "queued"
    trace_id: str | None = None
    stage: str = "story"
    error: dict[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    source_key: str | None = None


@dataclass(frozen=True, slots=True)
class FinalVideo:
    """A finished merged video.

    `clip_keys` are the S3 keys of the merged clips. `files` are all files made from them
    (`domain.video.File`), the video first. `parts` describes the treatment of each scene's clip and
    its position. `output` is the requested output (`VideoRecord.output`), and `has_sound` tells if
    the video has audible sound. `warnings` tell the owner what differs from the request. Rows of
    earlier releases have None or empty values.
    """

    version: int
    video_key: str
    poster_key: str
    total_clips: int
    duration: str
    frames: int
    size_bytes: int
    sha256: str
    clip_keys: list[str] | None = None
    files: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    output: dict[str, Any] | None = None
    has_sound: bool | None = None
    warnings: list[str] = field(default_factory=list)


_SELECT = """
    SELECT s.id, s.session_id, s.user_id, s.original_prompt, s.frame_count, s.clip_seconds,
           s.ratio, s.style, s.mood, s.seed, s.reference_key, s.text_provider, s.text_model,
           s.image_provider, s.image_model, s.video_provider, s.video_model, s.estimated_usd,
           s.key_id, s.max_cost_usd, s.on_unknown, s.metadata, s.output, s.speech_provider,
           s.speech_model, s.request_id, s.status,
           s.story_title, s.story_overview, s.created_at, s.updated_at,
           r.run_id, r.status AS run_status, r.trace_id, r.stage, r.started_at, r.ended_at,
           CASE WHEN s.status = 'failed' THEN COALESCE(r.error, u.error) END AS error,
           CASE WHEN s.status = 'failed' AND r.error IS NULL AND u.step = 'all'
                THEN COALESCE(scenes_without_clip(s.session_id), '{}') END AS missing, (
               SELECT o.object_key FROM inbox_jobs j JOIN inbox_objects o USING (object_id)
               WHERE j.session_id = s.session_id
           ) AS source_key
    FROM video_sessions s
    JOIN LATERAL (
        SELECT * FROM runs WHERE session_id = s.session_id ORDER BY created_at DESC LIMIT 1
    ) r ON true
    LEFT JOIN runs u ON s.status = 'failed' AND r.error IS NULL
        AND u.run_id = undone_run(s.session_id)
"""


_MUTABLE = (
    "original_prompt",
    "frame_count",
    "style",
    "mood",
    "seed",
    "text_provider",
    "text_model",
    "image_provider",
    "image_model",
    "video_provider",
    "video_model",
    "speech_provider",
    "speech_model",
    "estimated_usd",
    "max_cost_usd",
    "on_unknown",
)


def insert(cursor: Cursor, video: VideoRecord) -> bool:
    """Store a new video as queued; return False if its owner has one with this `request_id`."""
    cursor.execute(
        """
        INSERT INTO video_sessions (
            session_id, user_id, original_prompt, video_duration, frame_count, clip_seconds, ratio,
            style, mood, seed, reference_key, text_provider, text_model, image_provider,
            image_model, video_provider, video_model, estimated_usd, key_id, max_cost_usd,
            on_unknown, metadata, output, speech_provider, speech_model, request_id)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s,
                %s, %s, %s, %s, %s, %s)
        ON CONFLICT (user_id, request_id) DO NOTHING
        """,
        (
            video.session_id,
            video.user_id,
            video.original_prompt,
            video.frame_count * video.clip_seconds,
            video.frame_count,
            video.clip_seconds,
            video.ratio,
            video.style,
            video.mood,
            video.seed,
            video.reference_key,
            video.text_provider,
            video.text_model,
            video.image_provider,
            video.image_model,
            video.video_provider,
            video.video_model,
            video.estimated_usd,
            video.key_id,
            video.max_cost_usd,
            video.on_unknown,
            Json(video.metadata),
            Json(video.output),
            video.speech_provider,
            video.speech_model,
            video.request_id,
        ),
    )
    return cursor.rowcount == 1


def get(cursor: Cursor, session_id: str, user_id: str | None = None) -> Video:
    """Return the video; raises NotFound.

    With `user_id`, only videos of the user match, by id or by `request_id`.
    """
    if user_id is None:
        condition = "WHERE s.session_id = %(video)s"
    else:
        condition = """
        WHERE s.user_id = %(user)s AND (s.session_id = %(video)s OR s.request_id = %(video)s)
        """
    cursor.execute(_SELECT + condition, {"video": session_id, "user": user_id})
    row = cursor.fetchone()
    if row is None:
        raise NotFound("The video does not exist.")
    return _video(row)


def exists(cursor: Cursor, user_id: str, name: str) -> bool:
    """Return whether the user has a video with this id or `request_id`."""
    cursor.execute(
        """
        SELECT 1 FROM video_sessions
        WHERE user_id = %(user)s AND (session_id = %(name)s OR request_id = %(name)s)
        """,
        {"user": user_id, "name": name},
    )
    return cursor.fetchone() is not None


def lock(cursor: Cursor, user_id: str, name: str) -> VideoRecord | None:
    """Return the user's video with this id or `request_id`, and lock its row; None without one.

    Unlike `get`, this does not require a run.
    """
    cursor.execute(
        f"""
        SELECT {", ".join(column.name for column in fields(VideoRecord))} FROM video_sessions
        WHERE user_id = %(user)s AND (session_id = %(name)s OR request_id = %(name)s) FOR UPDATE
        """,  # noqa: S608 - the columns are the fields of a class
        {"user": user_id, "name": name},
    )
    row = cursor.fetchone()
    return VideoRecord(**row) if row else None


def add_estimate(
    cursor: Cursor,
    session_id: str,
    usd: Decimal,
    scenes: int | None,
    output: Mapping[str, Any] | None = None,
) -> None:
    """Add the estimated cost of a part to the video; update scene count and output if given."""
    cursor.execute(
        """
        UPDATE video_sessions
        SET estimated_usd = estimated_usd + %(usd)s,
            frame_count = COALESCE(%(scenes)s, frame_count),
            output = COALESCE(%(output)s, output), updated_at = now()
        WHERE session_id = %(video)s
        """,
        {
            "video": session_id,
            "usd": usd,
            "scenes": scenes,
            "output": None if output is None else Json(dict(output)),
        },
    )


def has_story(cursor: Cursor, session_id: str) -> bool:
    """Return whether the video has a story."""
    cursor.execute(
        "SELECT 1 FROM video_sessions WHERE session_id = %s AND story_title IS NOT NULL",
        (session_id,),
    )
    return cursor.fetchone() is not None


def has_ended(cursor: Cursor, session_id: str) -> bool:
    """Return whether the video is in a terminal state; a deleted video is."""
    cursor.execute("SELECT status FROM video_sessions WHERE session_id = %s", (session_id,))
    row = cursor.fetchone()
    return row is None or row["status"] in TERMINAL


def page(
    cursor: Cursor, user_id: str, *, limit: int, before: int | None, search: Search = EVERYTHING
) -> list[Video]:
    """Return a page of the user's videos that match the search, newest first.

    `before` is the pagination cursor: only row ids below it are returned.
    """
    conditions = ["s.user_id = %(user)s", "(%(before)s::bigint IS NULL OR s.id < %(before)s)"]
    conditions += search.conditions()
    cursor.execute(
        f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY s.id DESC LIMIT %(limit)s",
        {"user": user_id, "before": before, "limit": limit, **search.values()},
    )
    return [_video(row) for row in cursor.fetchall()]


def update(cursor: Cursor, video: VideoRecord) -> None:
    """Update the mutable columns of a video (`_MUTABLE`)."""
    changes = {name: getattr(video, name) for name in _MUTABLE}
    columns = [sql.SQL("{} = {}").format(sql.Identifier(n), sql.Placeholder(n)) for n in changes]
    cursor.execute(
        sql.SQL(
            "UPDATE video_sessions SET {columns}, updated_at = now() WHERE session_id = {id}"
        ).format(columns=sql.SQL(", ").join(columns), id=sql.Placeholder("id")),
        {**changes, "id": video.session_id},
    )


def scene_count(cursor: Cursor, session_id: str) -> int:
    """Return the number of scenes of the whole video, even if only its first clips were merged."""
    cursor.execute("SELECT scene_count(%s) AS count", (session_id,))
    row = cursor.fetchone()
    assert row is not None
    count: int = row["count"]
    return count


def insert_final(cursor: Cursor, session_id: str, final: FinalVideo) -> None:
    """Upsert a finished merged video by its version."""
    cursor.execute(
        """
        INSERT INTO final_videos (session_id, version, video_key, poster_key, total_clips,
                                  duration, frames, size_bytes, sha256, clip_keys, files,
                                  parts, output, has_sound, warnings)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        ON CONFLICT (session_id, version) DO UPDATE
        SET video_key = excluded.video_key, poster_key = excluded.poster_key,
            total_clips = excluded.total_clips, duration = excluded.duration,
            frames = excluded.frames, size_bytes = excluded.size_bytes, sha256 = excluded.sha256,
            clip_keys = excluded.clip_keys, files = excluded.files, parts = excluded.parts,
            output = excluded.output, has_sound = excluded.has_sound,
            warnings = excluded.warnings
        """,
        (
            session_id,
            final.version,
            final.video_key,
            final.poster_key,
            final.total_clips,
            final.duration,
            final.frames,
            final.size_bytes,
            final.sha256,
            final.clip_keys,
            Json(final.files),
            Json(final.parts),
            None if final.output is None else Json(final.output),
            final.has_sound,
            Json(final.warnings),
        ),
    )


def final(cursor: Cursor, session_id: str) -> FinalVideo | None:
    """Return the newest merged video, or None."""
    cursor.execute(
        """
        SELECT version, video_key, poster_key, total_clips, duration, frames, size_bytes, sha256,
               clip_keys, files, parts, output, has_sound, warnings
        FROM final_videos WHERE session_id = %s ORDER BY version DESC LIMIT 1
        """,
        (session_id,),
    )
    row = cursor.fetchone()
    return FinalVideo(**row) if row else None


def _video(row: Mapping[str, Any]) -> Video:
    values = dict(row)
    missing = values.pop("missing")
    if missing is not None:
        values["error"] = _incomplete(missing)
    return Video(**values)


def _incomplete(missing: list[int]) -> dict[str, Any]:
    """Return the error of a video whose last run succeeded without finishing the video."""
    numbers = ", ".join(map(str, missing))
    reason = f"Scenes without a clip: {numbers}." if missing else "Its clips are not merged yet."
    facts = {
        "code": "video.incomplete",
        "stage": Stage.CLIP.value if missing else Stage.MERGE.value,
        "scene": missing[0] if missing else None,
        "detail": f"The video is not finished. {reason}",
        "billed": False,
    }
    return advice.final(facts)
