"""The protocol of paid calls: no call is repeated while the outcome of the first is unknown.

1. An attempt is written to the ledger and committed, before anything is sent.
2. The call is made once. Providers answer with a result, or say `NotAccepted` (certainly not
   charged), a `PermanentError` (refused), or `OutcomeUnknown`.
3. What came back is settled: kept in the media store, then recorded together with the ledger.

A worker that meets an attempt without an end never makes the call again by itself: it may have
been accepted and charged. Free (offline) models are exempt; repeating them costs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol, TypeVar

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from common import ids
from common.database import Cursor, Database, jobs
from common.database.jobs import Attempt, Step
from common.errors import (
    NotAccepted,
    OutcomeUnknown,
    PermanentError,
    TransientError,
    VideoError,
)
from common.providers import JobRef
from common.providers.models import Model
from common.video import Cost

_SETTLE_SECONDS = 25  # a database failover takes about that long


class Result(Protocol):
    """What a paid call brings: anything that knows its cost."""

    @property
    def cost(self) -> Cost:
        """What the provider charged."""
        ...


R = TypeVar("R", bound=Result)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be paid for: the step, the model that does it, and the estimate in US dollars."""

    step: Step
    model: Model
    estimated_usd: Decimal


def call(
    database: Database,
    charge: Charge,
    *,
    make: Callable[[str], R],
    keep: Callable[[R], None],
    record: Callable[[Cursor, R], None],
) -> R:
    """Make one paid call that answers with its result.

    `make` gets the attempt's token; `keep` stores the result's media under a key of the step, so
    repeating it is harmless; `record` writes the result in the transaction that settles the
    attempt. Raises NotAccepted when the whole may be tried again.
    """
    attempt = _open(database, charge)
    result = _make(database, attempt, make)

    def settle() -> None:
        keep(result)
        with database.transaction() as cursor:
            jobs.succeeded(cursor, attempt, result.cost)
            record(cursor, result)

    _settle(settle)
    return result


def submit(database: Database, charge: Charge, make: Callable[[str], JobRef]) -> JobRef:
    """Make one paid call that answers with a job and keep the job; or return the one kept."""
    with database.transaction() as cursor:
        before = jobs.latest(cursor, charge.step)
    if before and before.state in ("submitted", "succeeded") and before.job:
        return JobRef.from_json(before.job)
    attempt = _open(database, charge)
    job = _make(database, attempt, make)

    def settle() -> None:
        with database.transaction() as cursor:
            jobs.submitted(cursor, attempt, job.as_json())

    _settle(settle)
    return job


def _open(database: Database, charge: Charge) -> Attempt:
    with database.transaction() as cursor:
        before = jobs.latest(cursor, charge.step)
        if before and before.state in ("submitting", "unknown") and charge.model.is_paid:
            raise OutcomeUnknown(
                f"An earlier {charge.step.kind} call to {charge.model.provider} was interrupted, "
                "and may have been charged. It is not made again by itself.",
                billed=None,
            )
        attempt = jobs.insert(
            cursor,
            charge.step,
            attempt=before.attempt + 1 if before else 1,
            token=ids.new("att"),
            provider=charge.model.provider,
            model=charge.model.model,
            estimated_usd=charge.estimated_usd,
        )
    if attempt is None:
        raise NotAccepted(
            "Another worker is at the same step; it is tried again.", code="step.busy"
        )
    return attempt


def _make(database: Database, attempt: Attempt, make: Callable[[str], T]) -> T:
    try:
        return make(attempt.token)
    except VideoError as error:
        refused = isinstance(error, NotAccepted | PermanentError) and not isinstance(
            error, OutcomeUnknown
        )
        with database.transaction() as cursor:
            jobs.ended(cursor, attempt, "refused" if refused else "unknown", error.error_code)
        raise


def _settle(settle: Callable[[], None]) -> None:
    """Store what was paid for, patiently: after the call, giving up loses money."""
    try:
        for attempt in Retrying(
            retry=retry_if_exception_type(TransientError),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            stop=stop_after_delay(_SETTLE_SECONDS),
            reraise=True,
        ):
            with attempt:
                settle()
    except TransientError as error:
        # Under this name the state machine does not try the step again: that would pay twice.
        raise PermanentError(
            "The provider did the work, but its result could not be stored in time.",
            code="ledger.unsettled",
            billed=True,
        ) from error
