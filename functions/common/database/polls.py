"""SQL of provider jobs: polling them, collecting their results, and adopting them in later runs."""

from dataclasses import dataclass
from typing import Any

from psycopg2.extras import Json

from common.database import Cursor
from common.database.attempts import Attempt, Step

RETENTION_HOURS = 48
"""Hours in which the result of a job can be collected.

Runway's outputs expire after 24 to 48 hours (docs.dev.runwayml.com/assets/outputs). Luma's stay in
the deployment's bucket."""

# Codes of failed jobs whose result may still be available: the outputs could not be downloaded, the
# download was not a clip, or the job timed out while it was running.
COLLECTABLE_CODES = (
    *("clip.output_lost", "clip.timeout"),
    *("media.invalid", "media.timeout", "media.too_large"),
)


def record_poll(cursor: Cursor, attempt: Attempt, found: dict[str, Any] | None) -> None:
    """Store the time of a poll that was answered; `found` is the result of a finished job."""
    cursor.execute(
        """
        UPDATE provider_jobs SET polled_at = clock_timestamp(), found = COALESCE(%s, found)
        WHERE id = %s
        """,
        (Json(found) if found else None, attempt.id),
    )


def count_failed_collection(cursor: Cursor, attempt: Attempt) -> int:
    """Count a failed download of the job's result and clear its links; return the new count."""
    cursor.execute(
        """
        UPDATE provider_jobs SET collections = collections + 1, found = NULL
        WHERE id = %s RETURNING collections
        """,
        (attempt.id,),
    )
    row = cursor.fetchone()
    return int(row["collections"]) if row else 0


def adopt(cursor: Cursor, attempt: Attempt, run_id: str) -> None:
    """Assign an earlier run's job to this run and reset its poll count."""
    cursor.execute(
        """
        UPDATE provider_jobs
        SET state = 'submitted', code = NULL, polls = 0, collections = 0, updated_at = now(),
            actual_usd = CASE WHEN possible_usd = 0 THEN actual_usd END, possible_usd = 0,
            run_id = %s
        WHERE id = %s AND state IN ('submitted', 'unknown', 'failed')
        """,
        (run_id, attempt.id),
    )


def poll_count(cursor: Cursor, step: Step, run_id: str) -> int:
    """Return the number of polls of the step's jobs in this run, over all attempts."""
    cursor.execute(
        """
        SELECT COALESCE(sum(polls), 0)::int AS polls FROM provider_jobs
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s AND run_id = %s
        """,
        (step.session_id, step.kind, step.scene, step.version, run_id),
    )
    row = cursor.fetchone()
    return int(row["polls"]) if row else 0


def uncharged_failure_codes(cursor: Cursor, step: Step, run_id: str) -> list[str]:
    """Return the codes of the step's jobs of this run that failed and cost nothing."""
    cursor.execute(
        """
        SELECT code FROM provider_jobs
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s AND run_id = %s
          AND state = 'failed' AND actual_usd = 0
        ORDER BY attempt
        """,
        (step.session_id, step.kind, step.scene, step.version, run_id),
    )
    return [row["code"] for row in cursor.fetchall()]


# -- uncollected jobs of ended runs ----------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class UncollectedJob:
    """A job of a video without an open run; `run_id` is the video's newest run."""

    session_id: str
    run_id: str
    scene: int
    version: int


def lease_uncollected_jobs(
    cursor: Cursor, *, limit: int, lease_seconds: int, pause_seconds: int
) -> list[UncollectedJob]:
    """Lease paid jobs whose result is not collected, oldest first; each to one collector.

    Only the newest attempt of an unfinished clip qualifies. The polling interval grows with age: it
    is `pause_seconds` or an eighth of the job's age, whichever is longer.
    """
    cursor.execute(
        """
        UPDATE provider_jobs SET collector_until = now() + %(lease)s * interval '1 second'
        WHERE id IN (
            SELECT j.id FROM provider_jobs j
            JOIN video_clips c ON c.session_id = j.session_id AND c.clip_number = j.scene
                               AND c.version = j.version AND c.status <> 'succeeded'
            WHERE j.kind = 'clip' AND j.job IS NOT NULL AND j.estimated_usd > 0
              AND (j.state IN ('submitted', 'unknown')
                   OR (j.state = 'failed' AND j.code = ANY(%(codes)s)))
              AND j.created_at > now() - %(hours)s * interval '1 hour'
              AND (j.collector_until IS NULL OR j.collector_until < now())
              AND COALESCE(j.polled_at, j.updated_at)
                  < now() - GREATEST(%(pause)s * interval '1 second', (now() - j.created_at) / 8)
              AND NOT EXISTS (SELECT FROM runs r WHERE r.session_id = j.session_id
                              AND r.status IN ('queued', 'running'))
              AND NOT EXISTS (SELECT FROM provider_jobs n WHERE n.session_id = j.session_id
                              AND n.kind = j.kind AND n.scene = j.scene AND n.version = j.version
                              AND n.attempt > j.attempt AND n.state <> 'refused')
            ORDER BY j.created_at LIMIT %(limit)s FOR UPDATE OF j SKIP LOCKED
        )
        RETURNING session_id, scene, version,
            (SELECT run_id FROM runs r WHERE r.session_id = provider_jobs.session_id
             ORDER BY created_at DESC LIMIT 1) AS run_id
        """,
        {
            "lease": lease_seconds,
            "codes": [*COLLECTABLE_CODES],
            "hours": RETENTION_HOURS,
            "pause": pause_seconds,
            "limit": limit,
        },
    )
    return [UncollectedJob(**row) for row in cursor.fetchall()]


def mark_collected(cursor: Cursor, attempt: Attempt) -> None:
    """Clear the links of a job whose result is stored."""
    cursor.execute("UPDATE provider_jobs SET found = NULL WHERE id = %s", (attempt.id,))


def release(cursor: Cursor, attempt: Attempt) -> None:
    """Release the collector's lease on the job."""
    cursor.execute("UPDATE provider_jobs SET collector_until = NULL WHERE id = %s", (attempt.id,))


def settle_expired(cursor: Cursor, *, limit: int) -> None:
    """Settle at most `limit` jobs whose result has expired as failed.

    The jobs were accepted: a known cost counts as charged, otherwise the estimate counts as
    possibly charged.
    """
    cursor.execute(
        """
        UPDATE provider_jobs
        SET state = 'failed', code = 'clip.output_lost', found = NULL, updated_at = now(),
            slot_until = NULL, actual_usd = COALESCE(actual_usd, estimated_usd),
            possible_usd = CASE WHEN actual_usd IS NULL THEN estimated_usd ELSE 0 END
        WHERE id IN (
            SELECT j.id FROM provider_jobs j
            WHERE j.kind = 'clip' AND j.state = 'submitted' AND j.estimated_usd > 0
              AND j.created_at < now() - %s * interval '1 hour'
              AND NOT EXISTS (SELECT FROM runs r WHERE r.session_id = j.session_id
                              AND r.status IN ('queued', 'running'))
            ORDER BY j.created_at LIMIT %s FOR UPDATE SKIP LOCKED
        )
        """,
        (RETENTION_HOURS, limit),
    )
