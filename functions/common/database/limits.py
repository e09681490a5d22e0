"""SQL of limits: how often a key is used, how many runs it has open. Exact over all callers."""

from collections.abc import Mapping

from common.database import Cursor
from common.domain.caller import RateWindow
from common.domain.errors import TooManyRequests

RUNS = "rate.runs"
"""Code of the refusal of a run."""
_RETRY_SECONDS = 15  # when to look again for a free place; nobody knows when a run ends


def count_request(cursor: Cursor, key_id: str, limits: Mapping[str, int]) -> list[RateWindow]:
    """Count one request and return the running windows, minute first.

    One statement also keeps the day's figures and the last use. `limits` by `minute` and `hour`
    tell it whether the request is one that is refused.
    """
    cursor.execute(
        # A request may wait here for another that began after it, in the next window already: a
        # window never goes back, or the count would start anew with each such pair.
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
    """Count a run that this transaction stores; raises TooManyRequests if there are too many.

    Exact under any number of callers: those of the same key wait here for each other, until the
    transaction ends.
    """
    cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"runs:{key_id}",))
    # A statement of its own, so that it sees what the transaction before it committed.
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
            f"This API key may have {limit} runs at a time, and has them; nothing was stored. "
            "Try again when one has ended.",
            code=RUNS,
            retry_after=_RETRY_SECONDS,
        )
