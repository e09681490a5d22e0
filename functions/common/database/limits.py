"""SQL of rate limits and of open runs per API key. Counts are exact under concurrency."""

from collections.abc import Mapping

from common.database import Cursor
from common.domain.caller import RateWindow
from common.domain.errors import TooManyRequests

RUNS = "rate.runs"
"""Error code of a run that exceeds the key's limit of open runs."""
_RETRY_SECONDS = 15  # a guess: the end of a run is not predictable


def count_request(cursor: Cursor, key_id: str, limits: Mapping[str, int]) -> list[RateWindow]:
    """Count one request and return the current rate windows, minute first.

    The same statement updates the day's totals and the time of last use. `limits` holds the
    requests allowed per `minute` and `hour`, by which a request counts as refused.
    """
    cursor.execute(
        # A request may wait here for the row lock of one that began later, in the next window. A
        # window therefore never moves back, or each such pair would reset the count.
        """
        WITH counted AS (
            INSERT INTO rate_windows AS w (key_id, period, started_at, count)
            VALUES (%(key)s, 'hour', date_trunc('hour', now()), 1),
                   (%(key)s, 'minute', date_trunc('minute', now()), 1)
            ON CONFLICT (key_id, period) DO UPDATE
            SET count = CASE WHEN w.started_at >= excluded.started_at THEN w.count + 1 ELSE 1 END,
                started_at = GREATEST(w.started_at, excluded.started_at)
            RETURNING period, count,
                ceil(extract(epoch FROM started_at + ('1 ' || period)::interval - now()))::int
                AS resets_in
        ), kept AS (
            INSERT INTO key_requests AS r (key_id, day, requests, refused)
            SELECT %(key)s, (now() AT TIME ZONE 'UTC')::date, 1,
                   bool_or(count > CASE period WHEN 'hour' THEN %(hour)s ELSE %(minute)s END)::int
            FROM counted
            ON CONFLICT (key_id, day) DO UPDATE
            SET requests = r.requests + 1, refused = r.refused + excluded.refused,
                last_used_at = now()
        )
        SELECT period, count, resets_in FROM counted ORDER BY period DESC
        """,
        {"key": key_id, **limits},
    )
    return [RateWindow(**row) for row in cursor.fetchall()]


def admit_run(cursor: Cursor, key_id: str, limit: int) -> None:
    """Count a run that this transaction stores; raises TooManyRequests at the limit of open runs.

    Exact under any concurrency: an advisory lock on the key, held until the transaction ends,
    serializes its callers.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"runs:{key_id}",))
    # A separate statement, whose snapshot includes what the previous lock holder committed.
    cursor.execute(
        """
        WITH open AS (
            SELECT count(*) AS runs FROM runs WHERE key_id = %(key)s AND ended_at IS NULL
        )
        INSERT INTO key_runs AS k (key_id, day, runs)
        SELECT %(key)s, (now() AT TIME ZONE 'UTC')::date, 1 FROM open WHERE runs < %(limit)s
        ON CONFLICT (key_id, day) DO UPDATE SET runs = k.runs + 1
        """,
        {"key": key_id, "limit": limit},
    )
    if cursor.rowcount != 1:
        raise TooManyRequests(
            f"This API key has reached its limit of {limit} concurrent runs. Nothing was stored. "
            "Try again after a run has ended.",
            code=RUNS,
            retry_after=_RETRY_SECONDS,
        )
