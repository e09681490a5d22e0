"""SQL of runs and their timeline. Status changes are guarded: they apply to open runs only."""

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
    """A run: its target, the request that started it, and its state."""

    run_id: str
    session_id: str
    status: str
    error: dict[str, Any] | None
    work: RunTarget
    request: dict[str, Any]
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class RunEvent:
    """One entry of a run's timeline. `scene` is None for events of the whole run."""

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
    """Store a new run as queued, with its reservation and the current trace id.

    `request` holds the fields of the request that its response repeats. The run counts for
    `key_id`, or for the key of the video if None. Call `limits.admit_run` first: the limit of open
    runs is not checked here.
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
    """Append an event to the run's timeline."""
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
    """One entry of a video's timeline. `id` orders the entries and is the pagination cursor."""

    id: int
    run_id: str


def timeline(cursor: Cursor, session_id: str, *, limit: int, after: int) -> list[TimelineEvent]:
    """Return a page of the events of all runs of the video, oldest first.

    `after` is the pagination cursor: only entries with a higher id are returned.
    """
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
    """Return the facts of the newest failed step of the run, or of one of its scenes.

    Without a failed step, the newest retry is returned: a step whose retries are exhausted records
    its last try that way. None if there is neither.
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
        raise NotFound("The run does not exist.")
    stage: str = row["stage"]
    return stage


def restart_trace(cursor: Cursor, run_id: str) -> None:
    """Replace the run's trace id with the current one: the request's trace did not start it."""
    cursor.execute("UPDATE runs SET trace_id = %s WHERE run_id = %s", (trace_id(), run_id))


def work(cursor: Cursor, run_id: str) -> RunTarget:
    """Return the target of the run; raises NotFound."""
    cursor.execute("SELECT step, scenes FROM runs WHERE run_id = %s", (run_id,))
    row = cursor.fetchone()
    if row is None:
        raise NotFound("The run does not exist.")
    return _target(row)


def get(cursor: Cursor, run_id: str, user_id: str) -> Run:
    """Return a run of the user; raises NotFound."""
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
        raise NotFound("The run does not exist.")
    return Run(
        run_id=row["run_id"],
        session_id=row["session_id"],
        status=row["status"],
        error=row["error"],
        work=_target(row),
        request=row["request"],
        ended_at=row["ended_at"],
    )


def is_making(cursor: Cursor, session_id: str, *scopes: RunScope) -> bool:
    """Return whether the video has an open run of one of the scopes."""
    cursor.execute(
        "SELECT 1 FROM runs WHERE session_id = %s AND step = ANY(%s) AND ended_at IS NULL LIMIT 1",
        (session_id, [scope.value for scope in scopes]),
    )
    return cursor.fetchone() is not None


def unfinished_target(cursor: Cursor, session_id: str) -> tuple[RunTarget, dict[str, Any]] | None:
    """Return the target of a resume and the request that ordered it; None if nothing is missing.

    The target is the whole video if it was ordered and no merged video of all scenes exists;
    otherwise it is the newest part that was ordered and does not exist.
    """
    cursor.execute(
        "SELECT step, scenes, request FROM runs WHERE run_id = undone_run(%s)", (session_id,)
    )
    row = cursor.fetchone()
    return (_target(row), row["request"]) if row else None


def has_full_run(cursor: Cursor, session_id: str) -> bool:
    """Return whether the whole video was ordered, not only parts of it."""
    cursor.execute(
        "SELECT 1 FROM runs WHERE session_id = %s AND step = %s LIMIT 1",
        (session_id, RunScope.ALL.value),
    )
    return cursor.fetchone() is not None


def enter_stage(cursor: Cursor, run_id: str, stage: str) -> bool:
    """Advance an open run to a stage, never back; return False if the run has ended.

    Scenes enter a stage concurrently, so the update must not join on `runs.stage`: a statement that
    waited for the row lock re-evaluates the join, and would no longer match.
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
    """Lock the run's row. A transaction that ends the run locks it before any row of its scenes."""
    cursor.execute("SELECT 1 FROM runs WHERE run_id = %s FOR NO KEY UPDATE", (run_id,))


def require_open(cursor: Cursor, run_id: str) -> None:
    """Raise RunEnded unless the run is open; holds a share lock as `is_open` does."""
    if not is_open(cursor, run_id):
        raise RunEnded("The run has ended. No further work is done for it.")


def is_open(cursor: Cursor, run_id: str) -> bool:
    """Return whether the run is open.

    A share lock on its row prevents others from ending the run until the transaction ends.
    """
    cursor.execute(
        "SELECT 1 FROM runs WHERE run_id = %s AND status IN ('queued', 'running') FOR SHARE",
        (run_id,),
    )
    return cursor.fetchone() is not None


def wants_jobs_canceled(cursor: Cursor, run_id: str) -> bool:
    """Return whether the run was canceled together with its provider jobs."""
    cursor.execute("SELECT 1 FROM runs WHERE run_id = %s AND cancel_jobs", (run_id,))
    return cursor.fetchone() is not None


def succeed(cursor: Cursor, run_id: str) -> bool:
    """End an open run as succeeded; return False if it had already ended."""
    return _end(cursor, run_id, "succeeded", None)


def fail(cursor: Cursor, run_id: str, error: dict[str, Any]) -> bool:
    """End an open run as failed; return False if it had already ended."""
    return _end(cursor, run_id, "failed", error)


def cancel(cursor: Cursor, session_id: str, *, jobs: bool) -> list[str]:
    """End every open run of the video as canceled; return the ids of these runs.

    With `jobs`, provider jobs are to be canceled too, including those of runs canceled earlier.
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
        # Scenes before the video: a step that finishes locks its scene's row, then the video's.
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


def open_runs(
    cursor: Cursor, *, older_than_seconds: int = 0, limit: int = 1, run_id: str | None = None
) -> list[OpenRun]:
    """Return open runs older than `older_than_seconds`, oldest first.

    With `run_id`, only that run if it is open.
    """
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
            work=_target(row),
            age_seconds=row["age_seconds"],
        )
        for row in cursor.fetchall()
    ]


def _target(row: Mapping[str, Any]) -> RunTarget:
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
    # The row lock serializes ending runs of one video, so that each sees what the previous one
    # committed.
    budget.lock(cursor, row["session_id"])
    video_status.refresh(cursor, row["session_id"])
    budget.release(cursor, run_id)
    add_event(cursor, run_id, f"run.{status}", facts=error)
    return True
