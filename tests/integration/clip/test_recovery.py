"""Recovery of paid clips: the function `clip` against Runway's stand-in and its charge book."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from common import runtime
from common.application import pipeline_step
from common.application.pipeline_step import SceneEvent
from common.database import Cursor, Database, attempts, provider_queue, runs, scenes
from common.database.attempts import Attempt, Step
from common.domain import ids
from common.domain.errors import PermanentError, ProviderRefused, TransientError
from common.domain.video import Stage
from common.settings import DatabaseSettings, SweeperSettings
from common.storage import MediaFolder
from tests.stand_ins import runway
from tests.support.clips import start_clips
from tests.support.gateway import Gateway, quietly
from tests.support.media_store import InMemoryMediaStore
from tests.support.vendors import VendorSession


def requeue(cursor: Cursor, video_id: str, on_unknown: str = "fail") -> None:
    cursor.execute(
        "UPDATE video_sessions SET status = 'queued', on_unknown = %s WHERE session_id = %s",
        (on_unknown, video_id),
    )


@dataclass
class Scene:
    """The first scene of a video, whose clip is in progress."""

    session: VendorSession
    store: InMemoryMediaStore
    database: Database
    video_id: str = ""
    run_id: str = ""

    def start_run(self, mode: str = "", **options: Any) -> None:
        """Start a run, with a fault of the vendor for its first clip if `mode` names one."""
        if mode:
            self.session.vendor.fault("image_to_video", mode, **options)
        self.video_id, self.run_id = start_clips(self.database, self.store, count=1)

    def invoke(self, action: str) -> dict[str, Any]:
        """Invoke the function with the action of a state."""
        from clip.handler import handler

        event = {"run_id": self.run_id, "video_id": self.video_id, "scene": 1}
        result: dict[str, Any] = quietly(handler, {**event, "action": action}, None)
        return result

    def invoke_and_fail(self, action: str) -> Exception:
        with pytest.raises((PermanentError, TransientError)) as caught:
            self.invoke(action)
        return caught.value

    def advance(self, seconds: float) -> None:
        """Advance the vendor's clock and age the rows of the database."""
        self.session.vendor.advance(seconds)
        with self.database.transaction() as cursor:
            for column in ("created_at", "updated_at", "polled_at", "collector_until"):
                cursor.execute(
                    f"UPDATE provider_jobs SET {column} = {column} - %s * interval '1 second'",
                    (seconds,),
                )

    def fail_and_resume(self, on_unknown: str = "fail") -> None:
        with self.database.transaction() as cursor:
            runs.fail(cursor, self.run_id, {"code": "clip.timeout", "stage": "clip"})
            requeue(cursor, self.video_id, on_unknown)
            self.run_id = ids.new("run")
            runs.insert(cursor, self.run_id, self.video_id, "resume", Decimal(0))
        self.advance(60)

    def attempt(self) -> Attempt:
        with self.database.transaction() as cursor:
            latest = attempts.latest(cursor, Step(self.video_id, "clip", 1, 1))
        assert latest is not None
        return latest

    def ledger_rows(self) -> list[tuple[str, str | None, Decimal | None]]:
        with self.database.transaction() as cursor:
            cursor.execute("SELECT state, code, actual_usd FROM provider_jobs ORDER BY id")
            return [(r["state"], r["code"], r["actual_usd"]) for r in cursor.fetchall()]

    def status(self) -> str:
        with self.database.transaction() as cursor:
            return scenes.clip(cursor, self.video_id, 1).status

    @property
    def charge_count(self) -> int:
        """Return the number of clips in the vendor's charge book."""
        return len(self.session.charges())


@pytest.fixture
def scene(
    runway_app: tuple[VendorSession, InMemoryMediaStore], database: Database
) -> Iterator[Scene]:
    session, store = runway_app
    before = len(runway.too_fast(session.vendor))
    yield Scene(session, store, database)
    assert len(runway.too_fast(session.vendor)) == before, "polled sooner than Runway allows"


# -- polls -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("mode", ["503", "500", "429", "reset", "html"])
def test_job_continues_after_failed_polls(mode: str, scene: Scene) -> None:
    scene.start_run()
    scene.session.vendor.fault("tasks.get", mode, times=3)
    for _ in range(3):
        scene.advance(10)
        assert scene.invoke("check")["status"] == "running"
    scene.advance(10)
    assert scene.invoke("check")["status"] == "succeeded"
    assert scene.attempt().polls == 4


def test_poll_obeys_retry_after(scene: Scene) -> None:
    scene.start_run()
    scene.session.vendor.fault("tasks.get", "429", retry_after=42)
    assert scene.invoke("check") == {"status": "running", "wait_seconds": 42}


def test_job_is_adopted_after_all_polls_of_a_run_failed(scene: Scene) -> None:
    from clip.job import MAX_POLLS

    scene.start_run()
    scene.session.vendor.fault("tasks.get", "503", times=MAX_POLLS)
    for _ in range(MAX_POLLS - 1):
        scene.advance(10)
        scene.invoke("check")
    scene.advance(10)
    error = scene.invoke_and_fail("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.retryable) == ("provider.unreachable", True)
    assert "tried again" not in error.detail
    scene.fail_and_resume()
    assert scene.invoke("start")["status"] == "queued"
    assert scene.invoke("check")["status"] == "succeeded"
    scene.invoke("collect")
    assert (scene.status(), scene.charge_count) == ("succeeded", 1)


def test_collect_uses_the_output_urls_of_the_last_poll(scene: Scene) -> None:
    scene.start_run()
    scene.advance(10)
    scene.invoke("check")
    polls = scene.session.calls("tasks.get")
    scene.invoke("collect")
    assert scene.session.calls("tasks.get") == polls
    assert (scene.status(), scene.attempt().found) == ("succeeded", None)


# -- downloads -------------------------------------------------------------------------------------
DOWNLOAD_FAULTS = {
    "404": "clip.output_lost",
    "expired": "clip.output_lost",
    "corrupt": "media.invalid",
}


def exhaust_downloads(scene: Scene, mode: str, times: int | None = None) -> None:
    """Fail every attempt of a run to download the clip."""
    from clip.job import MAX_COLLECTIONS

    scene.start_run()
    scene.advance(10)
    scene.invoke("check")
    scene.session.vendor.fault("outputs", mode, times=times)
    for _ in range(MAX_COLLECTIONS - 1):
        error = scene.invoke_and_fail("collect")
        assert isinstance(error, TransientError), "the state machine retries"
        assert error.error_code == DOWNLOAD_FAULTS[mode]
        assert scene.attempt().state == "submitted"
        scene.advance(10)
    error = scene.invoke_and_fail("collect")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.billed) == (DOWNLOAD_FAULTS[mode], True)
    assert scene.ledger_rows() == [("failed", DOWNLOAD_FAULTS[mode], Decimal("0.25"))]


@pytest.mark.parametrize("mode", DOWNLOAD_FAULTS)
def test_resume_collects_a_finished_clip_before_resubmitting(mode: str, scene: Scene) -> None:
    exhaust_downloads(scene, mode)
    scene.session.vendor.clear()
    scene.fail_and_resume()
    assert scene.invoke("start") == {"status": "succeeded", "wait_seconds": 1}
    assert (scene.status(), scene.charge_count) == ("succeeded", 1)
    assert [(state, usd) for state, _, usd in scene.ledger_rows()] == [
        ("succeeded", Decimal("0.25"))
    ]


def test_resume_resubmits_a_clip_that_is_still_broken(scene: Scene) -> None:
    exhaust_downloads(scene, "corrupt")
    scene.fail_and_resume()
    assert scene.invoke("start")["status"] == "queued"
    assert [row[0] for row in scene.ledger_rows()] == ["failed", "submitted"]
    assert scene.charge_count == 2


def test_resume_with_a_new_prompt_does_not_collect_the_old_clip(
    scene: Scene, gateway: Gateway, sweep: Any
) -> None:
    exhaust_downloads(scene, "corrupt")
    scene.session.vendor.clear()
    end_run(scene, "failed")
    change = {"scenes": {"1": {"motion_prompt": "It flies"}}}
    resumed = gateway.call("POST", f"/v1/videos/{scene.video_id}/resume", change)
    assert resumed.status == 202, resumed.text
    scene.run_id = resumed.json()["run_id"]
    scene.advance(60)
    assert scene.invoke("start")["status"] == "queued"
    assert [row[:2] for row in scene.ledger_rows()] == [
        ("failed", "clip.replaced"),
        ("submitted", None),
    ]
    assert scene.charge_count == 2


def test_resume_submits_nothing_while_the_provider_is_unreachable(scene: Scene) -> None:
    exhaust_downloads(scene, "corrupt")
    scene.fail_and_resume()
    scene.session.vendor.fault("tasks.get", "503")
    with pytest.raises(Exception, match="temporarily unreachable") as caught:
        scene.invoke("start")
    assert type(caught.value).__name__ == "NotAccepted", "the only error with a retry here"
    assert scene.charge_count == 1


def test_collect_retries_until_the_output_url_appears(scene: Scene) -> None:
    scene.start_run("no_output", seconds=500)
    scene.advance(10)
    assert scene.invoke("check")["status"] == "succeeded"
    for _ in range(3):
        error = scene.invoke_and_fail("collect")
        assert isinstance(error, TransientError)
        assert error.error_code == "clip.output_lost"
        assert scene.ledger_rows() == [("submitted", None, Decimal("0.25"))]
        scene.advance(10)
    scene.advance(500)
    scene.invoke("collect")
    assert (scene.status(), scene.charge_count) == ("succeeded", 1)


# -- jobs of earlier runs --------------------------------------------------------------------------
@pytest.mark.parametrize("policy", ["fail", "resubmit_once"])
def test_job_that_reappears_is_adopted(
    policy: str, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.providers.video.runway._APPEARS_WITHIN_SECONDS", 0)
    scene.start_run("late", seconds=500, work=900)
    scene.advance(200)
    error = scene.invoke_and_fail("check")
    assert isinstance(error, PermanentError)
    assert error.error_code == "provider.job_gone"
    assert scene.attempt().state == "unknown"
    scene.fail_and_resume()
    still_gone = scene.invoke_and_fail("start")
    assert isinstance(still_gone, PermanentError)
    assert (still_gone.error_code, still_gone.retryable) == ("provider.job_gone", True)
    scene.fail_and_resume(policy)
    scene.advance(300)
    assert scene.invoke("start")["status"] == "queued"
    scene.advance(10)
    assert scene.invoke("check")["status"] == "running"
    scene.advance(1000)
    assert scene.invoke("check")["status"] == "succeeded"
    scene.invoke("collect")
    assert (scene.status(), scene.charge_count) == ("succeeded", 1)


@pytest.mark.parametrize("new_model", [("runway", "gen4.5"), ("luma", "luma.ray-v2:0")])
def test_unknown_outcome_is_reconciled_with_its_original_model(
    new_model: tuple[str, str], scene: Scene
) -> None:
    """Charged, then 502, then a resume with another model: the first model's count is used."""
    scene.session.vendor.advance(25 * 3600)  # Runway counts tasks per day
    scene.session.vendor.fault("image_to_video", "charge_then_502")
    scene.start_run()
    assert scene.ledger_rows() == [("unknown", "provider.not_accepted", Decimal("0.25"))]
    scene.fail_and_resume()
    with scene.database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET video_provider = %s, video_model = %s", new_model)
    error = scene.invoke_and_fail("start")
    assert isinstance(error, PermanentError)
    assert error.error_code == "provider.accepted_id_lost"
    assert "call to runway was accepted and charged" in error.detail
    assert scene.ledger_rows() == [("unknown", "provider.accepted_id_lost", Decimal("0.25"))]
    assert scene.charge_count == 1


def test_free_attempt_does_not_settle_an_unknown_outcome(scene: Scene) -> None:
    scene.session.vendor.advance(25 * 3600)
    scene.session.vendor.fault("image_to_video", "charge_then_502")
    scene.start_run()
    scene.fail_and_resume()
    scene.invoke_and_fail("start")
    step_of_clip = Step(scene.video_id, "clip", 1, 1)
    with scene.database.transaction() as cursor:
        free_attempt = attempts.insert(
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
        assert free_attempt
        attempts.mark_ended(cursor, free_attempt, "failed", "internal")
    scene.fail_and_resume()
    error = scene.invoke_and_fail("start")
    assert isinstance(error, PermanentError)
    assert error.error_code == "provider.accepted_id_lost"
    assert scene.charge_count == 1


def test_running_job_is_kept_after_a_timeout_and_adopted(scene: Scene) -> None:
    from clip.job import MAX_POLLS

    scene.start_run("stuck_running")
    for _ in range(MAX_POLLS - 1):
        scene.advance(10)
        scene.invoke("check")
    scene.advance(10)
    error = scene.invoke_and_fail("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.retryable) == ("clip.timeout", True)
    assert scene.session.calls("tasks.delete") == 0
    assert scene.attempt().state == "submitted"
    scene.fail_and_resume("resubmit_once")
    assert scene.invoke("start")["status"] == "queued"
    assert (scene.attempt().polls, scene.charge_count) == (0, 1)


# -- failures without a charge ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("code", "expected_code", "retries"),
    [
        ("INTERNAL", "provider.internal", 2),
        (None, "provider.internal", 2),
        ("THIRD_PARTY.UNAVAILABLE", "provider.unavailable", 2),
        ("INPUT_PREPROCESSING.INTERNAL", "provider.internal", 2),
        ("INTERNAL.BAD_OUTPUT.CODE01", "clip.bad_output", 1),
    ],
)
def test_retry_of_unbilled_job_failures_is_limited(
    code: str | None, expected_code: str, retries: int, scene: Scene
) -> None:
    scene.start_run("failed", code=code, credits=0, times=retries + 1)
    for retry in range(1, retries + 1):
        scene.advance(10)
        response = scene.invoke("check")
        assert response["status"] == "waiting"
        assert response["wait_seconds"] in range(15 * retry, 46 * retry)
        with scene.database.transaction() as cursor:
            (queued,) = provider_queue.of_run(cursor, scene.run_id)
        assert "submitted again" in queued.detail
        assert scene.invoke("start")["status"] == "queued"
    scene.advance(10)
    error = scene.invoke_and_fail("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.billed) == (expected_code, False)
    assert [row[:2] for row in scene.ledger_rows()] == [("failed", expected_code)] * (retries + 1)
    assert [row[2] for row in scene.ledger_rows()] == [0] * (retries + 1)
    with scene.database.transaction() as cursor:
        events = [e for e in runs.events(cursor, scene.run_id) if e.type == "clip.resubmitted"]
    assert [(e.scene, e.facts["code"]) for e in events] == [(1, expected_code)] * retries
    # Each attempt has its own seed, so that the clips differ.
    assert len({charge.seed for charge in scene.session.charges()}) == retries + 1
    assert scene.session.spent() == 0


def test_check_of_a_failed_job_is_idempotent(scene: Scene) -> None:
    scene.start_run("failed", code="INTERNAL", credits=0, times=1)
    for _ in range(3):
        scene.advance(10)
        assert scene.invoke("check")["status"] == "waiting"
    with scene.database.transaction() as cursor:
        events = [e for e in runs.events(cursor, scene.run_id) if e.type == "clip.resubmitted"]
    assert len(events) == 1
    assert len(scene.ledger_rows()) == 1


def test_billed_job_failure_is_not_retried(scene: Scene) -> None:
    scene.start_run("failed", code="INTERNAL", credits=10)
    scene.advance(10)
    error = scene.invoke_and_fail("check")
    assert isinstance(error, PermanentError)
    assert (error.error_code, error.billed) == ("provider.internal", True)
    assert scene.charge_count == 1


# -- jobs of ended runs ----------------------------------------------------------------------------
@pytest.fixture
def sweep(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The sweeper's collection of clips of ended runs."""
    from sweeper import handler as sweeper

    runtime.provide(SweeperSettings, database=scene.database)
    return sweeper._collect_left_behind


def end_run(scene: Scene, status: str) -> None:
    with scene.database.transaction() as cursor:
        if status == "failed":
            runs.fail(cursor, scene.run_id, {"code": "provider.credits", "stage": "clip"})
        else:
            runs.cancel(cursor, scene.video_id, jobs=False)


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_sweeper_collects_the_clip_of_an_ended_run(status: str, scene: Scene, sweep: Any) -> None:
    scene.start_run()
    scene.advance(100)
    assert sweep() == 0, "an open run still owns the job"
    end_run(scene, status)
    assert sweep() == 1
    assert scene.status() == "succeeded"
    assert MediaFolder("alice", scene.video_id).clip(1, 1) in scene.store.objects
    assert scene.ledger_rows() == [("succeeded", None, Decimal("0.25"))]
    scene.advance(100)
    assert sweep() == 0
    scene.fail_and_resume() if status == "failed" else None
    assert scene.charge_count == 1


def test_sweeper_polls_unfinished_jobs_with_backoff(scene: Scene, sweep: Any) -> None:
    scene.start_run("stuck_running")
    end_run(scene, "failed")
    scene.advance(100)
    assert (sweep(), sweep()) == (1, 0)
    scene.advance(3600)
    assert (sweep(), sweep()) == (1, 0)
    scene.advance(300)
    assert sweep() == 0
    scene.advance(300)
    assert sweep() == 1
    assert scene.attempt().state == "submitted"


def test_resume_waits_for_the_collectors_lease(scene: Scene) -> None:
    scene.start_run()
    scene.advance(100)
    end_run(scene, "failed")
    from common.database import polls

    with scene.database.transaction() as cursor:
        (job,) = polls.lease_uncollected_jobs(cursor, limit=5, lease_seconds=30, pause_seconds=60)
        assert (
            polls.lease_uncollected_jobs(cursor, limit=5, lease_seconds=30, pause_seconds=60) == []
        )
        requeue(cursor, scene.video_id)
        runs.insert(cursor, "run_next", scene.video_id, "resume", Decimal(0))
    assert (job.session_id, job.scene) == (scene.video_id, 1)
    collector, scene.run_id = scene.run_id, "run_next"
    result = scene.invoke("start")
    assert result["status"] == "waiting"
    assert result["wait_seconds"] in range(25, 31)
    scene.run_id = collector
    assert scene.invoke("recover")["status"] == "succeeded"
    scene.run_id = "run_next"
    assert scene.invoke("start")["status"] == "succeeded"
    assert scene.charge_count == 1


def test_sweeper_settles_a_failed_job(scene: Scene, sweep: Any) -> None:
    scene.start_run("failed", code="INTERNAL", credits=0)
    end_run(scene, "canceled")
    scene.advance(100)
    assert sweep() == 1
    assert scene.ledger_rows() == [("failed", "provider.internal", Decimal(0))]


def test_sweeper_settles_an_expired_job_without_polling(scene: Scene, sweep: Any) -> None:
    scene.start_run("stuck_running")
    end_run(scene, "failed")
    scene.advance(49 * 3600)
    polls = scene.session.calls("tasks.get")
    assert sweep() == 0
    assert scene.session.calls("tasks.get") == polls
    assert scene.ledger_rows() == [("failed", "clip.output_lost", Decimal("0.25"))]


# -- canceling -------------------------------------------------------------------------------------
def test_cancel_keeps_a_job_that_is_billed_anyway(scene: Scene, sweep: Any) -> None:
    scene.session.vendor.set(running_seconds=60)
    try:
        scene.start_run()
        scene.advance(30)
        end_run(scene, "canceled")
        assert scene.invoke("cancel")["status"] == "running"
        assert scene.session.calls("tasks.delete") == 0
        scene.advance(100)
        assert sweep() == 1
        assert (scene.status(), scene.charge_count) == ("succeeded", 1)
    finally:
        scene.session.vendor.set(running_seconds=0.2)


# -- concurrency -----------------------------------------------------------------------------------
def test_start_and_collector_do_not_deadlock(scene: Scene, migrated: DatabaseSettings) -> None:
    """The collector locks the job, then the scene; the start of a resume locks both."""
    scene.start_run()
    with closing(Database(migrated)) as other_database, ThreadPoolExecutor(1) as pool:
        with other_database.transaction() as cursor:
            assert attempts.latest(cursor, Step(scene.video_id, "clip", 1, 1))
            start = pool.submit(scene.invoke, "start")
            wait_until_blocked(other_database)
            scenes.finish_clip(cursor, scene.video_id, 1, 1, key="k", frames=1, usd=Decimal(0))
        assert start.result(30)["status"] == "queued"


def test_step_failure_and_cancel_do_not_deadlock(scene: Scene, migrated: DatabaseSettings) -> None:
    scene.start_run()
    event = SceneEvent(run_id=scene.run_id, video_id=scene.video_id, scene=1)
    no_key = ProviderRefused("No key.", code="provider.key")
    with closing(Database(migrated)) as other_database, ThreadPoolExecutor(1) as pool:
        with other_database.transaction() as cursor:
            runs.lock(cursor, scene.run_id)
            failing = pool.submit(
                pipeline_step._record_failure, scene.database, event, Stage.CLIP, 1, no_key
            )
            wait_until_blocked(other_database)
            scenes.cancel(cursor, scene.video_id)
        failing.result(30)
    with scene.database.transaction() as cursor:
        types = [event.type for event in runs.events(cursor, scene.run_id)]
    assert types[-2:] == ["clip.failed", "run.failed"]


def wait_until_blocked(database: Database) -> None:
    """Wait until a transaction is blocked by a lock of another."""
    with closing(Database(database._settings)) as third:
        for _ in range(200):
            waiting = third.run_autocommit(count_blocked)
            if waiting:
                return
            time.sleep(0.05)
    raise AssertionError("no transaction was blocked")


def count_blocked(cursor: Cursor) -> int:
    cursor.execute("SELECT count(*) AS n FROM pg_locks WHERE NOT granted")
    return int(cursor.fetchall()[0]["n"])
