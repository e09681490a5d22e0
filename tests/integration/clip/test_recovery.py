"""A clip that is paid is not given up: the function `clip`, Runway's stand-in, and its book."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from common.application import pipeline_step
from common.application.pipeline_step import SceneEvent
from common.database import Cursor, Database, attempts, provider_queue, runs, scenes
from common.database.attempts import Attempt, Step
from common.domain import ids
from common.domain.errors import PermanentError, ProviderRefused, TransientError
from common.domain.video import Stage
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from tests.stand_ins import runway
from tests.support.clips import start_clips
from tests.support.gateway import Gateway, quietly
from tests.support.vendors import Shelf, Visit


def reopen(cursor: Cursor, video_id: str, on_unknown: str = "fail") -> None:
    cursor.execute(
        "UPDATE video_sessions SET status = 'queued', on_unknown = %s WHERE session_id = %s",
        (on_unknown, video_id),
    )


@dataclass
class Scene:
    """The first scene of a video, whose clip is under way."""

    visit: Visit
    shelf: Shelf
    database: Database
    video_id: str = ""
    run_id: str = ""

    def order(self, mode: str = "", **options: Any) -> None:
        """Start a run whose first clip meets a fault."""
        if mode:
            self.visit.vendor.fault("image_to_video", mode, **options)
        self.video_id, self.run_id = start_clips(self.database, self.shelf, count=1)

    def act(self, action: str) -> dict[str, Any]:
        """Do a state's action."""
        from clip.handler import handler

        event = {"run_id": self.run_id, "video_id": self.video_id, "scene": 1}
        answer: dict[str, Any] = quietly(handler, {**event, "action": action}, None)
        return answer

    def fails(self, action: str) -> Exception:
        with pytest.raises((PermanentError, TransientError)) as caught:
            self.act(action)
        return caught.value

    def later(self, seconds: float) -> None:
        """Let time pass for the vendor and for what the database remembers."""
        self.visit.vendor.advance(seconds)
        with self.database.transaction() as cursor:
            for column in ("created_at", "updated_at", "polled_at", "collector_until"):
                cursor.execute(
                    f"UPDATE provider_jobs SET {column} = {column} - %s * interval '1 second'",
                    (seconds,),
                )

    def fail_and_resume(self, on_unknown: str = "fail") -> None:
        with self.database.transaction() as cursor:
            runs.fail(cursor, self.run_id, {"code": "clip.timeout", "stage": "clip"})
            reopen(cursor, self.video_id, on_unknown)
            self.run_id = ids.new("run")
            runs.insert(cursor, self.run_id, self.video_id, "resume", Decimal(0))
        self.later(60)

    def attempt(self) -> Attempt:
        with self.database.transaction() as cursor:
            found = attempts.latest(cursor, Step(self.video_id, "clip", 1, 1))
        assert found is not None
        return found

    def rows(self) -> list[tuple[str, str | None, Decimal | None]]:
        with self.database.transaction() as cursor:
            cursor.execute("SELECT state, code, actual_usd FROM provider_jobs ORDER BY id")
            return [(r["state"], r["code"], r["actual_usd"]) for r in cursor.fetchall()]

    def status(self) -> str:
        with self.database.transaction() as cursor:
            return scenes.clip(cursor, self.video_id, 1).status

    @property
    def paid(self) -> int:
        """How many clips the vendor's book holds."""
        return len(self.visit.charges())


@pytest.fixture
def scene(film: tuple[Visit, Shelf], database: Database) -> Iterator[Scene]:
    visit, shelf = film
    before = len(runway.too_fast(visit.vendor))
    yield Scene(visit, shelf, database)
    assert len(runway.too_fast(visit.vendor)) == before, "polled sooner than Runway allows"


# -- polls -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["503", "500", "429", "reset", "html"])
def test_a_job_goes_on_whether_its_provider_answers_or_not(mode: str, scene: Scene) -> None:
    scene.order()
    scene.visit.vendor.fault("tasks.get", mode, times=3)
    for _ in range(3):
        scene.later(10)
        assert scene.act("check")["status"] == "running"
    scene.later(10)
    assert scene.act("check")["status"] == "succeeded"
    assert scene.attempt().polls == 4


def test_a_provider_that_says_when_to_come_back_is_asked_then(scene: Scene) -> None:
    scene.order()
    scene.visit.vendor.fault("tasks.get", "429", retry_after=42)
    assert scene.act("check") == {"status": "running", "wait_seconds": 42}


def test_a_run_that_is_never_answered_leaves_the_job_to_the_next(scene: Scene) -> None:
    from clip.job import MAX_POLLS

    scene.order()
    scene.visit.vendor.fault("tasks.get", "503", times=MAX_POLLS)
    for _ in range(MAX_POLLS - 1):
        scene.later(10)
        scene.act("check")
    scene.later(10)
    error = scene.fails("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.retryable) == ("provider.unreachable", True)
    assert "tried again" not in error.detail
    scene.fail_and_resume()
    assert scene.act("start")["status"] == "queued"
    assert scene.act("check")["status"] == "succeeded"
    scene.act("collect")
    assert (scene.status(), scene.paid) == ("succeeded", 1)


def test_the_links_of_the_last_poll_are_used(scene: Scene) -> None:
    scene.order()
    scene.later(10)
    scene.act("check")
    asked = scene.visit.calls("tasks.get")
    scene.act("collect")
    assert scene.visit.calls("tasks.get") == asked
    assert (scene.status(), scene.attempt().found) == ("succeeded", None)


# -- downloads -------------------------------------------------------------------------------------
BAD = {"404": "clip.output_lost", "expired": "clip.output_lost", "corrupt": "media.invalid"}


def collect_in_vain(scene: Scene, mode: str, times: int | None = None) -> None:
    """Fetch a clip that is no good, as often as a run does."""
    from clip.job import MAX_COLLECTIONS

    scene.order()
    scene.later(10)
    scene.act("check")
    scene.visit.vendor.fault("outputs", mode, times=times)
    for _ in range(MAX_COLLECTIONS - 1):
        error = scene.fails("collect")
        assert isinstance(error, TransientError), "the state machine tries again"
        assert error.error_code == BAD[mode]
        assert scene.attempt().state == "submitted"
        scene.later(10)
    error = scene.fails("collect")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.billed) == (BAD[mode], True)
    assert scene.rows() == [("failed", BAD[mode], Decimal("0.25"))]


@pytest.mark.parametrize("mode", BAD)
def test_a_finished_clip_is_collected_by_a_resume_before_another_is_ordered(
    mode: str, scene: Scene
) -> None:
    collect_in_vain(scene, mode)
    scene.visit.vendor.clear()
    scene.fail_and_resume()
    assert scene.act("start") == {"status": "succeeded", "wait_seconds": 1}
    assert (scene.status(), scene.paid) == ("succeeded", 1)
    assert [(state, usd) for state, _, usd in scene.rows()] == [("succeeded", Decimal("0.25"))]


def test_one_that_is_still_no_good_is_ordered_again(scene: Scene) -> None:
    collect_in_vain(scene, "corrupt")
    scene.fail_and_resume()
    assert scene.act("start")["status"] == "queued"
    assert [row[0] for row in scene.rows()] == ["failed", "submitted"]
    assert scene.paid == 2


def test_one_that_was_written_off_is_not_collected_under_another_prompt(
    scene: Scene, gateway: Gateway, sweep: Any
) -> None:
    collect_in_vain(scene, "corrupt")
    scene.visit.vendor.clear()
    end_run(scene, "failed")
    change = {"scenes": {"1": {"motion_prompt": "It flies"}}}
    resumed = gateway.call("POST", f"/v1/videos/{scene.video_id}/resume", change)
    assert resumed.status == 202, resumed.text
    scene.run_id = resumed.json()["run_id"]
    scene.later(60)
    assert scene.act("start")["status"] == "queued"
    assert [row[:2] for row in scene.rows()] == [("failed", "clip.replaced"), ("submitted", None)]
    assert scene.paid == 2


def test_nothing_is_ordered_while_the_provider_does_not_answer(scene: Scene) -> None:
    collect_in_vain(scene, "corrupt")
    scene.fail_and_resume()
    scene.visit.vendor.fault("tasks.get", "503")
    with pytest.raises(Exception, match="cannot be reached") as caught:
        scene.act("start")
    assert type(caught.value).__name__ == "NotAccepted", "the only error that is tried again"
    assert scene.paid == 1


def test_a_finished_clip_without_a_link_is_asked_for_again(scene: Scene) -> None:
    scene.order("no_output", seconds=500)
    scene.later(10)
    assert scene.act("check")["status"] == "succeeded"
    for _ in range(3):
        error = scene.fails("collect")
        assert isinstance(error, TransientError)
        assert error.error_code == "clip.output_lost"
        assert scene.rows() == [("submitted", None, Decimal("0.25"))]
        scene.later(10)
    scene.later(500)
    scene.act("collect")
    assert (scene.status(), scene.paid) == ("succeeded", 1)


# -- jobs of earlier runs --------------------------------------------------------------------------
@pytest.mark.parametrize("policy", ["fail", "resubmit_once"])
def test_a_job_that_shows_up_again_is_waited_for(
    policy: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.providers.video.runway._APPEARS_WITHIN_SECONDS", 0)
    scene.order("late", seconds=500, work=900)
    scene.later(200)
    error = scene.fails("check")
    assert isinstance(error, PermanentError)
    assert error.error_code == "provider.job_gone"
    assert scene.attempt().state == "unknown"
    scene.fail_and_resume()
    again = scene.fails("start")  # it is still gone, and says so
    assert isinstance(again, PermanentError)
    assert (again.error_code, again.retryable) == ("provider.job_gone", True)
    scene.fail_and_resume(policy)
    scene.later(300)
    assert scene.act("start")["status"] == "queued"
    scene.later(10)
    assert scene.act("check")["status"] == "running"
    scene.later(1000)
    assert scene.act("check")["status"] == "succeeded"
    scene.act("collect")
    assert (scene.status(), scene.paid) == ("succeeded", 1)


@pytest.mark.parametrize("chosen", [("runway", "gen4.5"), ("luma", "luma.ray-v2:0")])
def test_a_call_in_doubt_is_looked_for_where_it_was_made(
    chosen: tuple[str, str], scene: Scene
) -> None:
    """Charged, then 502, then a resume with another model: the count of the first one tells."""
    scene.visit.vendor.advance(25 * 3600)  # Runway counts the tasks of a day
    scene.visit.vendor.fault("image_to_video", "charge_then_502")
    scene.order()
    assert scene.rows() == [("unknown", "provider.not_accepted", Decimal("0.25"))]
    scene.fail_and_resume()
    with scene.database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET video_provider = %s, video_model = %s", chosen)
    error = scene.fails("start")
    assert isinstance(error, PermanentError)
    assert error.error_code == "provider.accepted_id_lost"
    assert "call to runway was accepted and charged" in error.detail
    assert scene.rows() == [("unknown", "provider.accepted_id_lost", Decimal("0.25"))]
    assert scene.paid == 1


def test_a_free_attempt_in_between_does_not_settle_a_call_in_doubt(scene: Scene) -> None:
    scene.visit.vendor.advance(25 * 3600)
    scene.visit.vendor.fault("image_to_video", "charge_then_502")
    scene.order()
    scene.fail_and_resume()
    scene.fails("start")
    step_of_clip = Step(scene.video_id, "clip", 1, 1)
    with scene.database.transaction() as cursor:
        free = attempts.insert(
            cursor,
            step_of_clip,
            attempt=2,
            token=ids.new("att"),
            provider="offline",
            model="camera",
            estimated_usd=Decimal(0),
            lease_seconds=0,
            possible_duplicate=False,
        )
        assert free
        attempts.mark_ended(cursor, free, "failed", "internal")
    scene.fail_and_resume()
    error = scene.fails("start")
    assert isinstance(error, PermanentError)
    assert error.error_code == "provider.accepted_id_lost"
    assert scene.paid == 1


def test_a_job_at_work_is_left_when_time_is_over_and_waited_for(scene: Scene) -> None:
    from clip.job import MAX_POLLS

    scene.order("stuck_running")
    for _ in range(MAX_POLLS - 1):
        scene.later(10)
        scene.act("check")
    scene.later(10)
    error = scene.fails("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.retryable) == ("clip.timeout", True)
    assert scene.visit.calls("tasks.delete") == 0
    assert scene.attempt().state == "submitted"
    scene.fail_and_resume("resubmit_once")
    assert scene.act("start")["status"] == "queued"
    assert (scene.attempt().polls, scene.paid) == (0, 1)


# -- failures that cost nothing --------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "ours", "most"),
    [
        ("INTERNAL", "provider.internal", 2),
        (None, "provider.internal", 2),
        ("THIRD_PARTY.UNAVAILABLE", "provider.unavailable", 2),
        ("INPUT_PREPROCESSING.INTERNAL", "provider.internal", 2),
        ("INTERNAL.BAD_OUTPUT.CODE01", "clip.bad_output", 1),
    ],
)
def test_a_job_that_failed_for_free_is_ordered_again_so_often(
    code: str | None, ours: str, most: int, scene: Scene
) -> None:
    scene.order("failed", code=code, credits=0, times=most + 1)
    for tried in range(1, most + 1):
        scene.later(10)
        answer = scene.act("check")
        assert answer["status"] == "waiting"
        assert answer["wait_seconds"] in range(15 * tried, 46 * tried)
        with scene.database.transaction() as cursor:
            (shown,) = provider_queue.of_run(cursor, scene.run_id)
        assert "ordered again" in shown.detail
        assert scene.act("start")["status"] == "queued"
    scene.later(10)
    error = scene.fails("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.billed) == (ours, False)
    assert [row[:2] for row in scene.rows()] == [("failed", ours)] * (most + 1)
    assert [row[2] for row in scene.rows()] == [0] * (most + 1)
    with scene.database.transaction() as cursor:
        events = [e for e in runs.events(cursor, scene.run_id) if e.type == "clip.resubmitted"]
    assert [(e.scene, e.facts["code"]) for e in events] == [(1, ours)] * most
    # Made anew, it is another clip.
    assert len({charge.seed for charge in scene.visit.charges()}) == most + 1
    assert scene.visit.spent() == 0


def test_an_interrupted_check_decides_the_same_again(scene: Scene) -> None:
    scene.order("failed", code="INTERNAL", credits=0, times=1)
    for _ in range(3):
        scene.later(10)
        assert scene.act("check")["status"] == "waiting"
    with scene.database.transaction() as cursor:
        events = [e for e in runs.events(cursor, scene.run_id) if e.type == "clip.resubmitted"]
    assert len(events) == 1
    assert len(scene.rows()) == 1


def test_a_failure_that_is_billed_is_for_the_owner_to_decide(scene: Scene) -> None:
    scene.order("failed", code="INTERNAL", credits=10)
    scene.later(10)
    error = scene.fails("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.billed) == ("provider.internal", True)
    assert scene.paid == 1


# -- what ended runs left behind -------------------------------------------------------------------
@pytest.fixture
def sweep(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The part of the sweeper that collects."""
    from sweeper import handler as sweeper

    monkeypatch.setattr(sweeper, "database", lambda: scene.database)
    sweeper.settings.cache_clear()
    yield sweeper._collect_left_behind
    sweeper.settings.cache_clear()


def end_run(scene: Scene, status: str) -> None:
    with scene.database.transaction() as cursor:
        if status == "failed":
            runs.fail(cursor, scene.run_id, {"code": "provider.credits", "stage": "clip"})
        else:
            runs.cancel(cursor, scene.video_id, jobs=False)


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_clip_that_an_ended_run_left_behind_is_collected(
    status: str, scene: Scene, sweep: Any
) -> None:
    scene.order()
    scene.later(100)
    assert sweep() == 0, "a run works on it"
    end_run(scene, status)
    assert sweep() == 1
    assert scene.status() == "succeeded"
    assert MediaFolder("alice", scene.video_id).clip(1, 1) in scene.shelf.objects
    assert scene.rows() == [("succeeded", None, Decimal("0.25"))]
    scene.later(100)
    assert sweep() == 0
    scene.fail_and_resume() if status == "failed" else None
    assert scene.paid == 1


def test_what_is_not_finished_is_asked_for_again_and_less_and_less_often(
    scene: Scene, sweep: Any
) -> None:
    scene.order("stuck_running")
    end_run(scene, "failed")
    scene.later(100)
    assert (sweep(), sweep()) == (1, 0)
    scene.later(3600)
    assert (sweep(), sweep()) == (1, 0)
    scene.later(300)
    assert sweep() == 0
    scene.later(300)
    assert sweep() == 1
    assert scene.attempt().state == "submitted"


def test_a_resume_waits_for_the_collector(scene: Scene) -> None:
    scene.order()
    scene.later(100)
    end_run(scene, "failed")
    from common.database import polls

    with scene.database.transaction() as cursor:
        (job,) = polls.claim_left_behind(cursor, limit=5, lease_seconds=30, pause_seconds=60)
        assert polls.claim_left_behind(cursor, limit=5, lease_seconds=30, pause_seconds=60) == []
        reopen(cursor, scene.video_id)
        runs.insert(cursor, "run_next", scene.video_id, "resume", Decimal(0))
    assert (job.session_id, job.scene) == (scene.video_id, 1)
    collector, scene.run_id = scene.run_id, "run_next"
    answer = scene.act("start")
    assert answer["status"] == "waiting"
    assert answer["wait_seconds"] in range(25, 31)
    scene.run_id = collector
    assert scene.act("recover")["status"] == "succeeded"
    scene.run_id = "run_next"
    assert scene.act("start")["status"] == "succeeded"
    assert scene.paid == 1


def test_what_failed_at_the_provider_is_settled(scene: Scene, sweep: Any) -> None:
    scene.order("failed", code="INTERNAL", credits=0)
    end_run(scene, "canceled")
    scene.later(100)
    assert sweep() == 1
    assert scene.rows() == [("failed", "provider.internal", Decimal(0))]


def test_what_expired_is_settled_and_not_asked_for(scene: Scene, sweep: Any) -> None:
    scene.order("stuck_running")
    end_run(scene, "failed")
    scene.later(49 * 3600)
    asked = scene.visit.calls("tasks.get")
    assert sweep() == 0
    assert scene.visit.calls("tasks.get") == asked
    assert scene.rows() == [("failed", "clip.output_lost", Decimal("0.25"))]


# -- canceling -------------------------------------------------------------------------------------
def test_a_job_that_is_billed_anyway_is_left_and_collected_later(scene: Scene, sweep: Any) -> None:
    scene.visit.vendor.set(running_seconds=60)
    try:
        scene.order()
        scene.later(30)
        end_run(scene, "canceled")
        assert scene.act("cancel")["status"] == "running"
        assert scene.visit.calls("tasks.delete") == 0
        scene.later(100)
        assert sweep() == 1
        assert (scene.status(), scene.paid) == ("succeeded", 1)
    finally:
        scene.visit.vendor.set(running_seconds=0.2)


# -- two at once -----------------------------------------------------------------------------------
def test_a_start_and_a_collector_do_not_block_each_other(
    scene: Scene, migrated: DatabaseSettings
) -> None:
    """The collector holds the job, then wants the scene; the start of a resume wants both."""
    scene.order()
    with closing(Database(migrated)) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction() as cursor:
            assert attempts.latest(cursor, Step(scene.video_id, "clip", 1, 1))
            start = pool.submit(scene.act, "start")
            until_blocked(other)
            scenes.finish_clip(cursor, scene.video_id, 1, 1, key="k", frames=1, usd=Decimal(0))
        assert start.result(30)["status"] == "queued"


def test_a_step_that_ends_its_run_and_a_cancel_do_not_block_each_other(
    scene: Scene, migrated: DatabaseSettings
) -> None:
    scene.order()
    event = SceneEvent(run_id=scene.run_id, video_id=scene.video_id, scene=1)
    no_key = ProviderRefused("No key.", code="provider.key")
    with closing(Database(migrated)) as other, ThreadPoolExecutor(1) as pool:
        with other.transaction() as cursor:
            runs.lock(cursor, scene.run_id)
            failing = pool.submit(
                pipeline_step._record_failure, scene.database, event, Stage.CLIP, 1, no_key
            )
            until_blocked(other)
            scenes.cancel(cursor, scene.video_id)
        failing.result(30)
    with scene.database.transaction() as cursor:
        types = [event.type for event in runs.events(cursor, scene.run_id)]
    assert types[-2:] == ["clip.failed", "run.failed"]


def until_blocked(database: Database) -> None:
    """Wait until a transaction waits for a lock of another."""
    with closing(Database(database._settings)) as third:
        for _ in range(200):
            waiting = third.alone(blocked)
            if waiting:
                return
            time.sleep(0.05)
    raise AssertionError("nobody waits")


def blocked(cursor: Cursor) -> int:
    cursor.execute("SELECT count(*) AS n FROM pg_locks WHERE NOT granted")
    return int(cursor.fetchall()[0]["n"])
