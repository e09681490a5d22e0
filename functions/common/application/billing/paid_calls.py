"""The protocol of paid calls: no call is repeated while the outcome of the first is unknown.

1. An attempt is written to the ledger and committed, before anything is sent.
2. The call is made once, when a provider slot is free (`provider_queue`). The provider returns a
   result, or raises `NotAccepted` (certainly not charged), a `PermanentError` (refused), or
   `OutcomeUnknown`.
3. A receipt of what came back goes to the media store at once: a second durable place, which
   does not need the database.
4. The result is kept and recorded, in one transaction with the ledger.

A worker that meets an attempt without an end never makes the call again by itself. It looks for
the receipt and goes on from there; without one the call may have been accepted and charged, and
the video's policy decides. Only positive evidence moves a row: a job that the provider shows by the
attempt's token is adopted, and a call that it must have counted is `provider.accepted_id_lost`.
Silence proves nothing. A call that only the provider's gateway refused stays unknown until the step
comes back: by then the provider's count of its jobs may show that it was accepted after all.
Free (offline) models are exempt; repeating them costs nothing.
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

_SETTLE_SECONDS = 25  # a database failover takes about that long

_ID_LOST = "provider.accepted_id_lost"

CallResult = Mapping[str, Any]
Reconciler = Callable[[Attempt], Reconciliation]


@dataclass(frozen=True, slots=True)
class PaidCalls:
    """The protocol, with the two durable places that it writes to."""

    database: Database
    store: MediaStore

    def execute(
        self,
        charge: Charge,
        make: Callable[[str], CallResult],
        record: Callable[[Cursor, Attempt, CallResult], None],
        trace: Reconciler | None = None,
    ) -> None:
        """Make one paid call for the step and record its result; or record one that was made.

        `make` gets the attempt's token, makes the call, keeps media under a key of the step, and
        returns plain JSON facts. `record` writes those, and what it means for the attempt, into
        the database; it may be repeated. `trace` asks the provider of a job what became of an
        attempt that has no end. Raises Waiting when the whole is to be tried again.
        """
        try:
            if trace is not None:
                self._reconcile(charge, trace)
            attempt, facts = self._open_attempt(charge)
            if facts is None:
                if attempt.possible_duplicate:
                    run_metrics.record_possible_duplicate()
                facts = self._call_or_reconcile(charge, attempt, make, trace)
        except NotAccepted as error:
            raise provider_queue.enqueue(self.database, charge, error) from None
        self._commit_result(charge, attempt, facts, record)

    def _reconcile(self, charge: Charge, trace: Reconciler) -> None:
        """If an earlier attempt has no end and no receipt, let its provider supply one."""
        if not charge.model.is_paid:
            return
        with self.database.transaction() as cursor:
            runs.require_open(cursor, charge.run_id)
            before = attempts.latest(cursor, charge.step, paid=True)
        dead = before is not None and before.state == "submitting" and not before.leased
        if before is None or not (dead or before.state == "unknown"):
            return
        if self._receipt(charge, before) is None:
            self._look_up(charge, before, trace)

    def _look_up(
        self, charge: Charge, attempt: Attempt, trace: Reconciler
    ) -> tuple[CallResult | None, bool]:
        """Return what an attempt without an end brought, and whether it was accepted."""
        try:
            found = trace(attempt)
        except NotAccepted:
            raise
        except VideoError as error:
            logger.warning("no trace", extra={"code": error.error_code})
            return None, False
        if found.job is not None:
            facts = found.job.as_json()
            self._put_receipt(charge, attempt, facts)
            return facts, True
        if found.accepted_count is None:
            return None, False
        step = charge.step
        with self.database.transaction() as cursor:
            accepted = attempts.all_accepted(
                cursor, attempt.provider, attempt.model, found.accepted_count
            )
            if accepted:
                attempts.mark_ended(cursor, attempt, "unknown", _ID_LOST)
                facts = {"counted": found.accepted_count, "usd": str(charge.estimated_usd)}
                event = f"{step.kind}.accepted_id_lost"
                runs.add_event(cursor, charge.run_id, event, step.scene, facts)
        return None, accepted

    def _call_or_reconcile(
        self,
        charge: Charge,
        attempt: Attempt,
        make: Callable[[str], CallResult],
        trace: Reconciler | None,
    ) -> CallResult:
        try:
            return self._call(charge, attempt, make)
        except OutcomeUnknown:
            if trace is None or not charge.model.is_paid:
                raise
            facts, accepted = self._look_up(charge, attempt, trace)
            if facts is not None:
                return facts
            if accepted:
                raise _outcome_unknown(charge, attempt, _ID_LOST) from None
            raise

    def _open_attempt(self, charge: Charge) -> tuple[Attempt, CallResult | None]:
        """Open an attempt; once more when the answer to its commit may have been lost.

        Nothing has been sent yet, so an attempt with this worker's token is its own to go on with.
        """
        token = ids.new("att")
        try:
            return self._insert_attempt(charge, token)
        except DatabaseUnavailable:
            return self._insert_attempt(charge, token)

    def _insert_attempt(self, charge: Charge, token: str) -> tuple[Attempt, CallResult | None]:
        """Return a new attempt, or an open one together with its receipt."""
        with self.database.transaction() as cursor:
            # Before the call: who cancels the run either sees this attempt, or prevents it.
            runs.require_open(cursor, charge.run_id)
            # Counted before the look: what another worker stores after that has this number too.
            number = attempts.next_attempt(cursor, charge.step)
            before, lost = _latest(cursor, charge), False
            if before and before.token == token:
                return before, None
            if before and charge.model.is_paid and before.state in ("submitted", "succeeded"):
                # Another worker got on since this one read the step: coming back, it sees that.
                raise _other_worker()
            is_open = before is not None and before.state in ("submitting", "unknown")
            if before and is_open and charge.model.is_paid:
                if before.state == "submitting" and before.leased:
                    raise _other_worker()
                # A job that is recorded has had its receipt's use.
                receipt = None if before.job else self._receipt(charge, before)
                if receipt is not None:
                    return before, receipt
                lost = before.code == _ID_LOST
                attempts.mark_ended(
                    cursor, before, "unknown", _ID_LOST if lost else OutcomeUnknown.code
                )
            _check_budget(cursor, charge)
            attempt = None
            if not (is_open and charge.model.is_paid) or _may_resubmit(cursor, charge, before):
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
            assert before is not None
            raise _outcome_unknown(charge, before, _ID_LOST if lost else OutcomeUnknown.code)
        return attempt, None

    def _call(
        self, charge: Charge, attempt: Attempt, make: Callable[[str], CallResult]
    ) -> CallResult:
        try:
            facts = make(attempt.token)
        except VideoError as error:
            failed = error

            def end() -> None:
                with self.database.transaction() as cursor:
                    attempts.mark_ended(
                        cursor, attempt, _end_state(failed), failed.error_code, failed.cost
                    )
                    _settle_late(cursor, charge)
                    if isinstance(failed, NotAccepted) and failed.retry_after:
                        provider_slots.pause_provider(cursor, charge.model, failed.retry_after)

            _retry_until_deadline(end)
            raise
        if charge.model.is_paid:
            self._put_receipt(charge, attempt, facts)
        return facts

    def _put_receipt(self, charge: Charge, attempt: Attempt, facts: CallResult) -> None:
        try:
            data = json.dumps(facts).encode()
            self.store.put(charge.folder.receipt(attempt.token), data, "application/json")
        except VideoError as error:  # the database is the first place, and still to come
            logger.warning("receipt not stored", extra={"code": error.error_code})

    def _receipt(self, charge: Charge, attempt: Attempt) -> CallResult | None:
        try:
            facts: CallResult = json.loads(self.store.get(charge.folder.receipt(attempt.token)))
        except NotFound:
            return None
        return facts

    def _commit_result(
        self,
        charge: Charge,
        attempt: Attempt,
        facts: CallResult,
        record: Callable[[Cursor, Attempt, CallResult], None],
    ) -> None:
        """Record what was paid for. After the call, giving up costs money.

        Raises OutcomeUnknown under the code `ledger.unsettled`, which the state machine does not
        retry.
        """

        def settle() -> None:
            with self.database.transaction() as cursor:
                record(cursor, attempt, facts)
                _settle_late(cursor, charge)

        try:
            _retry_until_deadline(settle)
        except TransientError as error:
            raise OutcomeUnknown(
                "The provider did the work, but its result could not be stored in time. "
                "Where a receipt was kept, a resume goes on from it.",
                code="ledger.unsettled",
                billed=True,
                retryable=True,
            ) from error


def _settle_late(cursor: Cursor, charge: Charge) -> None:
    if charge.model.is_paid:
        budget.settle_late(cursor, charge.run_id)


def store_paid_media(store: Callable[[], None], cost: Cost) -> None:
    """Store media that was paid for, again and again, before anything else is done with it.

    It is in this worker's memory alone. Raises PermanentError, with what it cost, when it is lost.
    """
    try:
        _retry_until_deadline(store)
    except VideoError as error:
        raise PermanentError(
            "The provider made it and charged for it, but it could not be stored, and is lost. "
            "Making it again costs once more.",
            code=error.error_code,
            billed=True,
            cost=cost,
            retryable=True,
        ) from error


def _retry_until_deadline(store: Callable[[], None]) -> None:
    """Store something again and again, for as long as a failover takes; raises the last error."""
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
    # What a provider refused, and does not say to be free, may have been charged all the same.
    charged = error.billed or (error.billed is None and isinstance(error, ProviderRefused))
    return "failed" if charged else "refused"


def _latest(cursor: Cursor, charge: Charge) -> Attempt | None:
    """Return the newest attempt, after one that only the provider's gateway refused is settled.

    Nothing contradicted the gateway since, or `_look_back` would have seen it.
    """
    before = attempts.latest(cursor, charge.step, paid=charge.model.is_paid)
    if before and before.state == "unknown" and before.code == NotAccepted.code:
        attempts.mark_ended(cursor, before, "refused", NotAccepted.code)
        before = attempts.latest(cursor, charge.step, paid=charge.model.is_paid)
    return before


def _may_be_contradicted(error: VideoError) -> bool:
    """Say whether the provider's count of its jobs can show that a refused call was accepted."""
    return isinstance(error, NotAccepted) and error.sheds_load


def _check_budget(cursor: Cursor, charge: Charge) -> None:
    """Refuse a call that would pass the owner's limit; the estimate was below it at admission."""
    if charge.max_cost_usd is None or not charge.estimated_usd:
        return
    budget.lock(cursor, charge.step.session_id)  # or scenes side by side would not see each other
    committed = budget.committed_usd(cursor, charge.step.session_id)
    if committed + charge.estimated_usd > charge.max_cost_usd:
        raise BudgetExceeded(
            f"The video has cost {committed:.4f} USD; the next {charge.step.kind} would pass its "
            f"max_cost of {charge.max_cost_usd:.4f} USD."
        )


def _may_resubmit(cursor: Cursor, charge: Charge, before: Attempt | None) -> bool:
    """Once in each run, if the policy allows it: the owner asks for another by resuming."""
    if before is None or not charge.may_resubmit:
        return False
    return not attempts.is_made_again_in(cursor, before, charge.run_id)


def _outcome_unknown(charge: Charge, before: Attempt, code: str) -> OutcomeUnknown:
    """Say why the call `before` is not made again by itself; it may be another provider's."""
    lost = code == _ID_LOST
    became = (
        "was accepted and charged, but the answer with the job's id was lost"
        if lost
        else "was interrupted and may have been charged"
    )
    return OutcomeUnknown(
        f"An earlier {charge.step.kind} call to {before.provider} {became}. It is not repeated "
        "automatically.",
        code=code,
        billed=True if lost else None,
    )


def _other_worker() -> NotAccepted:
    return NotAccepted("Another worker is at the same step.", code="step.busy", retry_after=10)
