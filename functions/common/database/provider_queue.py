"""SQL of the provider queue (`provider_waits`): steps that wait for a provider slot."""

from dataclasses import dataclass
from datetime import datetime

from common.database import Cursor
from common.database.attempts import Step
from common.domain.models import Model

# Steps due within this time go first. An overdue step keeps its turn for the same time; afterwards,
# and while it is not due yet, it does not block a free slot.
_DUE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class QueuedStep:
    """One queued step. `back_at` is when the step tries again."""

    kind: str
    scene: int
    provider: str
    model: str
    code: str
    detail: str
    since: datetime
    back_at: datetime


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The queue ahead of a step: calls and input images, in total and of steps that are due now."""

    calls: int = 0
    pictures: int = 0
    due_calls: int = 0
    due_pictures: int = 0


def queue_depth(cursor: Cursor, step: Step, run_id: str, model: Model) -> QueueDepth:
    """Return the depth of the model's queue ahead of the step, by the time of joining it."""
    cursor.execute(
        """
        SELECT count(*)::int AS calls, COALESCE(sum(pictures), 0)::int AS pictures,
               (count(*) FILTER (WHERE due))::int AS due_calls,
               COALESCE(sum(pictures) FILTER (WHERE due), 0)::int AS due_pictures
        FROM (
            SELECT pictures, back_at < clock_timestamp() + %(due)s * interval '1 second' AS due
            FROM provider_waits w
            WHERE provider = %(provider)s AND model = %(model)s
              AND back_at > clock_timestamp() - %(due)s * interval '1 second'
              AND (session_id, kind, scene) <> (%(video)s, %(kind)s, %(scene)s)
              AND since < COALESCE((
                  SELECT since FROM provider_waits
                  WHERE session_id = %(video)s AND kind = %(kind)s AND scene = %(scene)s
                    AND run_id = %(run)s
              ), 'infinity')
        ) before
        """,
        {
            "due": _DUE_SECONDS,
            "provider": model.provider,
            "model": model.model,
            "video": step.session_id,
            "kind": step.kind,
            "scene": step.scene,
            "run": run_id,
        },
    )
    row = cursor.fetchone()
    return QueueDepth(**row) if row else QueueDepth()


def rounds(cursor: Cursor, step: Step, run_id: str) -> int:
    """Return how often the scene of the step was queued in this run.

    Its image, narration and clip count together.
    """
    cursor.execute(
        """
        SELECT COALESCE(sum(rounds), 0)::int AS rounds FROM provider_waits
        WHERE session_id = %s AND scene = %s AND run_id = %s
        """,
        (step.session_id, step.scene, run_id),
    )
    row = cursor.fetchone()
    return int(row["rounds"]) if row else 0


def enqueue(
    cursor: Cursor,
    step: Step,
    run_id: str,
    model: Model,
    *,
    pictures: int,
    code: str,
    detail: str,
    seconds: int,
) -> bool:
    """Upsert the queue entry of the step; return whether its reason has changed.

    The step tries again after `seconds`. Within a run, an existing entry keeps its position and
    counts one more round; an entry of another run is replaced.
    """
    cursor.execute(
        """
        WITH before AS (
            SELECT code FROM provider_waits
            WHERE session_id = %(video)s AND kind = %(kind)s AND scene = %(scene)s
              AND run_id = %(run)s
        )
        INSERT INTO provider_waits AS w (session_id, kind, scene, run_id, provider, model, pictures,
                                         code, detail, since, back_at, rounds)
        VALUES (%(video)s, %(kind)s, %(scene)s, %(run)s, %(provider)s, %(model)s, %(pictures)s,
                %(code)s, %(detail)s, clock_timestamp(),
                clock_timestamp() + %(seconds)s * interval '1 second', 1)
        ON CONFLICT (session_id, kind, scene) DO UPDATE
        SET run_id = excluded.run_id, provider = excluded.provider, model = excluded.model,
            pictures = excluded.pictures, code = excluded.code, detail = excluded.detail,
            since = CASE WHEN w.run_id = excluded.run_id THEN w.since ELSE excluded.since END,
            back_at = excluded.back_at,
            rounds = CASE WHEN w.run_id = excluded.run_id THEN w.rounds + 1 ELSE 1 END
        RETURNING w.code IS DISTINCT FROM (SELECT code FROM before) AS is_new
        """,
        {
            "video": step.session_id,
            "kind": step.kind,
            "scene": step.scene,
            "run": run_id,
            "provider": model.provider,
            "model": model.model,
            "pictures": pictures,
            "code": code,
            "detail": detail,
            "seconds": seconds,
        },
    )
    row = cursor.fetchone()
    return bool(row and row["is_new"])


def pause(cursor: Cursor, step: Step) -> None:
    """Take the step out of the queue; the entry and its number of rounds are kept."""
    cursor.execute(
        """
        UPDATE provider_waits SET back_at = NULL
        WHERE session_id = %s AND kind = %s AND scene = %s
        """,
        (step.session_id, step.kind, step.scene),
    )


def of_run(cursor: Cursor, run_id: str) -> list[QueuedStep]:
    """Return the queued steps of the run, longest wait first."""
    cursor.execute(
        """
        SELECT kind, scene, provider, model, code, detail, since, back_at FROM provider_waits
        WHERE run_id = %s AND back_at IS NOT NULL ORDER BY since, scene
        """,
        (run_id,),
    )
    return [QueuedStep(**row) for row in cursor.fetchall()]
