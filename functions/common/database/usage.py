"""SQL of usage: requests, runs and spend per key and UTC day.

The figures survive the deletion of videos and keys.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from common.database import Cursor, attempts


@dataclass(frozen=True, slots=True)
class UsageQuery:
    """Filters of usage figures: an inclusive range of UTC days, and optionally a user or a key."""

    first: date
    last: date
    user_id: str | None
    key_id: str | None


@dataclass(frozen=True, slots=True)
class UsageTotals:
    """Usage totals. `refused` counts requests over a rate limit.

    `reserved_usd` is the sum of the reservations of open runs. `spent_usd` counts against caps; it
    includes `open_usd` and `possible_usd`, which are not charged for certain.
    """

    requests: int
    refused: int
    runs: int
    spent_usd: Decimal
    reserved_usd: Decimal
    open_usd: Decimal
    possible_usd: Decimal


@dataclass(frozen=True, slots=True)
class KeyDay(UsageTotals):
    """Usage of one key on one day. `key_name` and `user_id` are None for the operator's key."""

    day: date
    key_id: str
    key_name: str | None
    user_id: str | None


# Spend is booked on the day on which the key started the run (`budget.release`).
_BY_KEY_AND_DAY = f"""
    SELECT day, key_id, k.name AS key_name, k.user_id,
           COALESCE(r.requests, 0) AS requests, COALESCE(r.refused, 0) AS refused,
           COALESCE(n.runs, 0) AS runs,
           COALESCE(s.spent_usd, 0) AS spent_usd, COALESCE(s.reserved_usd, 0) AS reserved_usd,
           COALESCE(u.open_usd, 0) AS open_usd, COALESCE(u.possible_usd, 0) AS possible_usd
    FROM (SELECT * FROM key_requests WHERE day BETWEEN %(first)s AND %(last)s) r
    FULL JOIN (SELECT * FROM key_runs WHERE day BETWEEN %(first)s AND %(last)s) n
         USING (key_id, day)
    LEFT JOIN api_keys k USING (key_id)
    LEFT JOIN spend s ON s.scope = key_id AND s.period = to_char(day, 'YYYY-MM-DD')
    LEFT JOIN (
        SELECT key_id, counted_on AS day, {attempts.SUMS} FROM provider_jobs
        WHERE counted_on BETWEEN %(first)s AND %(last)s
          AND (state IN ('submitting', 'submitted') OR possible_usd > 0)
        GROUP BY key_id, counted_on
    ) u USING (key_id, day)
    WHERE (%(user)s::text IS NULL OR k.user_id = %(user)s)
      AND (%(key)s::text IS NULL OR key_id = %(key)s)
"""  # noqa: S608 - a constant of `attempts`


def page(
    cursor: Cursor, query: UsageQuery, *, limit: int, before: tuple[date, str] | None
) -> list[KeyDay]:
    """Return a page of daily figures, newest first, after the day and key `before`."""
    day, key_id = before or (None, None)
    cursor.execute(
        f"""
        SELECT * FROM ({_BY_KEY_AND_DAY}) figures
        WHERE %(day)s::date IS NULL OR (day, key_id) < (%(day)s, %(behind)s)
        ORDER BY day DESC, key_id DESC LIMIT %(limit)s
        """,  # noqa: S608 - the text above
        {**_values(query), "day": day, "behind": key_id, "limit": limit},
    )
    return [KeyDay(**row) for row in cursor.fetchall()]


def total(cursor: Cursor, query: UsageQuery) -> UsageTotals:
    """Return the totals over all days and keys of the query."""
    cursor.execute(
        f"""
        SELECT COALESCE(sum(requests), 0)::bigint AS requests,
               COALESCE(sum(refused), 0)::bigint AS refused,
               COALESCE(sum(runs), 0)::bigint AS runs,
               COALESCE(sum(spent_usd), 0) AS spent_usd,
               COALESCE(sum(reserved_usd), 0) AS reserved_usd,
               COALESCE(sum(open_usd), 0) AS open_usd,
               COALESCE(sum(possible_usd), 0) AS possible_usd
        FROM ({_BY_KEY_AND_DAY}) figures
        """,  # noqa: S608 - the text above
        _values(query),
    )
    (row,) = cursor.fetchall()
    return UsageTotals(**row)


def _values(query: UsageQuery) -> dict[str, object]:
    return {
        "first": query.first,
        "last": query.last,
        "user": query.user_id,
        "key": query.key_id,
    }


@dataclass(frozen=True, slots=True)
class ProviderSpend:
    """Spend at one provider, including charges that are open or only possible."""

    provider: str
    today_usd: Decimal  # since midnight UTC
    last_hour_usd: Decimal


def by_provider(cursor: Cursor) -> list[ProviderSpend]:
    """Return the spend at each provider today and in the last hour, without providers at zero."""
    cursor.execute(
        """
        WITH bounds AS (
            SELECT date_trunc('day', now(), 'UTC') AS midnight, now() - interval '1 hour' AS hour
        )
        SELECT provider, COALESCE(sum(usd) FILTER (WHERE created_at >= midnight), 0) AS today_usd,
               COALESCE(sum(usd) FILTER (WHERE created_at >= hour), 0) AS last_hour_usd
        FROM bounds CROSS JOIN LATERAL (
            SELECT provider, created_at, COALESCE(actual_usd, estimated_usd) AS usd
            FROM provider_jobs WHERE created_at >= LEAST(midnight, hour)
        ) calls
        GROUP BY provider HAVING sum(usd) > 0 ORDER BY provider
        """
    )
    return [ProviderSpend(**row) for row in cursor.fetchall()]
