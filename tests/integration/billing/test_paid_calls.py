"""The protocol of paid calls on a real PostgreSQL, with a provider that counts its own charges.

The tests assert on the provider's count of accepted calls, not on the ledger.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from threading import Barrier

import pytest

from common.application import remaining_work
from common.application.billing import paid_calls
from common.application.billing.charge import Charge
from common.application.billing.paid_calls import CallResult, PaidCalls, Reconciler
from common.application.remaining_work import RemainingCost
from common.database import Cursor, Database, attempts, runs, videos
from common.database.attempts import Attempt, Step
from common.domain import ids, models
from common.domain.errors import (
    BudgetExceeded,
    DatabaseUnavailable,
    NotAccepted,
    OutcomeUnknown,
    PermanentError,
    ProviderRefused,
    TransientError,
)
from common.domain.video import WHOLE, Cost
from common.providers import JobRef, Reconciliation
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import admit

PRICE = Cost(usd=Decimal("0.25"))


class Killed(BaseException):
    """The worker was killed: no code after this point runs."""


@dataclass
class FakeProvider:
    """A provider that counts accepted calls, and may fail before or after accepting one."""

    accepted: int = 0
    before: BaseException | None = None
    after: BaseException | None = None

    def make(self, _token: str) -> CallResult:
        if self.before:
            raise self.before
        self.accepted += 1
        if self.after:
            raise self.after
        return {"cost": PRICE.as_json()}


@dataclass
class PaidCallHarness:
    """A video with its ledger and a fake provider, to run steps against."""

    database: Database
    video_id: str
    run_id: str
    store: InMemoryMediaStore = field(default_factory=InMemoryMediaStore)
    provider: FakeProvider = field(default_factory=FakeProvider)
    model: models.Model = field(default_factory=lambda: models.paid().video)
    may_resubmit: bool = False
    max_cost_usd: Decimal | None = None
    scene: int = 1
    record_error: BaseException | None = None
    reconcile: Reconciler | None = None

    def run_step(self) -> None:
        """Execute the step in one worker, as a handler does."""
        charge = Charge(
            run_id=self.run_id,
            step=Step(self.video_id, "clip", self.scene, 1),
            folder=MediaFolder("alice", self.video_id),
            model=self.model,
            estimated_usd=PRICE.usd,
            lease_seconds=60,
            may_resubmit=self.may_resubmit,
            max_cost_usd=self.max_cost_usd,
        )
        PaidCalls(self.database, self.store).execute(
            charge, self.provider.make, self.record, self.reconcile
        )

    def record(self, cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        if self.record_error:
            raise self.record_error
        if "cost" in facts:
            attempts.mark_succeeded(cursor, attempt, Cost.from_json(facts["cost"]))
        else:
            attempts.mark_submitted(cursor, attempt, dict(facts))

    def resume(self) -> None:
        """Fail the run and start another one for the same video."""
        with self.database.transaction() as cursor:
            runs.fail(cursor, self.run_id, {"code": "provider.outcome_unknown", "stage": "clip"})
        self.run_id = ids.new("run")
        with self.database.transaction() as cursor:
            runs.insert(cursor, self.run_id, self.video_id, "resume", Decimal(0))

    def expire_lease(self) -> None:
        with self.database.transaction() as cursor:
            cursor.execute("UPDATE provider_jobs SET lease_until = now() - interval '1 second'")

    def ledger_rows(self) -> list[tuple[str, Decimal | None, bool]]:
        with self.database.transaction() as cursor:
            cursor.execute(
                "SELECT state, actual_usd, possible_duplicate FROM provider_jobs ORDER BY id"
            )
            return [(r["state"], r["actual_usd"], r["possible_duplicate"]) for r in cursor]


@pytest.fixture
def harness(database: Database) -> PaidCallHarness:
    return PaidCallHarness(database, *admit(database))


def test_paid_call_is_made_once_and_settled(harness: PaidCallHarness) -> None:
    harness.run_step()
    assert harness.provider.accepted == 1
    assert harness.ledger_rows() == [("succeeded", PRICE.usd, False)]


def test_late_worker_does_not_pay_again(harness: PaidCallHarness) -> None:
    """The worker read the step before the other one settled it, and continues only now."""
    harness.run_step()
    for _ in range(2):
        with pytest.raises(NotAccepted) as caught:
            harness.run_step()
        assert caught.value.error_code == "waiting.other_worker"
    assert harness.provider.accepted == 1
    assert harness.ledger_rows() == [("succeeded", PRICE.usd, False)]


def test_race_condition_between_workers_pays_once(
    harness: PaidCallHarness, migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    latest, other_worker = attempts.latest, replace(harness, database=Database(migrated))

    def latest_then_overtaken(cursor: Cursor, step: Step, *, paid: bool = False) -> Attempt | None:
        attempt = latest(cursor, step, paid=paid)
        monkeypatch.setattr(attempts, "latest", latest)
        other_worker.run_step()
        return attempt

    monkeypatch.setattr(attempts, "latest", latest_then_overtaken)
    with pytest.raises(NotAccepted) as caught:
        harness.run_step()
    other_worker.database.close()
    assert caught.value.error_code == "waiting.other_worker"
    assert harness.provider.accepted == 1


def test_concurrent_scenes_respect_the_cost_limit_of_the_video(
    harness: PaidCallHarness, migrated: DatabaseSettings
) -> None:
    """Only one of four fits under the limit, in any order."""
    barrier, rejected = Barrier(4), []

    def run_step(scene: int) -> None:
        own_database = Database(migrated)
        worker = replace(harness, database=own_database, scene=scene, max_cost_usd=PRICE.usd)
        with own_database.transaction() as cursor:
            cursor.execute("SELECT 1")
        barrier.wait()
        try:
            worker.run_step()
        except BudgetExceeded as error:
            rejected.append(error)
        finally:
            own_database.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(run_step, (1, 2, 3, 4)))
    assert harness.provider.accepted == 1
    assert len(rejected) == 3


@pytest.mark.parametrize(
    "error", [NotAccepted("busy"), ProviderRefused("no", billed=False)], ids=type
)
def test_unaccepted_call_allows_retry(error: Exception, harness: PaidCallHarness) -> None:
    harness.provider.before = error
    with pytest.raises(type(error)):
        harness.run_step()
    harness.provider.before = None
    harness.run_step()
    assert harness.provider.accepted == 1
    assert [row[0] for row in harness.ledger_rows()] == ["refused", "succeeded"]
    assert harness.ledger_rows()[0][1] == 0


def load_shedding_error() -> NotAccepted:
    error = NotAccepted("busy")
    error.sheds_load = True
    return error


@pytest.mark.parametrize("counted", [None, 0, 2], ids=["no count", "zero", "of others"])
def test_load_shedding_status_allows_retry_unless_a_charge_was_counted(
    counted: int | None, harness: PaidCallHarness
) -> None:
    harness.reconcile = lambda _: Reconciliation(accepted_count=counted)
    harness.provider.before = load_shedding_error()
    with pytest.raises(NotAccepted):
        harness.run_step()
    assert harness.ledger_rows() == [("unknown", PRICE.usd, False)]
    harness.provider.before = None
    harness.run_step()
    assert harness.provider.accepted == 1
    assert [row[:2] for row in harness.ledger_rows()] == [("refused", 0), ("succeeded", PRICE.usd)]


def test_counted_call_is_not_repeated_after_load_shedding(harness: PaidCallHarness) -> None:
    harness.reconcile = lambda _: Reconciliation(accepted_count=1)
    harness.provider.after = load_shedding_error()
    with pytest.raises(NotAccepted):
        harness.run_step()
    harness.provider.after = None
    with pytest.raises(OutcomeUnknown) as caught:
        harness.run_step()
    assert caught.value.error_code == "provider.accepted_id_lost"
    assert harness.provider.accepted == 1
    assert harness.ledger_rows() == [("unknown", PRICE.usd, False)]


def test_earlier_unknown_outcome_outlives_load_shedding(harness: PaidCallHarness) -> None:
    harness.provider.after = OutcomeUnknown("connection lost")
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    harness.provider.after, harness.may_resubmit, harness.provider.before = (
        None,
        True,
        load_shedding_error(),
    )
    with pytest.raises(NotAccepted):
        harness.run_step()
    harness.provider.before, harness.may_resubmit = None, False
    with pytest.raises(OutcomeUnknown, match="repeated automatically"):
        harness.run_step()
    assert harness.provider.accepted == 1


def test_charge_without_a_result_is_recorded(harness: PaidCallHarness) -> None:
    harness.provider.after = ProviderRefused("held back", billed=True, cost=PRICE)
    with pytest.raises(ProviderRefused):
        harness.run_step()
    harness.provider.after = None
    harness.run_step()
    assert harness.provider.accepted == 2
    assert [row[:2] for row in harness.ledger_rows()] == [
        ("failed", PRICE.usd),
        ("succeeded", PRICE.usd),
    ]


def test_paid_media_that_cannot_be_stored_are_billed(harness: PaidCallHarness) -> None:
    def broken() -> None:
        raise PermanentError("S3 refused", code="storage.refused")

    with pytest.raises(PermanentError, match="charged again") as caught:
        paid_calls.store_paid_media(broken, PRICE)
    assert (caught.value.error_code, caught.value.billed) == ("storage.refused", True)
    assert caught.value.cost == PRICE


def test_unknown_outcome_is_never_repeated_automatically(harness: PaidCallHarness) -> None:
    harness.provider.after = OutcomeUnknown("connection lost")
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    harness.provider.after = None
    for _ in range(3):
        with pytest.raises(OutcomeUnknown, match="repeated automatically"):
            harness.run_step()
    assert harness.provider.accepted == 1
    # It counts as spent, so that unknown charges cannot exceed the cap.
    assert harness.ledger_rows() == [("unknown", PRICE.usd, False)]


def test_killed_worker_leaves_an_unknown_outcome_after_its_lease(harness: PaidCallHarness) -> None:
    harness.provider.after = Killed()
    with pytest.raises(Killed):
        harness.run_step()
    harness.provider.after = None
    with pytest.raises(NotAccepted, match="Another worker"):
        harness.run_step()
    harness.expire_lease()
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    assert harness.provider.accepted == 1


class LosesCommitResponses(Database):
    """Commits, and then raises DatabaseUnavailable, `times` times."""

    times = 1

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        with super().transaction() as cursor:
            yield cursor
        self.times -= 1
        if self.times >= 0:
            raise DatabaseUnavailable("The answer to the commit is lost.")


def test_lost_commit_response_of_the_attempt_is_recovered(
    harness: PaidCallHarness, migrated: DatabaseSettings
) -> None:
    harness.database = LosesCommitResponses(migrated)
    harness.run_step()
    assert harness.provider.accepted == 1
    assert harness.ledger_rows() == [("succeeded", PRICE.usd, False)]


def test_repeatedly_lost_commit_response_sends_nothing(
    harness: PaidCallHarness, migrated: DatabaseSettings
) -> None:
    harness.database = LosesCommitResponses(migrated)
    harness.database.times = 2
    with pytest.raises(DatabaseUnavailable):
        harness.run_step()
    assert harness.provider.accepted == 0


def test_resubmit_policy_allows_one_flagged_duplicate(harness: PaidCallHarness) -> None:
    harness.may_resubmit = True
    harness.provider.after = OutcomeUnknown("connection lost")
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    assert harness.provider.accepted == 2
    assert harness.ledger_rows() == [("unknown", PRICE.usd, False), ("unknown", PRICE.usd, True)]


def test_resubmit_policy_allows_one_duplicate_per_run(harness: PaidCallHarness) -> None:
    harness.may_resubmit = True
    harness.provider.after = OutcomeUnknown("connection lost")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            harness.run_step()
    harness.resume()
    for message in ("lost", "repeated automatically"):
        with pytest.raises(OutcomeUnknown, match=message):
            harness.run_step()
    harness.provider.after = None
    harness.resume()
    harness.run_step()
    assert harness.ledger_rows() == [
        ("unknown", PRICE.usd, False),
        ("unknown", PRICE.usd, True),
        ("unknown", PRICE.usd, True),
        ("succeeded", PRICE.usd, True),
    ]


def test_rejected_attempt_does_not_settle_an_unknown_outcome(harness: PaidCallHarness) -> None:
    harness.provider.after = OutcomeUnknown("connection lost")
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    harness.resume()
    harness.may_resubmit, harness.provider.before = True, NotAccepted("busy")
    with pytest.raises(NotAccepted):
        harness.run_step()
    harness.provider.before = None
    harness.may_resubmit = False
    with pytest.raises(OutcomeUnknown, match="repeated automatically"):
        harness.run_step()
    harness.may_resubmit, harness.provider.after = True, None
    harness.run_step()
    assert [(state, duplicate) for state, _, duplicate in harness.ledger_rows()] == [
        ("unknown", False),
        ("refused", True),
        ("succeeded", True),
    ]


def test_remaining_cost_counts_repeated_attempts_of_a_step_once(harness: PaidCallHarness) -> None:
    harness.may_resubmit = True
    harness.provider.after = OutcomeUnknown("connection lost")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            harness.run_step()
    selection = replace(models.offline(), video=harness.model)
    with harness.database.transaction() as cursor:
        video = videos.get(cursor, harness.video_id)
        for again, remaining in ((False, 2), (True, 3)):
            estimate = remaining_work.estimate_remaining(
                cursor, video, WHOLE, selection, again=again
            )
            assert estimate == RemainingCost(PRICE.usd * remaining, PRICE.usd * 3)


def test_receipt_survives_a_worker_killed_before_recording(harness: PaidCallHarness) -> None:
    harness.record_error = Killed()
    with pytest.raises(Killed):
        harness.run_step()
    harness.record_error = None
    harness.expire_lease()
    harness.run_step()
    assert harness.provider.accepted == 1
    assert harness.ledger_rows() == [("succeeded", PRICE.usd, False)]


def test_receipt_survives_an_unavailable_database(
    harness: PaidCallHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.application.billing.paid_calls._SETTLE_SECONDS", 0.2)
    harness.record_error = DatabaseUnavailable("gone")
    with pytest.raises(OutcomeUnknown) as caught:
        harness.run_step()
    assert caught.value.error_code == "ledger.unsettled"
    harness.record_error = None
    harness.expire_lease()
    harness.run_step()
    assert harness.provider.accepted == 1
    assert harness.ledger_rows() == [("succeeded", PRICE.usd, False)]


def test_outcome_without_receipt_and_database_is_unknown_and_not_paid_twice(
    harness: PaidCallHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.application.billing.paid_calls._SETTLE_SECONDS", 0.2)
    harness.record_error = DatabaseUnavailable("gone")
    harness.store.error = DatabaseUnavailable("store unavailable")
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    harness.record_error, harness.store.error = None, None
    harness.expire_lease()
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    assert harness.provider.accepted == 1


JOB = JobRef("runway", "gen4_turbo", "task_1")


def codes(harness: PaidCallHarness) -> list[str | None]:
    with harness.database.transaction() as cursor:
        cursor.execute("SELECT code FROM provider_jobs ORDER BY id")
        return [row["code"] for row in cursor]


def test_reconciled_job_is_adopted_immediately(harness: PaidCallHarness) -> None:
    harness.provider.after = OutcomeUnknown("connection lost")
    harness.reconcile = lambda _: Reconciliation(JOB)
    harness.run_step()
    assert harness.provider.accepted == 1
    assert (harness.ledger_rows()[0][0], codes(harness)) == ("submitted", [None])


def test_job_that_appears_later_is_adopted(harness: PaidCallHarness) -> None:
    reconciled_tokens: list[str] = []

    def reconcile(attempt: Attempt) -> Reconciliation:
        reconciled_tokens.append(attempt.token)
        if len(reconciled_tokens) == 1:
            raise TransientError("not now")
        return Reconciliation(JOB) if len(reconciled_tokens) == 3 else Reconciliation()

    harness.reconcile = reconcile
    harness.provider.after = Killed()
    with pytest.raises(Killed):
        harness.run_step()
    harness.provider.after = None
    with pytest.raises(NotAccepted, match="Another worker"):
        harness.run_step()
    assert reconciled_tokens == [], "a worker with a valid lease is not reconciled"
    harness.expire_lease()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            harness.run_step()
    harness.run_step()
    assert len(set(reconciled_tokens)) == 1
    assert harness.provider.accepted == 1
    assert [row[0] for row in harness.ledger_rows()] == ["submitted"]


@pytest.mark.parametrize(
    ("counted", "code", "billed"),
    [
        (0, "provider.outcome_unknown", None),  # may be counted later
        (1, "provider.accepted_id_lost", True),
        (2, "provider.outcome_unknown", None),  # others use the account
    ],
)
def test_accepted_count_proves_only_a_charge(
    counted: int, code: str, billed: bool | None, harness: PaidCallHarness
) -> None:
    harness.provider.after = OutcomeUnknown("connection lost")
    harness.reconcile = lambda _: Reconciliation(accepted_count=counted)
    for _ in range(2):  # in the same call, and from a later run
        with pytest.raises(OutcomeUnknown) as caught:
            harness.run_step()
        assert (caught.value.error_code, caught.value.billed) == (code, billed)
        harness.reconcile = None
    assert harness.provider.accepted == 1
    assert harness.ledger_rows() == [("unknown", PRICE.usd, False)]
    assert codes(harness) == [code]


def test_accepted_count_proves_nothing_during_another_call(harness: PaidCallHarness) -> None:
    harness.provider.after = OutcomeUnknown("connection lost")
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    with harness.database.transaction() as cursor:
        attempts.insert(
            cursor,
            Step(harness.video_id, "clip", 2, 1),
            attempt=1,
            token="other",
            provider=harness.model.provider,
            model=harness.model.model,
            estimated_usd=PRICE.usd,
            lease_seconds=60,
            possible_duplicate=False,
        )
    harness.reconcile = lambda _: Reconciliation(accepted_count=2)
    with pytest.raises(OutcomeUnknown) as caught:
        harness.run_step()
    assert caught.value.error_code == "provider.outcome_unknown"


def test_resubmit_policy_repeats_a_lost_charge_and_flags_it(harness: PaidCallHarness) -> None:
    harness.provider.after = OutcomeUnknown("connection lost")
    harness.reconcile = lambda _: Reconciliation(accepted_count=1)
    with pytest.raises(OutcomeUnknown):
        harness.run_step()
    harness.may_resubmit, harness.provider.after = True, None
    harness.run_step()
    assert harness.ledger_rows() == [("unknown", PRICE.usd, False), ("succeeded", PRICE.usd, True)]


def test_free_model_is_repeated_after_a_crash(harness: PaidCallHarness) -> None:
    harness.model = models.offline().video
    harness.provider.after = Killed()
    with pytest.raises(Killed):
        harness.run_step()
    harness.provider.after = None
    harness.run_step()
    assert harness.provider.accepted == 2
    assert [row[2] for row in harness.ledger_rows()] == [False, False]


def test_control_fake_provider_detects_duplicate_calls(harness: PaidCallHarness) -> None:
    """Positive control: without the protocol, the provider counts two calls."""
    for after in (Killed(), None):
        harness.provider.after = after
        try:
            harness.provider.make("")
        except Killed:
            continue
    assert harness.provider.accepted == 2
