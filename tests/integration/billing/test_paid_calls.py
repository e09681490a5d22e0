"""The protocol of paid calls, on a real PostgreSQL, with a provider that keeps its own book.

The judge is the provider's book, not our ledger: how often was something accepted?
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
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
    NotFound,
    OutcomeUnknown,
    PermanentError,
    ProviderRefused,
    TransientError,
)
from common.domain.video import WHOLE, Cost
from common.providers import JobRef, Reconciliation
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from tests.support.rows import admit

PRICE = Cost(usd=Decimal("0.25"))


class Killed(BaseException):
    """The worker is gone: nothing after this point runs."""


@dataclass
class Book:
    """A provider that counts what it accepted, and may fail around it."""

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
class Shelf:
    """A media store in memory; `broken` raises on every use."""

    objects: dict[str, bytes] = field(default_factory=dict)
    broken: BaseException | None = None

    def put(self, key: str, data: bytes, media_type: str) -> None:
        if self.broken:
            raise self.broken
        self.objects[key] = data

    def get(self, key: str) -> bytes:
        if key not in self.objects:
            raise NotFound("not there")
        return self.objects[key]

    def put_file(self, key: str, path: Path, media_type: str) -> None:
        self.put(key, path.read_bytes(), media_type)

    def get_file(self, key: str, path: Path) -> None:
        path.write_bytes(self.get(key))

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        return f"https://shelf.invalid/{key}"


@dataclass
class Bench:
    """A video, a ledger over it, and a provider."""

    database: Database
    video_id: str
    run_id: str
    shelf: Shelf = field(default_factory=Shelf)
    book: Book = field(default_factory=Book)
    model: models.Model = field(default_factory=lambda: models.paid().video)
    may_resubmit: bool = False
    max_cost_usd: Decimal | None = None
    scene: int = 1
    crash_in_record: BaseException | None = None
    reconcile: Reconciler | None = None

    def work(self) -> None:
        """One worker does the step, as a handler would."""
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
        PaidCalls(self.database, self.shelf).execute(
            charge, self.book.make, self.record, self.reconcile
        )

    def record(self, cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        if self.crash_in_record:
            raise self.crash_in_record
        if "cost" in facts:
            attempts.mark_succeeded(cursor, attempt, Cost.from_json(facts["cost"]))
        else:
            attempts.mark_submitted(cursor, attempt, dict(facts))

    def resume(self) -> None:
        """The run fails, and another goes on over the same rows."""
        with self.database.transaction() as cursor:
            runs.fail(cursor, self.run_id, {"code": "provider.outcome_unknown", "stage": "clip"})
        self.run_id = ids.new("run")
        with self.database.transaction() as cursor:
            runs.insert(cursor, self.run_id, self.video_id, "resume", Decimal(0))

    def lease_ends(self) -> None:
        with self.database.transaction() as cursor:
            cursor.execute("UPDATE provider_jobs SET lease_until = now() - interval '1 second'")

    def ledger(self) -> list[tuple[str, Decimal | None, bool]]:
        with self.database.transaction() as cursor:
            cursor.execute(
                "SELECT state, actual_usd, possible_duplicate FROM provider_jobs ORDER BY id"
            )
            return [(r["state"], r["actual_usd"], r["possible_duplicate"]) for r in cursor]


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database, *admit(database))


def test_a_call_is_made_once_and_settled(bench: Bench) -> None:
    bench.work()
    assert bench.book.accepted == 1
    assert bench.ledger() == [("succeeded", PRICE.usd, False)]


def test_who_comes_after_another_has_paid_does_not_pay(bench: Bench) -> None:
    """It read the step before the other one settled, and goes on only now."""
    bench.work()
    for _ in range(2):
        with pytest.raises(NotAccepted) as caught:
            bench.work()
        assert caught.value.error_code == "waiting.other_worker"
    assert bench.book.accepted == 1
    assert bench.ledger() == [("succeeded", PRICE.usd, False)]


def test_who_is_overtaken_after_the_look_does_not_pay(
    bench: Bench, migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    look, other = attempts.latest, replace(bench, database=Database(migrated))

    def overtaken(cursor: Cursor, step: Step, *, paid: bool = False) -> Attempt | None:
        seen = look(cursor, step, paid=paid)
        monkeypatch.setattr(attempts, "latest", look)
        other.work()
        return seen

    monkeypatch.setattr(attempts, "latest", overtaken)
    with pytest.raises(NotAccepted) as caught:
        bench.work()
    other.database.close()
    assert caught.value.error_code == "waiting.other_worker"
    assert bench.book.accepted == 1


def test_scenes_side_by_side_keep_to_the_limit_of_the_video(
    bench: Bench, migrated: DatabaseSettings
) -> None:
    """Only one of four fits under it, however they come."""
    gate, refused = Barrier(4), []

    def work(scene: int) -> None:
        own = Database(migrated)
        mine = replace(bench, database=own, scene=scene, max_cost_usd=PRICE.usd)
        with own.transaction() as cursor:
            cursor.execute("SELECT 1")
        gate.wait()
        try:
            mine.work()
        except BudgetExceeded as error:
            refused.append(error)
        finally:
            own.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, (1, 2, 3, 4)))
    assert bench.book.accepted == 1
    assert len(refused) == 3


@pytest.mark.parametrize(
    "error", [NotAccepted("busy"), ProviderRefused("no", billed=False)], ids=type
)
def test_what_was_refused_may_be_tried_again(error: Exception, bench: Bench) -> None:
    bench.book.before = error
    with pytest.raises(type(error)):
        bench.work()
    bench.book.before = None
    bench.work()
    assert bench.book.accepted == 1
    assert [row[0] for row in bench.ledger()] == ["refused", "succeeded"]
    assert bench.ledger()[0][1] == 0


def shed() -> NotAccepted:
    error = NotAccepted("busy")
    error.sheds_load = True
    return error


@pytest.mark.parametrize("counted", [None, 0, 2], ids=["untold", "none", "others'"])
def test_the_word_of_a_gateway_holds_until_the_count_says_otherwise(
    counted: int | None, bench: Bench
) -> None:
    bench.reconcile = lambda _: Reconciliation(accepted_count=counted)
    bench.book.before = shed()
    with pytest.raises(NotAccepted):
        bench.work()
    assert bench.ledger() == [("unknown", PRICE.usd, False)]
    bench.book.before = None
    bench.work()
    assert bench.book.accepted == 1
    assert [row[:2] for row in bench.ledger()] == [("refused", 0), ("succeeded", PRICE.usd)]


def test_a_call_that_was_counted_is_not_made_again_whatever_the_gateway_said(bench: Bench) -> None:
    bench.reconcile = lambda _: Reconciliation(accepted_count=1)
    bench.book.after = shed()
    with pytest.raises(NotAccepted):
        bench.work()
    bench.book.after = None
    with pytest.raises(OutcomeUnknown) as caught:
        bench.work()
    assert caught.value.error_code == "provider.accepted_id_lost"
    assert bench.book.accepted == 1
    assert bench.ledger() == [("unknown", PRICE.usd, False)]


def test_an_earlier_doubt_outlives_the_word_of_a_gateway(bench: Bench) -> None:
    bench.book.after = OutcomeUnknown("the line broke")
    with pytest.raises(OutcomeUnknown):
        bench.work()
    bench.book.after, bench.may_resubmit, bench.book.before = None, True, shed()
    with pytest.raises(NotAccepted):
        bench.work()
    bench.book.before, bench.may_resubmit = None, False
    with pytest.raises(OutcomeUnknown, match="repeated automatically"):
        bench.work()
    assert bench.book.accepted == 1


def test_what_was_charged_without_a_result_is_counted(bench: Bench) -> None:
    bench.book.after = ProviderRefused("held back", billed=True, cost=PRICE)
    with pytest.raises(ProviderRefused):
        bench.work()
    bench.book.after = None
    bench.work()
    assert bench.book.accepted == 2
    assert [row[:2] for row in bench.ledger()] == [("failed", PRICE.usd), ("succeeded", PRICE.usd)]


def test_media_that_cannot_be_kept_are_lost_and_billed(bench: Bench) -> None:
    def broken() -> None:
        raise PermanentError("S3 refused", code="storage.refused")

    with pytest.raises(PermanentError, match="once more") as lost:
        paid_calls.store_paid_media(broken, PRICE)
    assert (lost.value.error_code, lost.value.billed) == ("storage.refused", True)
    assert lost.value.cost == PRICE


def test_an_unknown_outcome_is_never_sent_again_by_itself(bench: Bench) -> None:
    bench.book.after = OutcomeUnknown("the line broke")
    with pytest.raises(OutcomeUnknown):
        bench.work()
    bench.book.after = None
    for _ in range(3):
        with pytest.raises(OutcomeUnknown, match="repeated automatically"):
            bench.work()
    assert bench.book.accepted == 1
    # It counts as spent: the cap may not be passed by what nobody knows.
    assert bench.ledger() == [("unknown", PRICE.usd, False)]


def test_a_killed_worker_leaves_an_unknown_outcome(bench: Bench) -> None:
    bench.book.after = Killed()
    with pytest.raises(Killed):
        bench.work()
    bench.book.after = None
    with pytest.raises(NotAccepted, match="Another worker"):
        bench.work()
    bench.lease_ends()
    with pytest.raises(OutcomeUnknown):
        bench.work()
    assert bench.book.accepted == 1


class LosesAnswers(Database):
    """Commits, and says that the connection broke; so often as `times` says."""

    times = 1

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        with super().transaction() as cursor:
            yield cursor
        self.times -= 1
        if self.times >= 0:
            raise DatabaseUnavailable("The answer to the commit is lost.")


def test_an_announcement_whose_answer_is_lost_is_gone_on_with(
    bench: Bench, migrated: DatabaseSettings
) -> None:
    bench.database = LosesAnswers(migrated)
    bench.work()
    assert bench.book.accepted == 1
    assert bench.ledger() == [("succeeded", PRICE.usd, False)]


def test_when_it_stays_lost_nothing_is_sent(bench: Bench, migrated: DatabaseSettings) -> None:
    bench.database = LosesAnswers(migrated)
    bench.database.times = 2
    with pytest.raises(DatabaseUnavailable):
        bench.work()
    assert bench.book.accepted == 0


def test_the_policy_allows_one_more_call_and_flags_it(bench: Bench) -> None:
    bench.may_resubmit = True
    bench.book.after = OutcomeUnknown("the line broke")
    with pytest.raises(OutcomeUnknown):
        bench.work()
    with pytest.raises(OutcomeUnknown):
        bench.work()
    with pytest.raises(OutcomeUnknown):
        bench.work()
    assert bench.book.accepted == 2
    assert bench.ledger() == [("unknown", PRICE.usd, False), ("unknown", PRICE.usd, True)]


def test_every_run_may_make_one_more_call_under_the_policy(bench: Bench) -> None:
    bench.may_resubmit = True
    bench.book.after = OutcomeUnknown("the line broke")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            bench.work()
    bench.resume()
    for said in ("broke", "repeated automatically"):
        with pytest.raises(OutcomeUnknown, match=said):
            bench.work()
    bench.book.after = None
    bench.resume()
    bench.work()
    assert bench.ledger() == [
        ("unknown", PRICE.usd, False),
        ("unknown", PRICE.usd, True),
        ("unknown", PRICE.usd, True),
        ("succeeded", PRICE.usd, True),
    ]


def test_a_refusal_in_between_settles_nothing_of_what_is_in_doubt(bench: Bench) -> None:
    bench.book.after = OutcomeUnknown("the line broke")
    with pytest.raises(OutcomeUnknown):
        bench.work()
    bench.resume()
    bench.may_resubmit, bench.book.before = True, NotAccepted("come later")
    with pytest.raises(NotAccepted):
        bench.work()
    bench.book.before = None
    bench.may_resubmit = False
    with pytest.raises(OutcomeUnknown, match="repeated automatically"):
        bench.work()
    bench.may_resubmit, bench.book.after = True, None
    bench.work()
    assert [(state, flagged) for state, _, flagged in bench.ledger()] == [
        ("unknown", False),
        ("refused", True),
        ("succeeded", True),
    ]


def test_a_step_that_was_tried_often_leaves_the_others_to_be_bought(bench: Bench) -> None:
    bench.may_resubmit = True
    bench.book.after = OutcomeUnknown("the line broke")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            bench.work()
    choice = replace(models.offline(), video=bench.model)
    with bench.database.transaction() as cursor:
        video = videos.get(cursor, bench.video_id)
        for again, left in ((False, 2), (True, 3)):
            estimate = remaining_work.estimate_remaining(cursor, video, WHOLE, choice, again=again)
            assert estimate == RemainingCost(PRICE.usd * left, PRICE.usd * 3)


def test_a_worker_killed_before_recording_loses_nothing(bench: Bench) -> None:
    bench.crash_in_record = Killed()
    with pytest.raises(Killed):
        bench.work()
    bench.crash_in_record = None
    bench.lease_ends()
    bench.work()
    assert bench.book.accepted == 1
    assert bench.ledger() == [("succeeded", PRICE.usd, False)]


def test_a_database_that_stays_away_loses_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.application.billing.paid_calls._SETTLE_SECONDS", 0.2)
    bench.crash_in_record = DatabaseUnavailable("gone")
    with pytest.raises(OutcomeUnknown) as caught:
        bench.work()
    assert caught.value.error_code == "ledger.unsettled"
    bench.crash_in_record = None
    bench.lease_ends()
    bench.work()
    assert bench.book.accepted == 1
    assert bench.ledger() == [("succeeded", PRICE.usd, False)]


def test_without_any_durable_place_it_is_unknown_and_not_paid_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.application.billing.paid_calls._SETTLE_SECONDS", 0.2)
    bench.crash_in_record = DatabaseUnavailable("gone")
    bench.shelf.broken = DatabaseUnavailable("gone too")
    with pytest.raises(OutcomeUnknown):
        bench.work()
    bench.crash_in_record, bench.shelf.broken = None, None
    bench.lease_ends()
    with pytest.raises(OutcomeUnknown):
        bench.work()
    assert bench.book.accepted == 1


JOB = JobRef("runway", "gen4_turbo", "task_1")


def codes(bench: Bench) -> list[str | None]:
    with bench.database.transaction() as cursor:
        cursor.execute("SELECT code FROM provider_jobs ORDER BY id")
        return [row["code"] for row in cursor]


def test_a_job_that_the_provider_shows_is_adopted_at_once(bench: Bench) -> None:
    bench.book.after = OutcomeUnknown("the line broke")
    bench.reconcile = lambda _: Reconciliation(JOB)
    bench.work()
    assert bench.book.accepted == 1
    assert (bench.ledger()[0][0], codes(bench)) == ("submitted", [None])


def test_a_job_that_the_provider_shows_later_is_adopted_then(bench: Bench) -> None:
    asked: list[str] = []

    def trace(attempt: Attempt) -> Reconciliation:
        asked.append(attempt.token)
        if len(asked) == 1:
            raise TransientError("not now")
        return Reconciliation(JOB) if len(asked) == 3 else Reconciliation()

    bench.reconcile = trace
    bench.book.after = Killed()
    with pytest.raises(Killed):
        bench.work()
    bench.book.after = None
    with pytest.raises(NotAccepted, match="Another worker"):
        bench.work()
    assert asked == [], "who may still be at it is not looked behind"
    bench.lease_ends()
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            bench.work()
    bench.work()
    assert len(set(asked)) == 1
    assert bench.book.accepted == 1
    assert [row[0] for row in bench.ledger()] == ["submitted"]


@pytest.mark.parametrize(
    ("counted", "code", "billed"),
    [
        (0, "provider.outcome_unknown", None),  # counted later, perhaps
        (1, "provider.accepted_id_lost", True),
        (2, "provider.outcome_unknown", None),  # others use the account
    ],
)
def test_a_count_proves_acceptance_and_nothing_else(
    counted: int, code: str, billed: bool | None, bench: Bench
) -> None:
    bench.book.after = OutcomeUnknown("the line broke")
    bench.reconcile = lambda _: Reconciliation(accepted_count=counted)
    for _ in range(2):  # at once, and when another run comes to it
        with pytest.raises(OutcomeUnknown) as caught:
            bench.work()
        assert (caught.value.error_code, caught.value.billed) == (code, billed)
        bench.reconcile = None
    assert bench.book.accepted == 1
    assert bench.ledger() == [("unknown", PRICE.usd, False)]
    assert codes(bench) == [code]


def test_a_count_proves_nothing_while_another_call_is_under_way(bench: Bench) -> None:
    bench.book.after = OutcomeUnknown("the line broke")
    with pytest.raises(OutcomeUnknown):
        bench.work()
    with bench.database.transaction() as cursor:
        attempts.insert(
            cursor,
            Step(bench.video_id, "clip", 2, 1),
            attempt=1,
            token="other",
            provider=bench.model.provider,
            model=bench.model.model,
            estimated_usd=PRICE.usd,
            lease_seconds=60,
            possible_duplicate=False,
        )
    bench.reconcile = lambda _: Reconciliation(accepted_count=2)
    with pytest.raises(OutcomeUnknown) as caught:
        bench.work()
    assert caught.value.error_code == "provider.outcome_unknown"


def test_the_policy_may_pay_again_for_what_is_lost_and_flags_it(bench: Bench) -> None:
    bench.book.after = OutcomeUnknown("the line broke")
    bench.reconcile = lambda _: Reconciliation(accepted_count=1)
    with pytest.raises(OutcomeUnknown):
        bench.work()
    bench.may_resubmit, bench.book.after = True, None
    bench.work()
    assert bench.ledger() == [("unknown", PRICE.usd, False), ("succeeded", PRICE.usd, True)]


def test_a_free_model_is_simply_asked_again(bench: Bench) -> None:
    bench.model = models.offline().video
    bench.book.after = Killed()
    with pytest.raises(Killed):
        bench.work()
    bench.book.after = None
    bench.work()
    assert bench.book.accepted == 2
    assert [row[2] for row in bench.ledger()] == [False, False]


def test_the_book_catches_a_worker_that_knows_no_protocol(bench: Bench) -> None:
    """The positive control: what the tests above would see if the protocol were not there."""
    for after in (Killed(), None):
        bench.book.after = after
        try:
            bench.book.make("")
        except Killed:
            continue
    assert bench.book.accepted == 2
