"""SQL of the ledger of paid work: each call that may be charged has a row before it is made.

submitting   written before the call; it may have been made
submitted    accepted as a job, whose reference is kept
succeeded    done, with what it cost
refused      certainly not charged
failed       accepted, and ended without a result
unknown      may have been charged; nobody knows

What a call costs has three parts. It is charged (`actual_usd` less `possible_usd`) once that is
certain. It is open while it is under way, with its estimate. It is possible, with its estimate,
when nobody knows whether it was charged. The sum of all three is never below the provider's bill.
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
"""Columns of a query over `provider_jobs`: the fields of `Charges`."""

COMMITTED = "COALESCE(sum(COALESCE(actual_usd, estimated_usd)), 0)"
"""The same in one sum: what counts against caps."""


@dataclass(frozen=True, slots=True)
class Charges:
    """US dollars: charged for certain, open (under way), and possibly charged."""

    charged_usd: Decimal
    open_usd: Decimal
    possible_usd: Decimal

    @property
    def at_most_usd(self) -> Decimal:
        """The upper bound."""
        return self.charged_usd + self.open_usd + self.possible_usd


NOTHING = Charges(Decimal(0), Decimal(0), Decimal(0))


@dataclass(frozen=True, slots=True)
class Step:
    """What is paid for. It does not name the run, so a resumed run meets the same rows."""

    session_id: str
    kind: str
    scene: int
    version: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call for a step. `leased`: its worker may still be at it. `code`: why it ended so.

    Of a job: `found` is what it brought, as last seen; `collections` how often that could not be
    fetched; `asked_seconds` how long ago it was asked for; `collector_seconds` for how long the
    sweeper's worker has it.
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
    """Return the newest attempt for the step and lock it until the transaction ends.

    One that was refused was never made, and says nothing of those before it: it is returned only
    when there are no others. `paid`: those of free models say nothing of paid calls either, and
    are passed over.
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
    """Return the number of the step's next attempt. They count from 1, refused ones too."""
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


def failed(cursor: Cursor, step: Step) -> list[int]:
    """Return the numbers of the step's attempts that were accepted and brought nothing."""
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
    """Store a new attempt as submitting; None when another worker stored the same one first.

    A job holds a place among those of its model from now on; the others need no more than the row.
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


def is_made_again_in(cursor: Cursor, attempt: Attempt, run_id: str) -> bool:
    """Say whether the attempt was a call made once more, and made by this run."""
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
    """Keep the provider's job: the call was accepted, and its cost is open.

    The provider's own estimate of the job replaces a lower one.
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
    """Keep what a finished job cost, before its result has been downloaded."""
    cursor.execute(
        """
        UPDATE provider_jobs SET actual_usd = %s, units = %s, unit = %s, updated_at = now()
        WHERE id = %s AND state = 'submitted'
        """,
        (cost.usd, cost.units, cost.unit, attempt.id),
    )


def all_accepted(cursor: Cursor, provider: str, model: str, counted: int) -> bool:
    """Say whether every unknown call of the last 24 hours must have been accepted.

    That is so when the provider counts exactly those that are known to be accepted and those that
    are not, none is under way, and the account is used by this ledger alone. Another count says
    nothing: of fewer, some may be counted later; of more, others use the account.
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
    """Count one question after the job, which keeps its place so long; None: it has ended."""
    cursor.execute(
        """
        UPDATE provider_jobs
        SET polls = polls + 1, updated_at = now(), slot_until = now() + %s * interval '1 second'
        WHERE id = %s
        """,
        (hold_seconds, attempt.id),
    )


def mark_succeeded(cursor: Cursor, attempt: Attempt, cost: Cost) -> None:
    """Settle a call with what it cost."""
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
    """End a call as refused, failed or unknown, with the reason.

    An unknown call counts as possibly charged with its estimate, beside the `cost` that is known
    of it; and it may be a job that is under way, so it keeps its place for as long as it has one.
    A failed one without a `cost` counts as possibly charged too. A refused one costs nothing,
    unless it says what.
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
    """Exclude the step's failed jobs from collection, because another clip was ordered."""
    cursor.execute(
        """
        UPDATE provider_jobs SET code = 'clip.replaced', updated_at = now()
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s AND state = 'failed'
        """,
        (step.session_id, step.kind, step.scene, step.version),
    )


@dataclass(frozen=True, slots=True)
class StepCharges(Charges):
    """The cost of a step over all its attempts; `units` are those of the charged part."""

    kind: str
    scene: int
    estimated_usd: Decimal
    units: Decimal | None
    unit: str | None
    possible_duplicate: bool


def by_step(cursor: Cursor, session_id: str) -> list[StepCharges]:
    """Return what each step of the video costs."""
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
    """Return the clips that a provider is at, for money.

    `not_asked_seconds`: only those that were not asked for in so many seconds.
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
    """Return what the video costs."""
    cursor.execute(
        f"SELECT {SUMS} FROM provider_jobs WHERE session_id = %s",  # noqa: S608 - as above
        (session_id,),
    )
    (row,) = cursor.fetchall()
    return Charges(**row)
