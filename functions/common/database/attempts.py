"""SQL of the ledger (`provider_jobs`): one row per attempt, written ahead of the paid call.

States of an attempt:

submitting   written before the call; the call may have been made
submitted    accepted as a job; the job reference is stored
succeeded    finished; the cost is stored
refused      certainly not charged
failed       accepted, but ended without a result
unknown      outcome unknown: the call may have been charged

The cost of an attempt has three parts. The charged part (`actual_usd` less `possible_usd`) is
certain. The open part is the estimate of a call in progress. The possible part is the estimate of
a call whose outcome is unknown. The sum of the three is never below the provider's bill.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg2.extras import Json

from common.database import Cursor
from common.domain.video import Cost

_OPEN = """CASE WHEN actual_usd IS NULL AND (state = 'submitted' OR lease_until > now())
    THEN estimated_usd ELSE 0 END"""
_POSSIBLE = """CASE WHEN actual_usd IS NULL AND state = 'submitting' AND lease_until <= now()
    THEN estimated_usd WHEN state IN ('unknown', 'failed') THEN possible_usd ELSE 0 END"""
_CHARGED = """CASE WHEN state IN ('unknown', 'failed') THEN actual_usd - possible_usd
    ELSE actual_usd END"""
SUMS = f"""COALESCE(sum({_CHARGED}), 0) AS charged_usd, COALESCE(sum({_OPEN}), 0) AS open_usd,
    COALESCE(sum({_POSSIBLE}), 0) AS possible_usd"""
"""Aggregate columns over `provider_jobs` that match the fields of `Charges`."""

COMMITTED = "COALESCE(sum(COALESCE(actual_usd, estimated_usd)), 0)"
"""The sum of the three parts as one aggregate: the amount that counts against caps."""


@dataclass(frozen=True, slots=True)
class Charges:
    """Cost in US dollars: charged for certain, open (in progress), and possibly charged."""

    charged_usd: Decimal
    open_usd: Decimal
    possible_usd: Decimal

    @property
    def at_most_usd(self) -> Decimal:
        """Upper bound of the cost: the sum of the three parts."""
        return self.charged_usd + self.open_usd + self.possible_usd


NO_CHARGES = Charges(Decimal(0), Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Step:
    """The unit of paid work. It does not include the run, so a resumed run finds the same rows."""

    session_id: str
    kind: str
    scene: int
    version: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One paid call for a step.

    `leased` is true while the worker that made the attempt may still be running. `code` is the
    reason for the final state. For jobs: `found` is the result as of the last poll, `collections`
    the number of failed downloads, `asked_seconds` the seconds since the last poll, and
    `collector_seconds` the remaining lease of the worker that the sweeper started.
    """

    id: int
    attempt: int
    provider: str
    model: str
    state: str
    token: str
    job: dict[str, Any] | None
    polls: int
    possible_duplicate: bool
    code: str | None
    leased: bool
    age_seconds: int
    found: dict[str, Any] | None
    collections: int
    run_id: str | None
    asked_seconds: float | None
    collector_seconds: int


_COLUMNS = """id, attempt, provider, model, state, token, job, polls, possible_duplicate, code,
    lease_until > now() AS leased, extract(epoch FROM now() - created_at)::int AS age_seconds,
    found, collections, run_id,
    extract(epoch FROM clock_timestamp() - polled_at)::float AS asked_seconds,
    GREATEST(0, ceil(extract(epoch FROM collector_until - now())))::int AS collector_seconds"""


def latest(cursor: Cursor, step: Step, *, paid: bool = False) -> Attempt | None:
    """Return the newest attempt for the step and lock its row until the transaction ends.

    A refused attempt was never charged and proves nothing about earlier ones, so it is returned
    only if all attempts were refused. With `paid`, attempts with free models are skipped too.
    """
    cursor.execute(
        f"""
        SELECT {_COLUMNS} FROM provider_jobs
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s
          AND (NOT %s OR estimated_usd > 0)
        ORDER BY state = 'refused', attempt DESC LIMIT 1 FOR UPDATE
        """,  # noqa: S608 - the columns are a constant of this module
        (step.session_id, step.kind, step.scene, step.version, paid),
    )
    row = cursor.fetchone()
    return Attempt(**row) if row else None


def next_attempt(cursor: Cursor, step: Step) -> int:
    """Return the number of the step's next attempt, counted from 1, including refused ones."""
    cursor.execute(
        """
        SELECT COALESCE(max(attempt), 0) + 1 AS attempt FROM provider_jobs
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s
        """,
        (step.session_id, step.kind, step.scene, step.version),
    )
    row = cursor.fetchone()
    assert row is not None
    number: int = row["attempt"]
    return number


def failed_attempts(cursor: Cursor, step: Step) -> list[int]:
    """Return the numbers of the step's attempts that were accepted but ended without a result."""
    cursor.execute(
        """
        SELECT attempt FROM provider_jobs
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s AND state = 'failed'
        """,
        (step.session_id, step.kind, step.scene, step.version),
    )
    return [row["attempt"] for row in cursor.fetchall()]


def insert(
    cursor: Cursor,
    step: Step,
    *,
    attempt: int,
    token: str,
    provider: str,
    model: str,
    estimated_usd: Decimal,
    lease_seconds: int,
    possible_duplicate: bool,
    pictures: int = 0,
    is_job: bool = False,
    run_id: str | None = None,
) -> Attempt | None:
    """Store a new attempt as submitting; return None if another worker stored it first.

    A job holds a provider slot of its model from now on. For other calls the row itself counts
    against the rate limit.
    """
    cursor.execute(
        f"""
        INSERT INTO provider_jobs (session_id, kind, scene, version, attempt, provider, model,
                                   state, token, estimated_usd, lease_until, possible_duplicate,
                                   input_pictures, slot_until, run_id)
        VALUES (%(session)s, %(kind)s, %(scene)s, %(version)s, %(attempt)s, %(provider)s, %(model)s,
                'submitting', %(token)s, %(usd)s, now() + %(lease)s * interval '1 second',
                %(duplicate)s, %(pictures)s,
                CASE WHEN %(is_job)s THEN now() + %(lease)s * interval '1 second' END, %(run)s)
        ON CONFLICT (session_id, kind, scene, version, attempt) DO NOTHING
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - the columns are a constant of this module
        {
            "session": step.session_id,
            "kind": step.kind,
            "scene": step.scene,
            "version": step.version,
            "attempt": attempt,
            "provider": provider,
            "model": model,
            "token": token,
            "usd": estimated_usd,
            "lease": lease_seconds,
            "duplicate": possible_duplicate,
            "pictures": pictures,
            "is_job": is_job,
            "run": run_id,
        },
    )
    row = cursor.fetchone()
    return Attempt(**row) if row else None


def is_repeated_by_run(cursor: Cursor, attempt: Attempt, run_id: str) -> bool:
    """Return whether this run made the attempt as a repetition after an unknown outcome."""
    cursor.execute(
        """
        SELECT 1 FROM provider_jobs j JOIN runs r USING (session_id)
        WHERE j.id = %s AND j.possible_duplicate AND r.run_id = %s
          AND r.created_at <= j.created_at
        """,
        (attempt.id, run_id),
    )
    return cursor.fetchone() is not None


def mark_submitted(cursor: Cursor, attempt: Attempt, job: dict[str, Any]) -> None:
    """Store the job reference of an accepted call, whose cost is open from now on.

    The provider's estimate replaces the stored one if it is higher.
    """
    cursor.execute(
        """
        UPDATE provider_jobs
        SET state = 'submitted', job = %s, code = NULL, updated_at = now(),
            estimated_usd = GREATEST(estimated_usd, %s), actual_usd = NULL, possible_usd = 0
        WHERE id = %s AND state IN ('submitting', 'unknown')
        """,
        (Json(job), job.get("estimated", {}).get("usd"), attempt.id),
    )


def record_charge(cursor: Cursor, attempt: Attempt, cost: Cost) -> None:
    """Store the cost of a finished job before its result is downloaded."""
    cursor.execute(
        """
        UPDATE provider_jobs SET actual_usd = %s, units = %s, unit = %s, updated_at = now()
        WHERE id = %s AND state = 'submitted'
        """,
        (cost.usd, cost.units, cost.unit, attempt.id),
    )


def are_unknown_calls_accepted(cursor: Cursor, provider: str, model: str, counted: int) -> bool:
    """Return whether every call of the last 24 hours with an unknown outcome was accepted.

    This is certain if the provider's count equals the accepted calls plus the unknown ones, no
    call is in progress, and nothing but this ledger uses the account. Any other count proves
    nothing: with a lower one, some calls may be counted later; with a higher one, others use the
    account.
    """
    cursor.execute(
        """
        SELECT count(*) FILTER (WHERE job IS NOT NULL) AS accepted,
               count(*) FILTER (
                   WHERE job IS NULL AND state IN ('submitting', 'unknown')
               ) AS unknown,
               count(*) FILTER (WHERE state = 'submitting' AND lease_until > now()) AS under_way
        FROM provider_jobs
        WHERE provider = %s AND model = %s AND created_at > now() - interval '24 hours'
        """,
        (provider, model),
    )
    row = cursor.fetchone()
    if row is None or row["under_way"] or not row["unknown"]:
        return False
    return bool(counted == row["accepted"] + row["unknown"])


def count_poll(cursor: Cursor, attempt: Attempt, hold_seconds: int | None) -> None:
    """Count one poll of the job and renew its provider slot for `hold_seconds`.

    None frees the slot, because the job has ended.
    """
    cursor.execute(
        """
        UPDATE provider_jobs
        SET polls = polls + 1, updated_at = now(), slot_until = now() + %s * interval '1 second'
        WHERE id = %s
        """,
        (hold_seconds, attempt.id),
    )


def mark_succeeded(cursor: Cursor, attempt: Attempt, cost: Cost) -> None:
    """Settle a successful call with its cost."""
    cursor.execute(
        """
        UPDATE provider_jobs SET state = 'succeeded', actual_usd = %s, units = %s, unit = %s,
               possible_usd = 0, updated_at = now(), slot_until = NULL
        WHERE id = %s
        """,
        (cost.usd, cost.units, cost.unit, attempt.id),
    )


def mark_ended(
    cursor: Cursor, attempt: Attempt, state: str, code: str, cost: Cost | None = None
) -> None:
    """Settle a call as refused, failed or unknown, with the reason.

    An unknown call counts as possibly charged with its estimate, in addition to the known `cost`.
    It may be a running job, so it keeps its provider slot until the slot expires. A failed call
    without a `cost` counts as possibly charged too. A refused call costs nothing unless `cost` is
    given.
    """
    cursor.execute(
        """
        UPDATE provider_jobs
        SET state = %(state)s, code = %(code)s, updated_at = now(),
            slot_until = CASE WHEN %(state)s = 'unknown' THEN slot_until END,
            actual_usd = CASE WHEN %(state)s = 'unknown' THEN COALESCE(%(usd)s, 0) + estimated_usd
                              WHEN %(state)s = 'failed' THEN COALESCE(%(usd)s, estimated_usd)
                              ELSE COALESCE(%(usd)s, 0) END,
            possible_usd = CASE WHEN %(state)s = 'unknown'
                                  OR (%(state)s = 'failed' AND %(usd)s::numeric IS NULL)
                                THEN estimated_usd ELSE 0 END,
            units = %(units)s, unit = %(unit)s
        WHERE id = %(id)s AND state <> 'succeeded'
        """,
        {
            "state": state,
            "code": code,
            "usd": cost.usd if cost else None,
            "units": cost.units if cost else None,
            "unit": cost.unit if cost else None,
            "id": attempt.id,
        },
    )


def mark_replaced(cursor: Cursor, step: Step) -> None:
    """Exclude the step's failed jobs from collection, because a new clip replaces theirs."""
    cursor.execute(
        """
        UPDATE provider_jobs SET code = 'clip.replaced', updated_at = now()
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s AND state = 'failed'
        """,
        (step.session_id, step.kind, step.scene, step.version),
    )


@dataclass(frozen=True, slots=True)
class StepCharges(Charges):
    """Cost of a step over all its attempts; `units` are those of the charged part."""

    kind: str
    scene: int
    estimated_usd: Decimal
    units: Decimal | None
    unit: str | None
    possible_duplicate: bool


def by_step(cursor: Cursor, session_id: str) -> list[StepCharges]:
    """Return the charges of each step of the video, ordered by scene and kind."""
    cursor.execute(
        f"""
        SELECT kind, scene, max(estimated_usd) AS estimated_usd, {SUMS},
               sum(units) AS units, max(unit) AS unit,
               bool_or(possible_duplicate AND state <> 'refused') AS possible_duplicate
        FROM provider_jobs WHERE session_id = %s GROUP BY kind, scene ORDER BY scene, kind
        """,  # noqa: S608 - the columns are a constant of this module
        (session_id,),
    )
    return [StepCharges(**row) for row in cursor.fetchall()]


def open_clips(
    cursor: Cursor, session_id: str, *, not_asked_seconds: float | None = None
) -> list[Step]:
    """Return the steps with a paid clip job in progress.

    With `not_asked_seconds`, only jobs that were not polled within that many seconds.
    """
    cursor.execute(
        """
        SELECT DISTINCT session_id, kind, scene, version FROM provider_jobs
        WHERE session_id = %(video)s AND kind = 'clip' AND state = 'submitted'
          AND estimated_usd > 0
          AND (%(seconds)s::float IS NULL OR polled_at IS NULL
               OR polled_at < clock_timestamp() - %(seconds)s * interval '1 second')
        ORDER BY scene, version
        """,
        {"video": session_id, "seconds": not_asked_seconds},
    )
    return [Step(**row) for row in cursor.fetchall()]


def charges(cursor: Cursor, session_id: str) -> Charges:
    """Return the charges of the video over all its steps."""
    cursor.execute(
        f"SELECT {SUMS} FROM provider_jobs WHERE session_id = %s",  # noqa: S608 - as above
        (session_id,),
    )
    (row,) = cursor.fetchall()
    return Charges(**row)
