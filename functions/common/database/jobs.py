"""SQL of the ledger of paid work: each call that may be charged has a row before it is made."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from psycopg2.extras import Json

from common.database import Cursor
from common.video import Cost


@dataclass(frozen=True, slots=True)
class Step:
    """What is paid for. It does not name the run, so a resumed run meets the same rows."""

    session_id: str
    kind: str
    scene: int
    version: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call for a step."""

    id: int
    attempt: int
    state: str
    token: str
    job: dict[str, Any] | None
    polls: int
    estimated_usd: Decimal
    age_seconds: float


_COLUMNS = """id, attempt, state, token, job, polls, estimated_usd,
    extract(epoch FROM now() - created_at)::float AS age_seconds"""


def latest(cursor: Cursor, step: Step) -> Attempt | None:
    """Return the newest attempt for the step and lock it until the transaction ends."""
    cursor.execute(
        f"""
        SELECT {_COLUMNS} FROM provider_jobs
        WHERE session_id = %s AND kind = %s AND scene = %s AND version = %s
        ORDER BY attempt DESC LIMIT 1 FOR UPDATE
        """,  # noqa: S608 - the columns are a constant of this module
        (step.session_id, step.kind, step.scene, step.version),
    )
    row = cursor.fetchone()
    return Attempt(**row) if row else None


def insert(
    cursor: Cursor,
    step: Step,
    *,
    attempt: int,
    token: str,
    provider: str,
    model: str,
    estimated_usd: Decimal,
) -> Attempt | None:
    """Store a new attempt as submitting; None when another worker stored the same one first."""
    cursor.execute(
        f"""
        INSERT INTO provider_jobs (session_id, kind, scene, version, attempt, provider, model,
                                   state, token, estimated_usd)
        VALUES (%s, %s, %s, %s, %s, %s, %s, 'submitting', %s, %s)
        ON CONFLICT (session_id, kind, scene, version, attempt) DO NOTHING
        RETURNING {_COLUMNS}
        """,  # noqa: S608 - the columns are a constant of this module
        (
            step.session_id, step.kind, step.scene, step.version, attempt, provider, model, token,
            estimated_usd,
        ),
    )  # fmt: skip
    row = cursor.fetchone()
    return Attempt(**row) if row else None


def submitted(cursor: Cursor, attempt: Attempt, job: dict[str, Any]) -> None:
    """Keep the provider's job: the call was accepted."""
    cursor.execute(
        "UPDATE provider_jobs SET state = 'submitted', job = %s, updated_at = now() WHERE id = %s",
        (Json(job), attempt.id),
    )


def count_poll(cursor: Cursor, attempt: Attempt) -> None:
    """Count one question after the job."""
    cursor.execute(
        "UPDATE provider_jobs SET polls = polls + 1, updated_at = now() WHERE id = %s",
        (attempt.id,),
    )


def succeeded(cursor: Cursor, attempt: Attempt, cost: Cost) -> None:
    """Settle a call with what it cost."""
    cursor.execute(
        """
        UPDATE provider_jobs SET state = 'succeeded', actual_usd = %s, units = %s, unit = %s,
               updated_at = now()
        WHERE id = %s
        """,
        (cost.usd, cost.units, cost.unit, attempt.id),
    )


def ended(
    cursor: Cursor, attempt: Attempt, state: str, code: str, cost: Cost | None = None
) -> None:
    """End a call as refused, failed or unknown, with the reason."""
    cursor.execute(
        """
        UPDATE provider_jobs SET state = %s, code = %s, actual_usd = COALESCE(%s, actual_usd),
               updated_at = now()
        WHERE id = %s
        """,
        (state, code, cost.usd if cost else None, attempt.id),
    )


def actual_usd(cursor: Cursor, session_id: str) -> Decimal:
    """Return what the video has cost so far."""
    cursor.execute(
        "SELECT COALESCE(sum(actual_usd), 0) AS usd FROM provider_jobs WHERE session_id = %s",
        (session_id,),
    )
    row = cursor.fetchone()
    return Decimal(row["usd"]) if row else Decimal(0)
