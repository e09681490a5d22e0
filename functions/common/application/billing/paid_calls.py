"""The never-pay-twice protocol: a paid call is not repeated while its outcome is unknown.

1. An attempt is written to the ledger and committed before anything is sent (write-ahead).
2. The call is made once, when a provider slot is free (`provider_queue`). The provider returns a
   result, or raises `NotAccepted` (certainly not charged), a `PermanentError` (refused), or
   `OutcomeUnknown`.
3. The result is written to the media store as a receipt at once. This is a second durable store
   that does not depend on the database.
4. The result is recorded and the attempt is settled in one transaction.

Workers run at least once, so a worker may find an attempt that another one left open. It never
repeats the call automatically. If there is a receipt, it continues from the receipt. Without one
the call may have been accepted and charged, and the video's policy (`on_unknown`) decides.

Reconciling accepts only positive evidence. A job that the provider lists under the attempt's token
is adopted. A call that the provider must have counted gets the code `provider.accepted_id_lost`.
The absence of a job proves nothing. A call that only the provider's gateway refused stays unknown
until the step is retried, because by then the provider's job count may show that it was accepted.

Free (offline) models are exempt, because repeating them costs nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from common.application import run_metrics
from common.application.billing import provider_queue
from common.application.billing.charge import Charge
from common.aws.log import logger
from common.database import Cursor, Database, attempts, budget, provider_slots, runs
from common.database.attempts import Attempt
from common.domain import ids
from common.domain.errors import (
    BudgetExceeded,
    DatabaseUnavailable,
    NotAccepted,
    NotFound,
    OutcomeUnknown,
    PermanentError,
    ProviderRefused,
    TransientError,
    VideoError,
)
from common.domain.video import Cost
from common.providers import Reconciliation
from common.storage import MediaStore

_SETTLE_SECONDS = 25  # about the duration of a database failover

_ID_LOST = "provider.accepted_id_lost"

CallResult = Mapping[str, Any]
Reconciler = Callable[[Attempt], Reconciliation]


@dataclass(frozen=True, slots=True)
class PaidCalls:
    """The protocol and its two durable stores: the ledger and the receipts in the media store."""

    database: Database
    store: MediaStore

    def execute(
        self,
        charge: Charge,
        perform: Callable[[str], CallResult],
        record: Callable[[Cursor, Attempt, CallResult], None],
        reconcile: Reconciler | None = None,
    ) -> None:
        """Make one paid call for the step and record its result, or record an earlier result.

        `perform` gets the attempt's token, makes the call, stores media under a key of the step and
        returns JSON. `record` writes this result and the attempt's new state into the database; it
        must be idempotent. `reconcile` asks the provider of a job what became of an open attempt.
        Raises Waiting if the step has to be retried later.
        """
        try:
            if reconcile is not None:
                self._reconcile(charge, reconcile)
            attempt, result = self._open_attempt(charge)
            if result is None:
                if attempt.possible_duplicate:
                    run_metrics.record_possible_duplicate()
                result = self._call_or_reconcile(charge, attempt, perform, reconcile)
        except NotAccepted as error:
            raise provider_queue.enqueue(self.database, charge, error) from None
        self._commit_result(charge, attempt, result, record)

    def _reconcile(self, charge: Charge, reconcile: Reconciler) -> None:
        """Reconcile the latest attempt with its provider if it is open and has no receipt."""
        if not charge.model.is_paid:
            return
        with self.database.transaction() as cursor:
            runs.require_open(cursor, charge.run_id)
            latest = attempts.latest(cursor, charge.step, paid=True)
        abandoned = latest is not None and latest.state == "submitting" and not latest.leased
        if latest is None or not (abandoned or latest.state == "unknown"):
            return
        if self._receipt(charge, latest) is None:
            self._look_up(charge, latest, reconcile)

    def _look_up(
        self, charge: Charge, attempt: Attempt, reconcile: Reconciler
    ) -> tuple[CallResult | None, bool]:
        """Return the result of an open attempt, and whether the provider accepted the call.

        A result is stored as the attempt's receipt. If the provider only counts the call, the
        attempt ends as `provider.accepted_id_lost`.
        """
        try:
            evidence = reconcile(attempt)
        except NotAccepted:
            raise
        except VideoError as error:
            logger.warning("attempt not reconciled", extra={"code": error.error_code})
            return None, False
        if evidence.job is not None:
            result = evidence.job.as_json()
            self._put_receipt(charge, attempt, result)
            return result, True
        if evidence.accepted_count is None:
            return None, False
        step = charge.step
        with self.database.transaction() as cursor:
            accepted = attempts.are_unknown_calls_accepted(
                cursor, attempt.provider, attempt.model, evidence.accepted_count
            )
            if accepted:
                attempts.mark_ended(cursor, attempt, "unknown", _ID_LOST)
                facts = {"counted": evidence.accepted_count, "usd": str(charge.estimated_usd)}
                event = f"{step.kind}.accepted_id_lost"
                runs.add_event(cursor, charge.run_id, event, step.scene, facts)
        return None, accepted

    def _call_or_reconcile(
        self,
        charge: Charge,
        attempt: Attempt,
        perform: Callable[[str], CallResult],
        reconcile: Reconciler | None,
    ) -> CallResult:
        try:
            return self._call(charge, attempt, perform)
        except OutcomeUnknown:
            if reconcile is None or not charge.model.is_paid:
                raise
            result, accepted = self._look_up(charge, attempt, reconcile)
            if result is not None:
                return result
            if accepted:
                raise _outcome_unknown(charge, attempt, _ID_LOST) from None
            raise

    def _open_attempt(self, charge: Charge) -> tuple[Attempt, CallResult | None]:
        """Open an attempt; retry once if the response to its commit may have been lost.

        Nothing has been sent yet, so an attempt with this worker's token can only be the one that
        the first try committed. The worker uses it.
        """
        token = ids.new("att")
        try:
            return self._insert_attempt(charge, token)
        except DatabaseUnavailable:
            return self._insert_attempt(charge, token)

    def _insert_attempt(self, charge: Charge, token: str) -> tuple[Attempt, CallResult | None]:
        """Insert and return a new attempt, or return an open one together with its receipt.

        Raises NotAccepted (`step.busy`) if another worker has the step, BudgetExceeded, and
        OutcomeUnknown if an open attempt without a receipt may not be repeated.
        """
        with self.database.transaction() as cursor:
            # The run's row lock makes a cancellation either see this attempt or prevent it.
            runs.require_open(cursor, charge.run_id)
            # Read before the latest attempt: an attempt that another worker inserts after that
            # read has the same number, and the insert below fails.
            number = attempts.next_attempt(cursor, charge.step)
            latest, id_lost = _latest(cursor, charge), False
            if latest and latest.token == token:
                return latest, None
            if latest and charge.model.is_paid and latest.state in ("submitted", "succeeded"):
                # Another worker advanced the step since this one read it. The retry sees that.
                raise _other_worker()
            is_open = latest is not None and latest.state in ("submitting", "unknown")
            if latest and is_open and charge.model.is_paid:
                if latest.state == "submitting" and latest.leased:
                    raise _other_worker()
                # If the job is recorded, the receipt was used already.
                receipt = None if latest.job else self._receipt(charge, latest)
                if receipt is not None:
                    return latest, receipt
                id_lost = latest.code == _ID_LOST
                attempts.mark_ended(
                    cursor, latest, "unknown", _ID_LOST if id_lost else OutcomeUnknown.code
                )
            _check_budget(cursor, charge)
            attempt = None
            if not (is_open and charge.model.is_paid) or _may_resubmit(cursor, charge, latest):
                if charge.model.is_paid:
                    provider_queue.acquire_slot(cursor, charge)
                attempt = attempts.insert(
                    cursor,
                    charge.step,
                    attempt=number,
                    token=token,
                    provider=charge.model.provider,
                    model=charge.model.model,
                    estimated_usd=charge.estimated_usd,
                    lease_seconds=charge.lease_seconds,
                    possible_duplicate=is_open and charge.model.is_paid,
                    pictures=charge.pictures,
                    is_job=charge.model.kind == "video",
                    run_id=charge.run_id,
                )
                if attempt is None:
                    raise _other_worker()
        if attempt is None:
            assert latest is not None
            raise _outcome_unknown(charge, latest, _ID_LOST if id_lost else OutcomeUnknown.code)
        return attempt, None

    def _call(
        self, charge: Charge, attempt: Attempt, perform: Callable[[str], CallResult]
    ) -> CallResult:
        """Make the call and store its receipt; if it fails, end the attempt and raise the error."""
        try:
            result = perform(attempt.token)
        except VideoError as error:
            failure = error

            def end_attempt() -> None:
                with self.database.transaction() as cursor:
                    attempts.mark_ended(
                        cursor, attempt, _end_state(failure), failure.error_code, failure.cost
                    )
                    _settle_late(cursor, charge)
                    if isinstance(failure, NotAccepted) and failure.retry_after:
                        provider_slots.pause_provider(cursor, charge.model, failure.retry_after)

            _retry_until_deadline(end_attempt)
            raise
        if charge.model.is_paid:
            self._put_receipt(charge, attempt, result)
        return result

    def _put_receipt(self, charge: Charge, attempt: Attempt, result: CallResult) -> None:
        try:
            data = json.dumps(result).encode()
            self.store.put(charge.folder.receipt(attempt.token), data, "application/json")
        except VideoError as error:  # not fatal: the result is about to be written to the database
            logger.warning("receipt not stored", extra={"code": error.error_code})

    def _receipt(self, charge: Charge, attempt: Attempt) -> CallResult | None:
        try:
            result: CallResult = json.loads(self.store.get(charge.folder.receipt(attempt.token)))
        except NotFound:
            return None
        return result

    def _commit_result(
        self,
        charge: Charge,
        attempt: Attempt,
        result: CallResult,
        record: Callable[[Cursor, Attempt, CallResult], None],
    ) -> None:
        """Record the result and settle the attempt; retry, because a lost result costs money.

        Raises OutcomeUnknown with the code `ledger.unsettled`, which the state machine does not
        retry.
        """

        def settle() -> None:
            with self.database.transaction() as cursor:
                record(cursor, attempt, result)
                _settle_late(cursor, charge)

        try:
            _retry_until_deadline(settle)
        except TransientError as error:
            raise OutcomeUnknown(
                "The provider finished the call, but the result could not be stored in time. "
                "If its receipt was stored, resuming the video continues from it.",
                code="ledger.unsettled",
                billed=True,
                retryable=True,
            ) from error


def _settle_late(cursor: Cursor, charge: Charge) -> None:
    if charge.model.is_paid:
        budget.settle_late(cursor, charge.run_id)


def store_paid_media(store: Callable[[], None], cost: Cost) -> None:
    """Store paid media, with retries, before anything else is done with it.

    Until then it exists only in this worker's memory. If it is lost, raises PermanentError with
    its cost.
    """
    try:
        _retry_until_deadline(store)
    except VideoError as error:
        raise PermanentError(
            "The provider finished the call and charged for it, but the result could not be stored "
            "and is lost. Another call is charged again.",
            code=error.error_code,
            billed=True,
            cost=cost,
            retryable=True,
        ) from error


def _retry_until_deadline(store: Callable[[], None]) -> None:
    """Call `store` with backoff and jitter for the duration of a failover; raise its last error."""
    Retrying(
        retry=retry_if_exception_type(TransientError),
        wait=wait_random_exponential(multiplier=0.2, max=5),
        stop=stop_after_delay(_SETTLE_SECONDS),
        reraise=True,
    )(store)


def _end_state(error: VideoError) -> str:
    """Return the state of an attempt whose call ended in the error."""
    definite = isinstance(error, NotAccepted | PermanentError)
    if not definite or isinstance(error, OutcomeUnknown) or _may_be_contradicted(error):
        return "unknown"
    # Unless the provider states that a refused call is free, it may have been charged.
    charged = error.billed or (error.billed is None and isinstance(error, ProviderRefused))
    return "failed" if charged else "refused"


def _latest(cursor: Cursor, charge: Charge) -> Attempt | None:
    """Return the newest attempt, after settling one that only the provider's gateway refused.

    That attempt is marked as refused: if the provider's job count had contradicted the gateway,
    `_reconcile` would have found it.
    """
    latest = attempts.latest(cursor, charge.step, paid=charge.model.is_paid)
    if latest and latest.state == "unknown" and latest.code == NotAccepted.code:
        attempts.mark_ended(cursor, latest, "refused", NotAccepted.code)
        latest = attempts.latest(cursor, charge.step, paid=charge.model.is_paid)
    return latest


def _may_be_contradicted(error: VideoError) -> bool:
    """Return whether the provider's job count can show that a refused call was accepted."""
    return isinstance(error, NotAccepted) and error.sheds_load


def _check_budget(cursor: Cursor, charge: Charge) -> None:
    """Raise BudgetExceeded if the call would exceed the owner's limit for the video.

    The estimate was below the limit at admission, but charges may have risen since then.
    """
    if charge.max_cost_usd is None or not charge.estimated_usd:
        return
    budget.lock(cursor, charge.step.session_id)  # scenes in parallel must see each other's attempts
    committed = budget.committed_usd(cursor, charge.step.session_id)
    if committed + charge.estimated_usd > charge.max_cost_usd:
        raise BudgetExceeded(
            f"The video has cost {committed:.4f} USD; the next {charge.step.kind} would exceed its "
            f"max_cost of {charge.max_cost_usd:.4f} USD."
        )


def _may_resubmit(cursor: Cursor, charge: Charge, attempt: Attempt | None) -> bool:
    """Return whether the policy allows to repeat the call: at most once in each run.

    The owner authorizes another repetition by resuming the video.
    """
    if attempt is None or not charge.may_resubmit:
        return False
    return not attempts.is_repeated_by_run(cursor, attempt, charge.run_id)


def _outcome_unknown(charge: Charge, attempt: Attempt, code: str) -> OutcomeUnknown:
    """Return the error for a call that is not repeated automatically.

    The message names the attempt's provider, which may differ from the charge's after a resume.
    """
    id_lost = code == _ID_LOST
    outcome = (
        "was accepted and charged, but the response with the job's id was lost"
        if id_lost
        else "was interrupted and may have been charged"
    )
    return OutcomeUnknown(
        f"An earlier {charge.step.kind} call to {attempt.provider} {outcome}. It is not repeated "
        "automatically.",
        code=code,
        billed=True if id_lost else None,
    )


def _other_worker() -> NotAccepted:
    return NotAccepted("Another worker is running the same step.", code="step.busy", retry_after=10)
