"""SQL of provider slots: the calls, input images and jobs that count against a model's limits.

The ledger is the only source. A call and its input images count for `MINUTE_SECONDS` from the time
of sending, whatever the outcome, because the provider counts refused calls too. A job counts until
it ends; every poll renews its slot, so the slot of a crashed worker expires.
"""

from common.database import Cursor
from common.domain.models import Model
from common.domain.provider_limits import MINUTE_SECONDS, Limit, SlotUsage

# Assumed duration of a job of a model that has finished none yet.
_DEFAULT_JOB_SECONDS = 60.0
_RECENT_JOBS = 20
# A job that runs longer than the median is expected to take a quarter more than it took so far.
_OVERDUE_FACTOR = 1.25


def lock(cursor: Cursor, model: Model) -> int:
    """Lock the model's row until the transaction ends, to serialize the counting of its slots.

    Returns the remaining pause that the provider asked for, in seconds; 0 if there is none.
    """
    cursor.execute(
        """
        INSERT INTO provider_gates (provider, model) VALUES (%s, %s)
        ON CONFLICT (provider, model) DO UPDATE SET model = excluded.model
        RETURNING COALESCE(ceil(extract(epoch FROM closed_until - clock_timestamp())), 0)::int
                  AS seconds
        """,
        (model.provider, model.model),
    )
    row = cursor.fetchone()
    return max(0, row["seconds"]) if row else 0


def pause_provider(cursor: Cursor, model: Model, seconds: int) -> None:
    """Pause all calls of the model for the time that the provider asked for."""
    cursor.execute(
        """
        INSERT INTO provider_gates AS g (provider, model, closed_until)
        VALUES (%s, %s, clock_timestamp() + %s * interval '1 second')
        ON CONFLICT (provider, model) DO UPDATE
        SET closed_until = GREATEST(g.closed_until, excluded.closed_until)
        """,
        (model.provider, model.model, seconds),
    )


def active_slots(cursor: Cursor, model: Model, limit: Limit) -> list[SlotUsage]:
    """Return the slots in use that count against the limit; the caller holds the model's lock."""
    if limit.of_jobs:
        statement = """
            SELECT 1 AS size, GREATEST(0, %(typical)s - extract(epoch FROM
                   clock_timestamp() - created_at))::float AS seconds
            FROM provider_jobs
            WHERE provider = %(provider)s AND model = %(model)s AND slot_until > clock_timestamp()
        """
    else:
        statement = """
            SELECT CASE WHEN %(pictures)s THEN input_pictures ELSE 1 END AS size,
                   extract(epoch FROM created_at + %(minute)s * interval '1 second'
                                      - clock_timestamp())::float AS seconds
            FROM provider_jobs
            WHERE provider = %(provider)s AND model = %(model)s
              AND created_at > clock_timestamp() - %(minute)s * interval '1 second'
        """
    cursor.execute(
        statement,
        {
            "provider": model.provider,
            "model": model.model,
            "typical": typical_seconds(cursor, model) if limit.of_jobs else None,
            "pictures": limit.counts == "images_per_minute",
            "minute": MINUTE_SECONDS,
        },
    )
    return [SlotUsage(row["size"], row["seconds"]) for row in cursor.fetchall()]


def typical_seconds(cursor: Cursor, model: Model) -> float:
    """Return the expected duration of a job of the model: the median of recent jobs.

    If a running job has already taken longer, the result is based on that job.
    """
    cursor.execute(
        """
        SELECT GREATEST(
            COALESCE((
                SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM (
                    SELECT extract(epoch FROM updated_at - created_at) AS seconds
                    FROM provider_jobs
                    WHERE provider = %(provider)s AND model = %(model)s AND state = 'succeeded'
                    ORDER BY created_at DESC LIMIT %(count)s
                ) recent
            ), %(default)s),
            %(overdue)s * (
                SELECT extract(epoch FROM clock_timestamp() - min(created_at)) FROM provider_jobs
                WHERE provider = %(provider)s AND model = %(model)s
                  AND slot_until > clock_timestamp()
            )
        )::float AS seconds
        """,
        {
            "provider": model.provider,
            "model": model.model,
            "count": _RECENT_JOBS,
            "default": _DEFAULT_JOB_SECONDS,
            "overdue": _OVERDUE_FACTOR,
        },
    )
    row = cursor.fetchone()
    return float(row["seconds"]) if row else _DEFAULT_JOB_SECONDS
