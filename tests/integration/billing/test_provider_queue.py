"""Limits that all runs share, on a real PostgreSQL: exact, fair, visible, and never leaked."""

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
from tests.integration.billing.test_paid_calls import Shelf
from tests.support.rows import admit

JOBS, PICTURES = Limit("jobs_at_once", 2), Limit("images_per_minute", 5)
PRICE = Cost(usd=Decimal("0.05"))


@dataclass
class Bench:
    """A video of many scenes, and workers that start their clips or paint their pictures."""

    database: Database
    video_id: str
    run_id: str
    limits: tuple[Limit, ...] = (JOBS,)
    sent: list[int] = field(default_factory=list)
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
        """Paint the picture of a scene, from so many others."""
        self._pay(self.charge(scene, "image", pictures), None, self._record_picture)

    def _pay(self, charge: Charge, database: Database | None, record: Any) -> None:
        def make(_token: str) -> CallResult:
            if self.error:
                raise self.error
            self.sent.append(charge.step.scene)
            return {}

        PaidCalls(database or self.database, Shelf()).execute(charge, make, record)

    def waits(self, scene: int) -> Waiting:
        """Try to start a clip in vain; return the answer."""
        with pytest.raises(Waiting) as caught:
            self.start(scene)
        return caught.value

    def execute(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.database.transaction() as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def later(self, seconds: int) -> None:
        """Let time pass for everything that is kept."""
        for table, column in (
            ("provider_jobs", "created_at"),
            ("provider_jobs", "slot_until"),
            ("provider_jobs", "lease_until"),
            ("provider_waits", "back_at"),
            ("provider_gates", "closed_until"),
        ):
            moved = f"UPDATE {table} SET {column} = {column} - %s * interval '1 second'"
            self.execute(moved, seconds)

    def end(self, scene: int) -> None:
        """The provider has finished the clip."""
        with self.database.transaction() as cursor:
            attempt = attempts.latest(cursor, Step(self.video_id, "clip", scene, 1))
            assert attempt
            attempts.mark_succeeded(cursor, attempt, PRICE)

    @staticmethod
    def _record_job(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        attempts.mark_submitted(cursor, attempt, {"id": "task"})

    @staticmethod
    def _record_picture(cursor: Cursor, attempt: Attempt, facts: CallResult) -> None:
        attempts.mark_succeeded(cursor, attempt, PRICE)


@pytest.fixture
def bench(database: Database) -> Bench:
    return Bench(database, *admit(database))


def test_fifty_racing_workers_take_exactly_the_places_there_are(
    bench: Bench, migrated: DatabaseSettings
) -> None:
    def work(scene: int) -> str:
        own = Database(migrated)
        try:
            bench.start(scene, own)
        except Waiting as waiting:
            return waiting.error_code
        finally:
            own.close()
        return "sent"

    bench.limits = (Limit("jobs_at_once", 7),)
    with ThreadPoolExecutor(50) as pool:
        ended = list(pool.map(work, range(1, 51)))
    assert ended.count("sent") == len(bench.sent) == 7
    assert ended.count("waiting.provider_limit") == 43
    # One attempt for each call that was made, none for those that wait.
    (row,) = bench.execute("SELECT count(*) AS n FROM provider_jobs")
    assert row["n"] == 7


def test_a_place_is_free_when_its_job_has_ended(bench: Bench) -> None:
    bench.start(1)
    bench.start(2)
    waiting = bench.waits(3)
    assert "All 2 jobs of gen4_turbo that runway works on" in waiting.detail
    assert waiting.retry_after in range(30, 62), "as long as a job is expected to take"
    bench.end(1)
    bench.later(61)
    bench.start(3)
    assert bench.sent == [1, 2, 3]


def test_another_model_has_places_of_its_own(bench: Bench) -> None:
    bench.start(1)
    bench.start(2)
    other = replace(bench.charge(3, "clip", 0), model=models.find("video", "runway", "gen4.5"))
    PaidCalls(bench.database, Shelf()).execute(other, lambda _: {}, bench._record_job)


@pytest.mark.parametrize("error", [ProviderRefused("no"), NotAccepted("busy")], ids=str)
def test_what_was_not_accepted_holds_no_place(error: Exception, bench: Bench) -> None:
    bench.error = error
    for scene in (1, 2, 3):
        with pytest.raises(type(error)):
            bench.start(scene)
    bench.error = None
    bench.later(120)  # nobody is expected back
    bench.start(4)
    bench.start(5)


def test_an_unknown_job_keeps_its_place_for_its_lease(bench: Bench) -> None:
    bench.error = OutcomeUnknown("the line broke")
    for scene in (1, 2):
        with pytest.raises(OutcomeUnknown):
            bench.start(scene)
    bench.error = None
    bench.waits(3)
    bench.later(61)
    bench.start(3)


def test_a_crash_leaks_no_place(bench: Bench) -> None:
    """Jobs that nobody asks after any more, as of a run that was stopped."""
    bench.start(1)
    bench.start(2)
    with bench.database.transaction() as cursor:
        attempt = attempts.latest(cursor, Step(bench.video_id, "clip", 1, 1))
        assert attempt
        attempts.count_poll(cursor, attempt, 300)
    bench.later(61)
    bench.start(3)  # the place of scene 2 was not renewed
    bench.waits(4)
    bench.later(240)
    bench.start(4)


def test_pictures_count_for_a_minute_however_the_call_ended(bench: Bench) -> None:
    bench.limits = (PICTURES,)
    bench.error = ProviderRefused("no")
    with pytest.raises(ProviderRefused):
        bench.generate_image(1, pictures=2)
    bench.error = None
    bench.later(20)
    bench.generate_image(2, pictures=2)
    with pytest.raises(Waiting) as caught:
        bench.generate_image(3, pictures=2)
    assert "All 5 pictures a minute that openai takes" in caught.value.detail
    assert caught.value.retry_after in (44, 45), "when the first two have been a minute ago"
    bench.generate_image(4, pictures=1)
    bench.later(46)
    bench.generate_image(3, pictures=2)


def test_a_call_with_more_pictures_than_a_minute_takes_is_let_through_alone(bench: Bench) -> None:
    bench.limits = (Limit("images_per_minute", 1),)
    bench.generate_image(1, pictures=2)
    with pytest.raises(Waiting):
        bench.generate_image(2, pictures=2)


def test_calls_are_limited_too(bench: Bench) -> None:
    bench.limits = (Limit("calls_per_minute", 2),)
    bench.generate_image(1, pictures=2)
    bench.generate_image(2)
    with pytest.raises(Waiting, match="All 2 calls a minute"):
        bench.generate_image(3)


def test_who_waits_longest_comes_first(bench: Bench) -> None:
    bench.start(1)
    bench.start(2)
    first, second = bench.waits(3), bench.waits(4)
    assert (first.retry_after or 0) <= (second.retry_after or 0)
    bench.end(1)
    # Both are due within half a minute: a place is free, and it is the first one's.
    bench.execute("UPDATE provider_waits SET back_at = now() + interval '10 seconds'")
    bench.waits(5)
    bench.waits(4)
    bench.start(3)
    assert bench.sent == [1, 2, 3]


@pytest.mark.parametrize("seconds", [120, -120], ids=["not due yet", "never came back"])
def test_a_free_place_is_not_kept_for_who_does_not_come(seconds: int, bench: Bench) -> None:
    bench.start(1)
    bench.start(2)
    bench.waits(3)
    bench.end(1)
    bench.execute("UPDATE provider_waits SET back_at = now() + %s * interval '1 second'", seconds)
    bench.start(4)


def test_retry_after_is_obeyed_by_everybody(bench: Bench) -> None:
    bench.error = NotAccepted("busy", retry_after=20)
    asked = bench.waits(1)
    assert asked.error_code == "waiting.provider_busy"
    assert asked.retry_after == 20
    bench.error = None
    for scene in (1, 2):  # also who was not told
        assert bench.waits(scene).retry_after in range(18, 27)
    assert bench.sent == []
    bench.later(21)
    bench.start(1)
    bench.start(2)
    states = bench.execute("SELECT state, actual_usd FROM provider_jobs ORDER BY id")
    assert [row["state"] for row in states] == ["refused", "submitted", "submitted"]


def test_who_is_told_comes_back_then_and_not_later(bench: Bench) -> None:
    bench.error = NotAccepted("busy", retry_after=1)
    seconds = []
    for _ in range(MOST_ROUNDS):
        seconds.append(bench.waits(1).retry_after or 0)
        bench.later(400)
    assert seconds[:6] == [1] * 6
    # A provider that says so again and again is given time all the same.
    assert seconds[6] > 60
    assert sum(seconds) > 600


def test_the_hint_is_obeyed_to_the_second_however_long_it_is(bench: Bench) -> None:
    bench.error = NotAccepted("busy", retry_after=437)
    assert bench.waits(1).retry_after == 437
    # The others come later, so that not all come at once.
    assert bench.waits(2).retry_after in range(436, 548)


def test_it_is_shown_why_and_since_when(bench: Bench) -> None:
    bench.error = NotAccepted("Runway is busy.")
    bench.waits(1)
    bench.later(60)
    bench.waits(1)
    with bench.database.transaction() as cursor:
        (shown,) = provider_queue.of_run(cursor, bench.run_id)
        events = [e for e in runs.events(cursor, bench.run_id) if e.type == "clip.waiting"]
    assert (shown.code, shown.detail) == ("waiting.provider_busy", "Runway is busy.")
    assert shown.since < shown.back_at
    assert [(e.scene, e.facts["code"]) for e in events] == [(1, "waiting.provider_busy")]
    bench.error = None
    bench.later(60)
    bench.start(1)
    with bench.database.transaction() as cursor:
        assert provider_queue.of_run(cursor, bench.run_id) == []


def test_waiting_grows_and_ends_with_a_reason(bench: Bench) -> None:
    bench.error = NotAccepted("Runway is busy.")
    seconds = []
    for _ in range(MOST_ROUNDS):
        seconds.append(bench.waits(1).retry_after or 0)
        bench.later(600)
    assert seconds[0] in range(5, 8)
    assert seconds[:6] == sorted(seconds[:6])
    assert max(seconds) <= 375
    assert sum(seconds) > 1200
    with pytest.raises(ProviderRefused) as caught:
        bench.start(1)
    ended = caught.value
    assert (ended.error_code, ended.retryable, ended.billed) == (
        "provider.not_accepted",
        True,
        False,
    )
    # Another run over the same video is as patient again.
    bench.run_id = bench.execute(
        "INSERT INTO runs (run_id, session_id, kind) VALUES ('run_2', %s, 'resume') "
        "RETURNING run_id",
        bench.video_id,
    )[0]["run_id"]
    assert bench.waits(1).retry_after in range(5, 8)


def test_a_scene_has_one_patience_for_its_picture_and_its_clip(bench: Bench) -> None:
    bench.error = NotAccepted("busy")
    for _ in range(MOST_ROUNDS):
        with pytest.raises(Waiting):
            bench.generate_image(1)
    with pytest.raises(ProviderRefused):
        bench.start(1)
    bench.waits(2)


def test_no_place_in_time_has_a_code_of_its_own(bench: Bench) -> None:
    bench.start(1)
    bench.start(2)
    for _ in range(MOST_ROUNDS):
        bench.waits(3)
    with pytest.raises(ProviderRefused) as caught:
        bench.start(3)
    assert (caught.value.error_code, caught.value.retryable) == ("provider.limit", True)


def test_free_models_take_no_turns(bench: Bench) -> None:
    offline = replace(bench.charge(1, "clip", 0), model=models.offline().video)
    for scene in (1, 2, 3):
        step = Step(bench.video_id, "clip", scene, 1)
        ledger = PaidCalls(bench.database, Shelf())
        ledger.execute(replace(offline, step=step), lambda _: {}, bench._record_job)
    assert bench.execute("SELECT * FROM provider_gates") == []
