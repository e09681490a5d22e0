"""SQL of the places that runs share: how many calls, pictures and jobs of a model are under way.

Nothing is kept beside the ledger. A call and its input pictures count for a minute from when they
were sent, however the call ended: the provider counts what it refused, too. A job counts until it
has ended; every poll renews its place, so one that a crash left behind is free after a while.
"""

from common.database import Cursor
from common.domain.models import Model
from common.domain.provider_limits import MINUTE_SECONDS, Limit, SlotUsage

# What a job of a model takes that has not finished any yet.
_FIRST_GUESS_SECONDS = 60.0
_JOBS_LOOKED_AT = 20
# Of a job that takes longer than the others we expect a quarter more of what it took so far.
_OVERDUE = 1.25


def lock(cursor: Cursor, model: Model) -> int:
    """Let nobody else count places of the model until the transaction ends.

    Returns for how many more seconds the provider wants no call; 0 is the rule.
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
    """Keep everybody out for as long as the provider asked for."""
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
    """Return the places that count against the limit, under the lock of the model."""
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
    """Return how long a job of the model takes: the median of the last ones.

    One that is under way for longer shows that it takes more than that.
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
            "count": _JOBS_LOOKED_AT,
            "default": _FIRST_GUESS_SECONDS,
            "overdue": _OVERDUE,
        },
    )
    row = cursor.fetchone()
    return float(row["seconds"]) if row else _FIRST_GUESS_SECONDS
