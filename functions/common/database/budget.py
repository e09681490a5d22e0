"""SQL of spending: reserved for a whole run at admission, settled to what was spent at its end."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from common.database import Cursor, attempts, video_status
from common.domain.errors import BudgetExceeded

_ALL = "all"
# Periods are counted in UTC, by the database's clock.
_DAY, _MONTH = "YYYY-MM-DD", "YYYY-MM"
BOUGHT = ("submitted", "succeeded")
"""States of a call that was accepted, and whose result is there or will be."""
IN_DOUBT = ("submitting", "unknown")
"""States of a call that may have been charged; nobody knows."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that may be spent, in US dollars; None is no cap.

    `all_daily` is the breaker over all keys of the stage together.
    """

    key_id: str
    daily: Decimal | None
    monthly: Decimal | None
    all_daily: Decimal | None

    def each(self) -> Iterator[tuple[str, str, Decimal | None, str]]:
        """Yield scope, period, cap and a name for people, always in the same order.

        The same order in every transaction: rows are locked in it, so no two can block each other.
        """
        yield _ALL, _DAY, self.all_daily, "the daily cap of this deployment"
        yield self.key_id, _DAY, self.daily, "the daily cap of this API key"
        yield self.key_id, _MONTH, self.monthly, "the monthly cap of this API key"


def reserve(cursor: Cursor, caps: Caps, usd: Decimal) -> None:
    """Reserve an amount under every cap, or raise BudgetExceeded and reserve nothing.

    Exact under any number of callers: each row is checked and raised in one statement.
    """
    for scope, period, cap, name in caps.each():
        cursor.execute(
            """
            INSERT INTO spend AS s (scope, period, reserved_usd)
            SELECT %(scope)s, to_char(now() AT TIME ZONE 'UTC', %(period)s), %(usd)s
            WHERE %(cap)s::numeric IS NULL OR %(usd)s <= %(cap)s
            ON CONFLICT (scope, period) DO UPDATE
            SET reserved_usd = s.reserved_usd + excluded.reserved_usd
            WHERE %(cap)s::numeric IS NULL
               OR s.reserved_usd + s.spent_usd + excluded.reserved_usd <= %(cap)s
            """,
            {"scope": scope, "period": period, "cap": cap, "usd": usd},
        )
        if cursor.rowcount != 1 and cap is not None:
            raise _exceeded(cap - _used(cursor, scope, period), usd, name)


def release(cursor: Cursor, run_id: str) -> None:
    """Give back what a run that ends had reserved, and count what was spent since the last time.

    A call that is still open counts with its estimate, until its end is known. The caller holds
    the video's row.
    """
    cursor.execute(
        f"""
        WITH video AS (
            SELECT s.session_id, COALESCE(r.key_id, s.key_id) AS key_id, r.reserved_usd,
                   r.created_at AT TIME ZONE 'UTC' AS at,
                   spent.usd - s.settled_usd AS usd
            FROM runs r JOIN video_sessions s USING (session_id)
            CROSS JOIN LATERAL (
                SELECT {attempts.COMMITTED} AS usd FROM provider_jobs
                WHERE session_id = s.session_id
            ) spent
            WHERE r.run_id = %(run)s
            FOR NO KEY UPDATE OF s
        ), settled AS (
            UPDATE video_sessions s SET settled_usd = settled_usd + video.usd
            FROM video WHERE s.session_id = video.session_id
        ), emptied AS (
            UPDATE runs SET reserved_usd = 0 WHERE run_id = %(run)s
        ), counted AS (
            UPDATE provider_jobs j SET key_id = video.key_id, counted_on = video.at::date
            FROM video WHERE j.id IN (
                SELECT id FROM provider_jobs
                WHERE session_id = video.session_id AND counted_on IS NULL
                -- Whoever settles a call holds its row and waits for the video's: they count it.
                FOR NO KEY UPDATE SKIP LOCKED)
        )
        UPDATE spend
        SET reserved_usd = spend.reserved_usd - video.reserved_usd,
            spent_usd = spend.spent_usd + video.usd
        FROM video
        WHERE (spend.scope = %(all)s AND spend.period = to_char(video.at, %(day)s))
           OR (spend.scope = video.key_id
               AND spend.period IN (to_char(video.at, %(day)s), to_char(video.at, %(month)s)))
        """,  # noqa: S608 - a constant of `jobs`
        {"run": run_id, "all": _ALL, "day": _DAY, "month": _MONTH},
    )


def settle_deleted(cursor: Cursor, session_id: str) -> None:
    """Count what calls for a deleted video cost that ended after it was deleted."""
    cursor.execute(
        f"""
        WITH late AS (
            SELECT d.session_id, d.key_id, d.counted_at AT TIME ZONE 'UTC' AS at,
                   spent.usd - d.settled_usd AS usd
            FROM deleted_videos d CROSS JOIN LATERAL (
                SELECT {attempts.COMMITTED} AS usd FROM provider_jobs
                WHERE session_id = d.session_id
            ) spent
            WHERE d.session_id = %(video)s FOR UPDATE OF d
        ), settled AS (
            UPDATE deleted_videos d SET settled_usd = settled_usd + late.usd
            FROM late WHERE d.session_id = late.session_id
        ), counted AS (
            UPDATE provider_jobs j SET key_id = late.key_id, counted_on = late.at::date
            FROM late WHERE j.id IN (
                SELECT id FROM provider_jobs
                WHERE session_id = late.session_id AND counted_on IS NULL
                FOR NO KEY UPDATE SKIP LOCKED)
        )
        UPDATE spend SET spent_usd = spend.spent_usd + late.usd FROM late
        WHERE (spend.scope = %(all)s AND spend.period = to_char(late.at, %(day)s))
           OR (spend.scope = late.key_id
               AND spend.period IN (to_char(late.at, %(day)s), to_char(late.at, %(month)s)))
        """,  # noqa: S608 - as above
        {"video": session_id, "all": _ALL, "day": _DAY, "month": _MONTH},
    )


def settle_late(cursor: Cursor, run_id: str) -> None:
    """Count what became of a call whose run had ended before it; of an open run nothing.

    What it brought may be what the video lacked, so its status is computed anew. Whoever ends the
    run at the same time holds the video's row: afterwards it is seen.
    """
    cursor.execute(
        """
        SELECT 1 FROM video_sessions s JOIN runs r USING (session_id)
        WHERE r.run_id = %s FOR NO KEY UPDATE OF s
        """,
        (run_id,),
    )
    cursor.execute(
        "SELECT session_id FROM runs WHERE run_id = %s AND ended_at IS NOT NULL", (run_id,)
    )
    if row := cursor.fetchone():
        release(cursor, run_id)
        video_status.refresh(cursor, row["session_id"])


def lock(cursor: Cursor, session_id: str) -> None:
    """Hold the video's row, so that nobody else counts its cost until the transaction ends."""
    cursor.execute(
        "SELECT 1 FROM video_sessions WHERE session_id = %s FOR NO KEY UPDATE", (session_id,)
    )


def committed_usd(cursor: Cursor, session_id: str) -> Decimal:
    """Return what a video has cost, with what calls that are still open may cost."""
    cursor.execute(
        f"""
        SELECT {attempts.COMMITTED} AS usd FROM provider_jobs WHERE session_id = %s
        """,  # noqa: S608 - a constant of `jobs`
        (session_id,),
    )
    row = cursor.fetchone()
    return Decimal(row["usd"]) if row else Decimal(0)


PaidStep = tuple[str, int, int]
"""Kind, scene and version of a step that is paid for, as in the ledger."""


def paid_steps(cursor: Cursor, session_id: str) -> dict[PaidStep, tuple[str, Decimal]]:
    """Return the state of each paid step's newest call that was not refused, with its estimate.

    A call that only the provider's gateway refused counts as refused.
    """
    cursor.execute(
        """
        SELECT DISTINCT ON (kind, scene, version) kind, scene, version, state, estimated_usd
        FROM provider_jobs WHERE session_id = %s AND state <> 'refused' AND estimated_usd > 0
          AND (state <> 'unknown' OR code IS DISTINCT FROM 'provider.not_accepted')
        ORDER BY kind, scene, version, attempt DESC
        """,
        (session_id,),
    )
    return {
        (row["kind"], row["scene"], row["version"]): (row["state"], row["estimated_usd"])
        for row in cursor.fetchall()
    }


def _used(cursor: Cursor, scope: str, period: str) -> Decimal:
    cursor.execute(
        """
        SELECT reserved_usd + spent_usd AS usd FROM spend
        WHERE scope = %s AND period = to_char(now() AT TIME ZONE 'UTC', %s)
        """,
        (scope, period),
    )
    row = cursor.fetchone()
    return Decimal(row["usd"]) if row else Decimal(0)


def _exceeded(remaining: Decimal, usd: Decimal, name: str) -> BudgetExceeded:
    return BudgetExceeded(
        f"This would cost about {usd:.4f} USD; under {name} {max(remaining, Decimal(0)):.4f} USD "
        "remain. Nothing was stored. Ask for fewer or shorter scenes, or raise the cap.",
        field="max_cost",
        allowed={"remaining_usd": f"{max(remaining, Decimal(0)):.6f}"},
    )
