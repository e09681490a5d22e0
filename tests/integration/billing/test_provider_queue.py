"""Provider limits shared by all runs, on a real PostgreSQL: exact, fair, visible, without leaks."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import pytest

from common.application.billing.charge import Charge
from common.application.billing.paid_calls import CallResult, PaidCalls
from common.application.billing.provider_queue import MOST_ROUNDS
from common.database import Cursor, Database, attempts, provider_queue, runs
from common.database.attempts import Attempt, Step
from common.domain import models
from common.domain.errors import NotAccepted, OutcomeUnknown, ProviderRefused, Waiting
from common.domain.provider_limits import Limit
from common.domain.video import Cost
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import admit

JOB_LIMIT, IMAGE_LIMIT = Limit("jobs_at_once", 2), Limit("images_per_minute", 5)
PRICE = Cost(usd=Decimal("0.05"))


@dataclass
class QueueHarness:
    """A video of many scenes, and workers that start their clips or generate their images."""

    database: Database
    video_id: str
    run_id: str
    limits: tuple[Limit, ...] = (JOB_LIMIT,)
    started_scenes: list[int] = field(default_factory=list)
    error: Exception | None = None

    def charge(self, scene: int, kind: str, pictures: int) -> Charge:
        paid = models.paid()
        return Charge(
            run_id=self.run_id,
            step=Step(self.video_id, kind, scene, 1),
            folder=MediaFolder("alice", self.video_id),
            model=paid.video if kind == "clip" else paid.image,
            estimated_usd=PRICE.usd,
            lease_seconds=60,
            may_resubmit=False,
            limits=self.limits,
            pictures=pictures,
        )

    def start(self, scene: int, database: Database | None = None) -> None:
        """Start the clip of a scene."""
        self._pay(self.charge(scene, "clip", 0), database, self._record_job)

    def generate_image(self, scene: int, pictures: int = 1) -> None:
        """Generate the image of a scene, which counts as `pictures` images."""
        self._pay(self.charge(scene, "image", pictures), None, self._record_image)

    def _pay(self, charge: Charge, database: Database | None, record: Any) -> None:
        def make(_token: str) -> CallResult:
            if self.error:
                raise self.error
            self.started_scenes.append(charge.step.scene)
            return {}

        PaidCalls(database or self.database, InMemoryMediaStore()).execute(charge, make, record)

    def expect_waiting(self, scene: int) -> Waiting:
        """Start a clip that has to wait; return the error."""
        with pytest.raises(Waiting) as caught:
            self.start(scene)
        return caught.value

    def execute(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.database.transaction() as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def advance(self, seconds: int) -> None:
        """Age all stored times by `seconds`."""
        for table, column in (
            ("provider_jobs", "created_at"),
            ("provider_jobs", "slot_until"),
            ("provider_jobs", "lease_until"),
            ("provider_waits", "back_at"),
            ("provider_gates", "closed_until"),
        ):
            statement = f"UPDATE {table} SET {column} = {column} - %s * interval '1 second'"
            self.execute(statement, seconds)

    def finish(self, scene: int) -> None:
        """Record that the provider has finished the clip."""
        with self.database.transaction() as cursor:
            attempt = attempts.latest(cursor, Step(self.video_id, "clip", scene, 1))
            assert attempt
            attempts.mark_succeeded(cursor, attempt, PRICE)

    @staticmethod
    def _record_job(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        attempts.mark_submitted(cursor, attempt, {"id": "task"})

    @staticmethod
    def _record_image(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        attempts.mark_succeeded(cursor, attempt, PRICE)


@pytest.fixture
def harness(database: Database) -> QueueHarness:
    return QueueHarness(database, *admit(database))


def test_concurrent_workers_take_exactly_the_provider_slots(
    harness: QueueHarness, migrated: DatabaseSettings
) -> None:
    def work(scene: int) -> str:
        own_database = Database(migrated)
        try:
            harness.start(scene, own_database)
        except Waiting as waiting:
            return waiting.error_code
        finally:
            own_database.close()
        return "sent"

    harness.limits = (Limit("jobs_at_once", 7),)
    with ThreadPoolExecutor(50) as pool:
        outcomes = list(pool.map(work, range(1, 51)))
    assert outcomes.count("sent") == len(harness.started_scenes) == 7
    assert outcomes.count("waiting.provider_limit") == 43
    # One attempt for each call that was made, none for the waiting ones.
    (count_row,) = harness.execute("SELECT count(*) AS n FROM provider_jobs")
    assert count_row["n"] == 7


def test_provider_slot_is_released_when_its_job_ends(harness: QueueHarness) -> None:
    harness.start(1)
    harness.start(2)
    waiting = harness.expect_waiting(3)
    assert "All 2 parallel jobs of gen4_turbo at runway are in use" in waiting.detail
    assert waiting.retry_after in range(30, 62), "the expected duration of a job"
    harness.finish(1)
    harness.advance(61)
    harness.start(3)
    assert harness.started_scenes == [1, 2, 3]


def test_provider_slots_are_counted_per_model(harness: QueueHarness) -> None:
    harness.start(1)
    harness.start(2)
    charge = replace(harness.charge(3, "clip", 0), model=models.find("video", "runway", "gen4.5"))
    PaidCalls(harness.database, InMemoryMediaStore()).execute(
        charge, lambda _: {}, harness._record_job
    )


@pytest.mark.parametrize("error", [ProviderRefused("no"), NotAccepted("busy")], ids=str)
def test_unaccepted_call_holds_no_provider_slot(error: Exception, harness: QueueHarness) -> None:
    harness.error = error
    for scene in (1, 2, 3):
        with pytest.raises(type(error)):
            harness.start(scene)
    harness.error = None
    harness.advance(120)  # past the reserved turns of the queue
    harness.start(4)
    harness.start(5)


def test_unknown_outcome_holds_its_provider_slot_until_the_lease_ends(
    harness: QueueHarness,
) -> None:
    harness.error = OutcomeUnknown("connection lost")
    for scene in (1, 2):
        with pytest.raises(OutcomeUnknown):
            harness.start(scene)
    harness.error = None
    harness.expect_waiting(3)
    harness.advance(61)
    harness.start(3)


def test_crash_leaks_no_provider_slot(harness: QueueHarness) -> None:
    """Jobs that are no longer polled, as after a run was stopped."""
    harness.start(1)
    harness.start(2)
    with harness.database.transaction() as cursor:
        attempt = attempts.latest(cursor, Step(harness.video_id, "clip", 1, 1))
        assert attempt
        attempts.count_poll(cursor, attempt, 300)
    harness.advance(61)
    harness.start(3)  # the slot of scene 2 was not renewed
    harness.expect_waiting(4)
    harness.advance(240)
    harness.start(4)


def test_images_count_against_the_rate_limit_for_a_minute(harness: QueueHarness) -> None:
    harness.limits = (IMAGE_LIMIT,)
    harness.error = ProviderRefused("no")
    with pytest.raises(ProviderRefused):
        harness.generate_image(1, pictures=2)
    harness.error = None
    harness.advance(20)
    harness.generate_image(2, pictures=2)
    with pytest.raises(Waiting) as caught:
        harness.generate_image(3, pictures=2)
    assert "All 5 input images per minute" in caught.value.detail
    assert caught.value.retry_after in (44, 45), "a minute after the first two"
    harness.generate_image(4, pictures=1)
    harness.advance(46)
    harness.generate_image(3, pictures=2)


def test_call_larger_than_the_rate_limit_is_sent_alone(harness: QueueHarness) -> None:
    harness.limits = (Limit("images_per_minute", 1),)
    harness.generate_image(1, pictures=2)
    with pytest.raises(Waiting):
        harness.generate_image(2, pictures=2)


def test_calls_per_minute_are_limited(harness: QueueHarness) -> None:
    harness.limits = (Limit("calls_per_minute", 2),)
    harness.generate_image(1, pictures=2)
    harness.generate_image(2)
    with pytest.raises(Waiting, match="All 2 calls per minute"):
        harness.generate_image(3)


def test_provider_queue_is_first_come_first_served(harness: QueueHarness) -> None:
    harness.start(1)
    harness.start(2)
    first, second = harness.expect_waiting(3), harness.expect_waiting(4)
    assert (first.retry_after or 0) <= (second.retry_after or 0)
    harness.finish(1)
    # Both are due within half a minute: one slot is free, and it belongs to the first.
    harness.execute("UPDATE provider_waits SET back_at = now() + interval '10 seconds'")
    harness.expect_waiting(5)
    harness.expect_waiting(4)
    harness.start(3)
    assert harness.started_scenes == [1, 2, 3]


@pytest.mark.parametrize("seconds", [120, -120], ids=["not due yet", "never came back"])
def test_provider_slot_is_not_reserved_for_an_absent_step(
    seconds: int, harness: QueueHarness
) -> None:
    harness.start(1)
    harness.start(2)
    harness.expect_waiting(3)
    harness.finish(1)
    harness.execute("UPDATE provider_waits SET back_at = now() + %s * interval '1 second'", seconds)
    harness.start(4)


def test_retry_after_pauses_the_provider_for_all_steps(harness: QueueHarness) -> None:
    harness.error = NotAccepted("busy", retry_after=20)
    first = harness.expect_waiting(1)
    assert first.error_code == "waiting.provider_busy"
    assert first.retry_after == 20
    harness.error = None
    for scene in (1, 2):  # including the step that got no response
        assert harness.expect_waiting(scene).retry_after in range(18, 27)
    assert harness.started_scenes == []
    harness.advance(21)
    harness.start(1)
    harness.start(2)
    states = harness.execute("SELECT state, actual_usd FROM provider_jobs ORDER BY id")
    assert [row["state"] for row in states] == ["refused", "submitted", "submitted"]


def test_short_retry_after_is_obeyed_before_the_backoff(harness: QueueHarness) -> None:
    harness.error = NotAccepted("busy", retry_after=1)
    seconds = []
    for _ in range(MOST_ROUNDS):
        seconds.append(harness.expect_waiting(1).retry_after or 0)
        harness.advance(400)
    assert seconds[:6] == [1] * 6
    # Repeated short hints are still followed by a backoff.
    assert seconds[6] > 60
    assert sum(seconds) > 600


def test_long_retry_after_is_obeyed_exactly(harness: QueueHarness) -> None:
    harness.error = NotAccepted("busy", retry_after=437)
    assert harness.expect_waiting(1).retry_after == 437
    # The others get jitter.
    assert harness.expect_waiting(2).retry_after in range(436, 548)


def test_waiting_step_shows_reason_and_start(harness: QueueHarness) -> None:
    harness.error = NotAccepted("Runway is busy.")
    harness.expect_waiting(1)
    harness.advance(60)
    harness.expect_waiting(1)
    with harness.database.transaction() as cursor:
        (queued,) = provider_queue.of_run(cursor, harness.run_id)
        events = [e for e in runs.events(cursor, harness.run_id) if e.type == "clip.waiting"]
    assert (queued.code, queued.detail) == ("waiting.provider_busy", "Runway is busy.")
    assert queued.since < queued.back_at
    assert [(e.scene, e.facts["code"]) for e in events] == [(1, "waiting.provider_busy")]
    harness.error = None
    harness.advance(60)
    harness.start(1)
    with harness.database.transaction() as cursor:
        assert provider_queue.of_run(cursor, harness.run_id) == []


def test_backoff_grows_until_the_retry_limit(harness: QueueHarness) -> None:
    harness.error = NotAccepted("Runway is busy.")
    seconds = []
    for _ in range(MOST_ROUNDS):
        seconds.append(harness.expect_waiting(1).retry_after or 0)
        harness.advance(600)
    assert seconds[0] in range(5, 8)
    assert seconds[:6] == sorted(seconds[:6])
    assert max(seconds) <= 375
    assert sum(seconds) > 1200
    with pytest.raises(ProviderRefused) as caught:
        harness.start(1)
    error = caught.value
    assert (error.error_code, error.retryable, error.billed) == (
        "provider.not_accepted",
        True,
        False,
    )
    # Another run of the same video starts with a new backoff.
    harness.run_id = harness.execute(
        "INSERT INTO runs (run_id, session_id, kind) VALUES ('run_2', %s, 'resume') "
        "RETURNING run_id",
        harness.video_id,
    )[0]["run_id"]
    assert harness.expect_waiting(1).retry_after in range(5, 8)


def test_retry_limit_is_shared_by_the_image_and_clip_of_a_scene(harness: QueueHarness) -> None:
    harness.error = NotAccepted("busy")
    for _ in range(MOST_ROUNDS):
        with pytest.raises(Waiting):
            harness.generate_image(1)
    with pytest.raises(ProviderRefused):
        harness.start(1)
    harness.expect_waiting(2)


def test_retry_limit_without_a_provider_slot_has_its_own_code(harness: QueueHarness) -> None:
    harness.start(1)
    harness.start(2)
    for _ in range(MOST_ROUNDS):
        harness.expect_waiting(3)
    with pytest.raises(ProviderRefused) as caught:
        harness.start(3)
    assert (caught.value.error_code, caught.value.retryable) == ("provider.limit", True)


def test_free_models_bypass_the_provider_queue(harness: QueueHarness) -> None:
    offline = replace(harness.charge(1, "clip", 0), model=models.offline().video)
    for scene in (1, 2, 3):
        step = Step(harness.video_id, "clip", scene, 1)
        ledger = PaidCalls(harness.database, InMemoryMediaStore())
        ledger.execute(replace(offline, step=step), lambda _: {}, harness._record_job)
    assert harness.execute("SELECT * FROM provider_gates") == []
