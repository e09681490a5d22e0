"""SQL of runs and their timeline. Changes of status are guarded: a late one changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from psycopg2.extras import Json

from common.database import Cursor, budget, narrations, scenes, video_status
from common.domain.errors import NotFound, RunEnded
from common.domain.video import WHOLE, RunScope, RunTarget, Stage
from common.settings import trace_id


@dataclass(frozen=True, slots=True)
class OpenRun:
    """A run that has not ended."""

    run_id: str
    session_id: str
    status: str
    work: RunTarget
    age_seconds: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run: what it makes, what its request said, and how it stands."""

    run_id: str
    session_id: str
    status: str
    error: dict[str, Any] | None
    work: RunTarget
    request: dict[str, Any]
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One entry of the timeline."""

    at: datetime
    type: str
    scene: int | None
    facts: dict[str, Any]


def insert(
    cursor: Cursor,
    run_id: str,
    session_id: str,
    kind: str,
    reserved_usd: Decimal,
    work: RunTarget = WHOLE,
    request: Mapping[str, Any] | None = None,
    key_id: str | None = None,
) -> None:
    """Store a new run as queued, with what was reserved for it.

    `request` is what an answer repeats of the request, whose trace the run gets. It counts for the
    key `key_id`, or for the video's; whether that may have one more is for `limits.admit_run` to
    say, before.
    """
    cursor.execute(
        """
        INSERT INTO runs (run_id, session_id, kind, stage, reserved_usd, step, scenes, request,
                          trace_id, key_id)
        VALUES (%(run)s, %(video)s, %(kind)s, %(stage)s, %(usd)s, %(step)s, %(scenes)s,
                %(request)s, %(trace)s,
                COALESCE(%(key)s, (SELECT key_id FROM video_sessions WHERE session_id = %(video)s)))
        """,
        {
            "run": run_id,
            "video": session_id,
            "kind": kind,
            "stage": work.first_stage.value,
            "usd": reserved_usd,
            "step": work.scope.value,
            "scenes": Json(dict(work.versions)),
            "request": Json(dict(request or {})),
            "trace": trace_id(),
            "key": key_id,
        },
    )
    video_status.refresh(cursor, session_id)
    add_event(cursor, run_id, "run.queued")


def add_event(
    cursor: Cursor,
    run_id: str,
    event: str,
    scene: int | None = None,
    facts: dict[str, Any] | None = None,
) -> None:
    """Append to the run's timeline."""
    cursor.execute(
        "INSERT INTO run_events (run_id, type, scene, facts) VALUES (%s, %s, %s, %s)",
        (run_id, event, scene, Json(facts or {})),
    )


def events(cursor: Cursor, run_id: str) -> list[RunEvent]:
    """Return the run's timeline, oldest first."""
    cursor.execute(
        "SELECT at, type, scene, facts FROM run_events WHERE run_id = %s ORDER BY id", (run_id,)
    )
    return [RunEvent(**row) for row in cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class TimelineEvent(RunEvent):
    """One entry of a video's timeline, with its place in it."""

    id: int
    run_id: str


def timeline(cursor: Cursor, session_id: str, *, limit: int, after: int) -> list[TimelineEvent]:
    """Return what happened in all runs of the video, oldest first, behind entry `after`."""
    cursor.execute(
        """
        SELECT e.id, e.run_id, e.at, e.type, e.scene, e.facts
        FROM run_events e JOIN runs r USING (run_id)
        WHERE r.session_id = %s AND e.id > %s ORDER BY e.id LIMIT %s
        """,
        (session_id, after, limit),
    )
    return [TimelineEvent(**row) for row in cursor.fetchall()]


def last_failure(cursor: Cursor, run_id: str, scene: int | None = None) -> dict[str, Any] | None:
    """Return what the newest failed step of the run, or of one scene in it, wrote down.

    A step that was retried in vain wrote down its last try.
    """
    cursor.execute(
        """
        SELECT facts FROM run_events
        WHERE run_id = %(run)s AND (type LIKE '%%.failed' OR type LIKE '%%.retried')
          AND type <> 'run.failed' AND (%(scene)s::int IS NULL OR scene = %(scene)s)
        ORDER BY type LIKE '%%.failed' DESC, id DESC LIMIT 1
        """,
        {"run": run_id, "scene": scene},
    )
    row = cursor.fetchone()
    return row["facts"] if row else None


def stage_of(cursor: Cursor, run_id: str) -> str:
    """Return the stage that the run has reached; raises NotFound."""
    cursor.execute("SELECT stage FROM runs WHERE run_id = %s", (run_id,))
    row = cursor.fetchone()
    if row is None:
        raise NotFound("There is no such run.")
    stage: str = row["stage"]
    return stage


def restart_trace(cursor: Cursor, run_id: str) -> None:
    """Give the run the trace of who starts it now; the request that asked for it did not."""
    cursor.execute("UPDATE runs SET trace_id = %s WHERE run_id = %s", (trace_id(), run_id))


def work(cursor: Cursor, run_id: str) -> RunTarget:
    """Return what the run makes; raises NotFound."""
    cursor.execute("SELECT step, scenes FROM runs WHERE run_id = %s", (run_id,))
    row = cursor.fetchone()
    if row is None:
        raise NotFound("There is no such run.")
    return _work(row)


def get(cursor: Cursor, run_id: str, user_id: str) -> Run:
    """Return one of the user's runs; raises NotFound."""
    cursor.execute(
        """
        SELECT r.run_id, r.session_id, r.status, r.error, r.step, r.scenes, r.request, r.ended_at
        FROM runs r JOIN video_sessions s USING (session_id)
        WHERE r.run_id = %s AND s.user_id = %s
        """,
        (run_id, user_id),
    )
    row = cursor.fetchone()
    if row is None:
        raise NotFound("There is no such run.")
    return Run(
        run_id=row["run_id"],
        session_id=row["session_id"],
        status=row["status"],
        error=row["error"],
        work=_work(row),
        request=row["request"],
        ended_at=row["ended_at"],
    )


def is_making(cursor: Cursor, session_id: str, *parts: RunScope) -> bool:
    """Say whether a run is making one of these parts of the video."""
    cursor.execute(
        "SELECT 1 FROM runs WHERE session_id = %s AND step = ANY(%s) AND ended_at IS NULL LIMIT 1",
        (session_id, [part.value for part in parts]),
    )
    return cursor.fetchone() is not None


def left_undone(cursor: Cursor, session_id: str) -> tuple[RunTarget, dict[str, Any]] | None:
    """Return what a resume has to make, with the request it was ordered by; None if nothing.

    That is the whole video, as long as one was ordered and no cut of all scenes exists. Otherwise
    it is the newest part that was ordered and does not exist.
    """
    cursor.execute(
        "SELECT step, scenes, request FROM runs WHERE run_id = undone_run(%s)", (session_id,)
    )
    row = cursor.fetchone()
    return (_work(row), row["request"]) if row else None


def has_whole(cursor: Cursor, session_id: str) -> bool:
    """Say whether the whole video was ordered, and not only parts of it."""
    cursor.execute(
        "SELECT 1 FROM runs WHERE session_id = %s AND step = %s LIMIT 1",
        (session_id, RunScope.ALL.value),
    )
    return cursor.fetchone() is not None


def enter_stage(cursor: Cursor, run_id: str, stage: str) -> bool:
    """Move an open run to a stage (never back); False when the run has ended already.

    Scenes enter a stage side by side, so the row that is changed may not be joined with anything
    by its stage: one that waited for the other's change would no longer find its partner.
    """
    cursor.execute(
        """
        WITH moved AS (
            UPDATE runs r
            SET status = 'running',
                started_at = COALESCE(r.started_at, now()),
                stage = CASE WHEN array_position(%(order)s, %(stage)s)
                                  > array_position(%(order)s, r.stage)
                             THEN %(stage)s ELSE r.stage END
            WHERE r.run_id = %(run)s AND r.status IN ('queued', 'running')
            RETURNING r.session_id
        )
        UPDATE video_sessions s SET status = 'running', updated_at = now()
        FROM moved WHERE s.session_id = moved.session_id
        """,
        {"run": run_id, "stage": stage, "order": [*Stage]},
    )
    return cursor.rowcount == 1


def lock(cursor: Cursor, run_id: str) -> None:
    """Hold the run for a transaction that ends it, before anything of its scenes is held."""
    cursor.execute("SELECT 1 FROM runs WHERE run_id = %s FOR NO KEY UPDATE", (run_id,))


def require_open(cursor: Cursor, run_id: str) -> None:
    """Raise RunEnded unless the run goes on; until the transaction ends nobody can end it."""
    if not is_open(cursor, run_id):
        raise RunEnded("The run has ended; nothing more is done for it.")


def is_open(cursor: Cursor, run_id: str) -> bool:
    """Say whether the run goes on; until the transaction ends nobody can end it."""
    cursor.execute(
        "SELECT 1 FROM runs WHERE run_id = %s AND status IN ('queued', 'running') FOR SHARE",
        (run_id,),
    )
    return cursor.fetchone() is not None


def wants_jobs_canceled(cursor: Cursor, run_id: str) -> bool:
    """Say whether the run's owner canceled it together with its jobs at the provider."""
    cursor.execute("SELECT 1 FROM runs WHERE run_id = %s AND cancel_jobs", (run_id,))
    return cursor.fetchone() is not None


def succeed(cursor: Cursor, run_id: str) -> bool:
    """End an open run as succeeded; False when it had ended already."""
    return _end(cursor, run_id, "succeeded", None)


def fail(cursor: Cursor, run_id: str, error: dict[str, Any]) -> bool:
    """End an open run as failed; False when it had ended already."""
    return _end(cursor, run_id, "failed", error)


def cancel(cursor: Cursor, session_id: str, *, jobs: bool) -> list[str]:
    """End every open run of the video as canceled; return which ones these were.

    `jobs`: those at the provider are to be canceled too, also of runs that are canceled already.
    """
    cursor.execute(
        """
        SELECT run_id FROM runs WHERE session_id = %s AND status IN ('queued', 'running')
        ORDER BY run_id FOR NO KEY UPDATE
        """,
        (session_id,),
    )
    open_runs: list[str] = [row["run_id"] for row in cursor.fetchall()]
    if open_runs:
        # First: a step that finishes holds its scene, and then waits for the video.
        scenes.cancel(cursor, session_id)
        narrations.cancel(cursor, session_id)
    for run_id in open_runs:
        _end(cursor, run_id, "canceled", None)
    if jobs:
        cursor.execute(
            "UPDATE runs SET cancel_jobs = true WHERE session_id = %s AND status = 'canceled'",
            (session_id,),
        )
    return open_runs


def still_open(
    cursor: Cursor, *, older_than_seconds: int = 0, limit: int = 1, run_id: str | None = None
) -> list[OpenRun]:
    """Return runs that have not ended, or that one run if it has not, oldest first."""
    cursor.execute(
        """
        SELECT run_id, session_id, status, step, scenes,
               extract(epoch FROM now() - created_at)::int AS age_seconds
        FROM runs
        WHERE status IN ('queued', 'running')
          AND created_at <= now() - %(age)s * interval '1 second'
          AND (%(run)s::text IS NULL OR run_id = %(run)s)
        ORDER BY created_at LIMIT %(limit)s
        """,
        {"age": older_than_seconds, "run": run_id, "limit": limit},
    )
    return [
        OpenRun(
            run_id=row["run_id"],
            session_id=row["session_id"],
            status=row["status"],
            work=_work(row),
            age_seconds=row["age_seconds"],
        )
        for row in cursor.fetchall()
    ]


def _work(row: Mapping[str, Any]) -> RunTarget:
    return RunTarget(
        RunScope(row["step"]), {int(n): version for n, version in row["scenes"].items()}
    )


def _end(cursor: Cursor, run_id: str, status: str, error: dict[str, Any] | None) -> bool:
    cursor.execute(
        """
        UPDATE runs SET status = %s, error = %s, ended_at = now()
        WHERE run_id = %s AND status IN ('queued', 'running')
        RETURNING session_id
        """,
        (status, Json(error) if error else None, run_id),
    )
    row = cursor.fetchone()
    if row is None:
        return False
    # Runs that make parts of one video end one after another: each sees what those before it
    # committed.
    budget.lock(cursor, row["session_id"])
    video_status.refresh(cursor, row["session_id"])
    budget.release(cursor, run_id)
    add_event(cursor, run_id, f"run.{status}", facts=error)
    return True
