"""SQL of spending caps: a run's cost is reserved at admission and settled when the run ends."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from common.database import Cursor, attempts, video_status
from common.domain.errors import BudgetExceeded

_ALL = "all"
# Periods are UTC days and months by the database's clock.
_DAY, _MONTH = "YYYY-MM-DD", "YYYY-MM"
ACCEPTED_STATES = ("submitted", "succeeded")
"""States of a call that was accepted and whose result exists or is expected."""
UNKNOWN_STATES = ("submitting", "unknown")
"""States of a call whose outcome is unknown: it may have been charged."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Spending caps in US dollars; None means no cap.

    `all_daily` is the circuit breaker over all keys of the deployment stage together.
    """

    key_id: str
    daily: Decimal | None
    monthly: Decimal | None
    all_daily: Decimal | None

    def each(self) -> Iterator[tuple[str, str, Decimal | None, str]]:
        """Yield scope, period, cap and display name of each cap, always in the same order.

        Every transaction locks the rows in this order, so that two cannot deadlock.
        """
        yield _ALL, _DAY, self.all_daily, "the daily cap of this deployment"
        yield self.key_id, _DAY, self.daily, "the daily cap of this API key"
        yield self.key_id, _MONTH, self.monthly, "the monthly cap of this API key"


def reserve(cursor: Cursor, caps: Caps, usd: Decimal) -> None:
    """Reserve an amount under every cap; raises BudgetExceeded if one would be exceeded.

    Exact under any concurrency: each row is checked and increased in one upsert. The caller rolls
    back on the error, so nothing stays reserved.
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
    """Release the reservation of a run that ends, and count what was spent since the last release.

    A call in progress counts with its estimate until its outcome is known. The caller holds the
    row lock of the video.
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
                -- A transaction that settles a call holds its row lock, waits for that of the
                -- video, and counts the call itself.
                FOR NO KEY UPDATE SKIP LOCKED)
        )
        UPDATE spend
        SET reserved_usd = spend.reserved_usd - video.reserved_usd,
            spent_usd = spend.spent_usd + video.usd
        FROM video
        WHERE (spend.scope = %(all)s AND spend.period = to_char(video.at, %(day)s))
           OR (spend.scope = video.key_id
               AND spend.period IN (to_char(video.at, %(day)s), to_char(video.at, %(month)s)))
        """,  # noqa: S608 - a constant of `attempts`
        {"run": run_id, "all": _ALL, "day": _DAY, "month": _MONTH},
    )


def settle_deleted(cursor: Cursor, session_id: str) -> None:
    """Count the cost of calls that ended after their video was deleted."""
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
    """Count the cost of a call that ended after its run; do nothing while the run is open.

    The result of the call may complete the video, so the video's status is recomputed. The row
    lock of the video serializes this with a transaction that ends the run.
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
    """Lock the video's row until the transaction ends, to serialize the counting of its cost."""
    cursor.execute(
        "SELECT 1 FROM video_sessions WHERE session_id = %s FOR NO KEY UPDATE", (session_id,)
    )


def committed_usd(cursor: Cursor, session_id: str) -> Decimal:
    """Return the cost of a video in US dollars, including what open calls may still cost."""
    cursor.execute(
        f"""
        SELECT {attempts.COMMITTED} AS usd FROM provider_jobs WHERE session_id = %s
        """,  # noqa: S608 - a constant of `attempts`
        (session_id,),
    )
    row = cursor.fetchone()
    return Decimal(row["usd"]) if row else Decimal(0)


PaidStep = tuple[str, int, int]
"""Kind, scene and version of a paid step, as in the ledger."""


def paid_steps(cursor: Cursor, session_id: str) -> dict[PaidStep, tuple[str, Decimal]]:
    """Return state and estimate of the newest attempt of each paid step, refused ones excluded.

    An attempt that only the provider's gateway refused (unknown, `provider.not_accepted`) counts
    as refused.
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
        f"The estimated cost is {usd:.4f} USD, but under {name} only "
        f"{max(remaining, Decimal(0)):.4f} USD remain. Nothing was stored or charged. "
        "Request fewer or shorter scenes, or raise the cap.",
        field="max_cost",
        allowed={"remaining_usd": f"{max(remaining, Decimal(0)):.6f}"},
    )
