"""Cancellation: no new calls start, paid results are kept, and the response reports the charges."""

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from common.application import failure_records
from common.application.billing.charge import Charge
from common.application.billing.paid_calls import CallResult, PaidCalls
from common.database import Database, attempts, budget, runs, scenes, videos
from common.database.attempts import Attempt, Step
from common.database.budget import Caps
from common.domain import models
from common.domain.errors import PermanentError, RunEnded
from common.domain.video import Cost, RunScope, RunTarget
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from tests.support.clips import start_clips
from tests.support.gateway import Gateway
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import admit, insert_story
from tests.support.vendors import VendorSession

PRICE = Decimal("0.25")
VIDEO_BODY = {"prompt": "A paper boat", "scenes": 3, "seconds": 2}


def statuses_of(database: Database, video_id: str) -> tuple[str, str]:
    """Return the status of the video and of its newest run."""
    with database.transaction() as cursor:
        cursor.execute(
            "SELECT s.status AS video, r.status AS run FROM video_sessions s "
            "JOIN runs r USING (session_id) WHERE session_id = %s ORDER BY r.created_at DESC",
            (video_id,),
        )
        rows = cursor.fetchall()
    return rows[0]["video"], rows[0]["run"]


def test_cancel_ends_the_video_immediately(gateway: Gateway, database: Database) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    insert_story(database, created["id"])
    response = gateway.call("POST", created["links"]["cancel"])
    assert response.status == 200, response.text
    canceled = response.json()
    video = canceled["video"]
    assert (video["status"], video["error"]) == ("canceled", None)
    assert video["completed_at"]
    assert {scene["status"] for scene in video["scenes"]} == {"canceled"}
    assert statuses_of(database, created["id"]) == ("canceled", "canceled")
    assert gateway.machine.executions[created["run_id"]]["status"] == "ABORTED"
    assert canceled["billing"] == {
        "amount": "0.0000",
        "at_most": "0.0000",
        "currency": "USD",
        "story": "not",
        "scenes": [{"scene": n, "steps": {"image": "not", "clip": "not"}} for n in (1, 2, 3)],
    }
    # Canceling is idempotent.
    repeated = gateway.call("POST", created["links"]["cancel"])
    assert (repeated.status, repeated.json()["video"]["completed_at"]) == (
        200,
        video["completed_at"],
    )
    with database.transaction() as cursor:
        types = [event.type for event in runs.events(cursor, created["run_id"])]
    assert types == ["run.queued", "run.canceled"]


def test_cancel_succeeds_while_step_functions_is_unavailable(
    gateway: Gateway, database: Database
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    gateway.machine.down = True
    assert gateway.call("POST", created["links"]["cancel"]).json()["video"]["status"] == "canceled"
    with database.transaction() as cursor:
        assert not runs.enter_stage(cursor, created["run_id"], "story")


@pytest.mark.parametrize("outcome", ["succeed", "fail"])
def test_cancel_of_an_ended_video_is_a_conflict(
    outcome: str, gateway: Gateway, database: Database
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    with database.transaction() as cursor:
        if outcome == "succeed":
            runs.succeed(cursor, created["run_id"])
        else:
            runs.fail(cursor, created["run_id"], FAILURE)
    rejected = gateway.call("POST", created["links"]["cancel"])
    assert (rejected.status, rejected.json()["code"]) == (409, "video.not_running")
    assert (
        statuses_of(database, created["id"])[0]
        == {"succeed": "succeeded", "fail": "failed"}[outcome]
    )


FAILURE = {
    "code": "x",
    "stage": "story",
    "scene": None,
    "detail": "no",
    "retryable": True,
    "billed": None,
}


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        ("", None, False),
        ("", {}, False),
        ("", {"provider": None}, False),
        ("", {"provider": True}, True),
        ("", {"provider": False}, False),
        ("?provider=true", None, True),
        ("?provider=true", {}, True),
        ("?provider=true", {"provider": True}, True),
        ("?provider=false", None, False),
    ],
)
def test_cancel_provider_option_in_body_or_query(
    query: str, body: Any, expected: bool, gateway: Gateway
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    response = gateway.call("POST", created["links"]["cancel"] + query, body)
    assert (response.status, response.json()["provider"]) == (200, expected)


@pytest.mark.parametrize(
    ("query", "body", "pointer"),
    [
        ("?provider=true", {"provider": False}, "/provider"),
        ("?provider=false", {"provider": True}, "/provider"),
        ("", {"provider": "true"}, "/provider"),
        ("", {"provder": True}, "/provder"),
    ],
)
def test_cancel_with_an_invalid_body_changes_nothing(
    query: str, body: Any, pointer: str, gateway: Gateway, database: Database
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    rejected = gateway.call("POST", created["links"]["cancel"] + query, body)
    assert (rejected.status, rejected.json()["errors"][0]["pointer"]) == (422, pointer)
    assert statuses_of(database, created["id"]) == ("queued", "queued")


def test_cancel_of_another_users_video_is_not_found(gateway: Gateway, database: Database) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    assert gateway.call("POST", created["links"]["cancel"], user_id="bob").status == 404
    assert statuses_of(database, created["id"]) == ("queued", "queued")


def test_canceled_state_is_final(database: Database) -> None:
    video_id, run_id = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        runs.enter_stage(cursor, run_id, "clip")
        assert runs.cancel(cursor, video_id, jobs=False) == [run_id]
        assert not runs.succeed(cursor, run_id)
        assert not runs.fail(cursor, run_id, FAILURE)
        assert runs.cancel(cursor, video_id, jobs=False) == []
        failure_records.fail_scene(cursor, run_id, video_id, 2, "States.Timeout")
        assert not failure_records.fail_run(cursor, run_id, "ABORTED")
        assert runs.open_runs(cursor, run_id=run_id) == []
        assert scenes.image(cursor, video_id, 2).status == "canceled"
        assert scenes.image(cursor, video_id, 2).error is None
        with pytest.raises(RunEnded):
            runs.require_open(cursor, run_id)
        # An image that was being generated is paid for, and kept.
        scenes.finish_image(cursor, video_id, 1, 1, key="k", usd=PRICE)
        assert scenes.image(cursor, video_id, 1).status == "succeeded"
    assert statuses_of(database, video_id) == ("canceled", "canceled")


def test_race_condition_of_cancel_success_and_failure_has_one_winner(
    database: Database, migrated: DatabaseSettings
) -> None:
    runs_to_race = [admit(database) for _ in range(40)]
    for video_id, _ in runs_to_race:
        insert_story(database, video_id)
    barrier = Barrier(3)

    def race(ending: str) -> list[bool]:
        own_database, won = Database(migrated), []
        for video_id, run_id in runs_to_race:
            barrier.wait()
            with own_database.transaction() as cursor:
                if ending == "cancel":
                    won.append(bool(runs.cancel(cursor, video_id, jobs=False)))
                elif ending == "succeed":
                    won.append(runs.succeed(cursor, run_id))
                else:
                    won.append(runs.fail(cursor, run_id, FAILURE))
        own_database.close()
        return won

    with ThreadPoolExecutor(3) as pool:
        canceled, succeeded, failed = pool.map(race, ["cancel", "succeed", "fail"])
    statuses = {0: "canceled", 1: "succeeded", 2: "failed"}
    for (video_id, _), won in zip(
        runs_to_race, zip(canceled, succeeded, failed, strict=True), strict=True
    ):
        assert sum(won) == 1
        assert statuses_of(database, video_id) == (statuses[won.index(True)],) * 2


def test_cancel_ends_every_open_run_of_the_video(gateway: Gateway, database: Database) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    with database.transaction() as cursor:
        runs.insert(
            cursor, "run_part", created["id"], "step", Decimal(0), RunTarget(RunScope.STORY)
        )
    gateway.machine.executions["run_part"] = {"status": "RUNNING", "input": ""}
    response = gateway.call("POST", created["links"]["cancel"]).json()
    assert response["video"]["status"] == "canceled"
    statuses = {name: execution["status"] for name, execution in gateway.machine.executions.items()}
    assert statuses == {created["run_id"]: "ABORTED", "run_part": "ABORTED"}
    with database.transaction() as cursor:
        assert runs.open_runs(cursor, limit=9) == []


def spend_rows(database: Database) -> set[tuple[Decimal, Decimal]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd, spent_usd FROM spend")
        return {(row["reserved_usd"], row["spent_usd"]) for row in cursor}


def admit_paid(database: Database, **changes: Any) -> tuple[str, str]:
    """Admit a paid video with a reservation of 1 USD."""
    video_id, run_id = admit(database, estimated_usd=Decimal(1), frame_count=3, **changes)
    with database.transaction() as cursor:
        budget.reserve(cursor, Caps("key_1", Decimal(100), None, Decimal(100)), Decimal(1))
        cursor.execute("UPDATE runs SET reserved_usd = 1 WHERE run_id = %s", (run_id,))
    return video_id, run_id


def charge(video_id: str, run_id: str, scene: int) -> Charge:
    return Charge(
        run_id=run_id,
        step=Step(video_id, "clip", scene, 1),
        folder=MediaFolder("alice", video_id),
        model=models.paid().video,
        estimated_usd=PRICE,
        lease_seconds=60,
        may_resubmit=False,
    )


def record(cursor: Any, attempt: Attempt, facts: CallResult) -> None:
    attempts.mark_succeeded(cursor, attempt, Cost.from_json(facts["cost"]))


def test_cancel_reports_every_paid_call_despite_a_race_condition(
    database: Database, migrated: DatabaseSettings
) -> None:
    """The cancellation reports every call; a call that it does not report is not made."""
    rounds = [admit(database) for _ in range(62)]
    barrier = Barrier(2, timeout=30)  # fails if the other thread has failed
    leads = [
        0.001 * (number % 31 - 15) for number in range(len(rounds))
    ]  # seconds between cancellation and call

    def pay() -> list[bool]:
        own_database, called = Database(migrated), []
        for (video_id, run_id), lead in zip(rounds, leads, strict=True):
            calls: list[str] = []

            def make(token: str, calls: list[str] = calls) -> CallResult:
                calls.append(token)
                return {"cost": Cost(usd=PRICE).as_json()}

            barrier.wait()
            time.sleep(max(0, -lead))
            try:
                PaidCalls(own_database, InMemoryMediaStore()).execute(
                    charge(video_id, run_id, 1), make, record
                )
            except RunEnded:
                assert calls == []
            called.append(bool(calls))
        own_database.close()
        return called

    def cancel() -> list[bool]:
        own_database, reported = Database(migrated), []
        for (video_id, _), lead in zip(rounds, leads, strict=True):
            barrier.wait()
            time.sleep(max(0, lead))
            with own_database.transaction() as cursor:
                runs.cancel(cursor, video_id, jobs=False)
                reported.append(
                    any(bill.kind == "clip" for bill in attempts.by_step(cursor, video_id))
                )
        own_database.close()
        return reported

    with ThreadPoolExecutor(2) as pool:
        paying, canceling = pool.submit(pay), pool.submit(cancel)
        reported, called = canceling.result(), paying.result()
    assert called == reported
    assert 0 < sum(called) < len(rounds), "the race had only one outcome"


def test_charge_of_a_call_during_cancellation_is_counted(
    database: Database, migrated: DatabaseSettings
) -> None:
    video_id, run_id = admit_paid(database)
    canceling_database = Database(migrated)

    def make(_token: str) -> CallResult:
        with canceling_database.transaction() as cursor:
            runs.cancel(cursor, video_id, jobs=False)
        # The reservation is released; the open call counts with its estimate.
        assert spend_rows(database) == {(Decimal(0), PRICE)}
        return {"cost": Cost(usd=Decimal("0.2")).as_json()}

    paying_database = Database(migrated)
    PaidCalls(paying_database, InMemoryMediaStore()).execute(
        charge(video_id, run_id, 1), make, record
    )
    assert spend_rows(database) == {(Decimal(0), Decimal("0.2"))}
    assert statuses_of(database, video_id) == ("canceled", "canceled")
    paying_database.close()
    canceling_database.close()


def test_rejected_call_during_cancellation_costs_nothing(
    database: Database, migrated: DatabaseSettings
) -> None:
    video_id, run_id = admit_paid(database)
    canceling_database, paying_database = Database(migrated), Database(migrated)

    def make(_token: str) -> CallResult:
        with canceling_database.transaction() as cursor:
            runs.cancel(cursor, video_id, jobs=False)
        raise PermanentError("no")

    with pytest.raises(PermanentError):
        PaidCalls(paying_database, InMemoryMediaStore()).execute(
            charge(video_id, run_id, 1), make, record
        )
    assert spend_rows(database) == {(Decimal(0), Decimal(0))}
    paying_database.close()
    canceling_database.close()


def test_resume_after_cancel_reserves_only_missing_work(
    gateway: Gateway, database: Database, migrated: DatabaseSettings
) -> None:
    clips = models.paid().video
    columns = {"video_provider": clips.provider, "video_model": clips.model}
    video_id, run_id = admit_paid(database, **columns)
    own_database = Database(migrated)
    paid = {"cost": Cost(usd=PRICE).as_json()}
    PaidCalls(own_database, InMemoryMediaStore()).execute(
        charge(video_id, run_id, 1), lambda _: paid, record
    )
    own_database.close()
    assert gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()["billing"]["amount"] == (
        "0.2500"
    )
    assert spend_rows(database) == {(Decimal(0), PRICE)}
    resumed = gateway.call("POST", f"/v1/videos/{video_id}/resume")
    assert (resumed.status, resumed.json()["status"]) == (202, "queued")
    assert spend_rows(database) == {(2 * PRICE, PRICE)}, "two more clips; images are free"
    with database.transaction() as cursor:
        assert runs.succeed(cursor, resumed.json()["run_id"])
        assert videos.get(cursor, video_id).status == "succeeded"
    assert spend_rows(database) == {(Decimal(0), PRICE)}


# -- jobs at the provider --------------------------------------------------------------------------
def test_cancel_without_provider_option_leaves_jobs_running(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, _ = start_clips(database, store)
    response = gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()
    assert session.calls("tasks.delete") == 0
    assert response["provider"] is False
    assert response["billing"]["amount"] == "0.0000"
    assert response["billing"]["at_most"] == "0.5000"
    assert [scene["steps"]["clip"] for scene in response["billing"]["scenes"]] == [
        "maybe",
        "maybe",
        "not",
    ]


def test_cancel_with_provider_option_keeps_a_finished_clip(
    runway_app: tuple[VendorSession, InMemoryMediaStore],
    gateway: Gateway,
    database: Database,
    tmp_path: Path,
) -> None:
    session, store = runway_app
    session.vendor.fault("image_to_video", "stuck_running", times=1)
    video_id, _ = start_clips(database, store)
    time.sleep(0.6)  # until the second clip is finished
    response = gateway.call("POST", f"/v1/videos/{video_id}/cancel?provider=true").json()
    clips = [scene["clip"]["status"] for scene in response["video"]["scenes"]]
    assert clips == ["canceled", "succeeded", "canceled"]
    assert MediaFolder("alice", video_id).clip(2, 1) in store.objects
    steps = [scene["steps"]["clip"] for scene in response["billing"]["scenes"]]
    assert steps == ["maybe", "billed", "not"]
    # The vendor's charge book is in credits of a cent. The first clip is running and billed in any
    # case, so it is left to finish.
    assert Decimal(response["billing"]["at_most"]) * 100 == session.spent()
    assert response["billing"]["amount"] == "0.2500"
    assert session.calls("tasks.delete") == 0
    assert response["video"]["status"] == "canceled"


def test_cancel_can_be_repeated_with_the_provider_option(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    session.vendor.fault("image_to_video", "stuck_pending", times=None)
    video_id, _ = start_clips(database, store, count=1)
    first = gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()
    assert first["billing"]["scenes"][0]["steps"]["clip"] == "maybe"
    second = gateway.call("POST", f"/v1/videos/{video_id}/cancel", {"provider": True}).json()
    assert second["billing"]["scenes"][0]["steps"]["clip"] == "not"
    assert session.spent() == 0


def test_job_accepted_during_cancellation_is_canceled(
    runway_app: tuple[VendorSession, InMemoryMediaStore],
    gateway: Gateway,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session, store = runway_app
    session.vendor.fault("image_to_video", "stuck_pending", times=None)
    statuses = cancel_during_submit(monkeypatch, gateway)
    video_id, _ = start_clips(database, store, count=1)
    assert statuses == [200]
    with database.transaction() as cursor:
        assert [bill.charged_usd for bill in attempts.by_step(cursor, video_id)] == [0]
        assert attempts.open_clips(cursor, video_id) == []
    assert session.calls("tasks.delete") == 1
    assert statuses_of(database, video_id) == ("canceled", "canceled")


def cancel_during_submit(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> list[int]:
    """Cancel the video while its job is being accepted; return the statuses of the responses."""
    from common.providers.video.runway import Runway

    submit, statuses = Runway.submit, list[int]()

    def slow(self: Runway, request: Any) -> Any:
        job = submit(self, request)
        video_id = request.image_key.split("/")[1]
        response = gateway.call("POST", f"/v1/videos/{video_id}/cancel?provider=true")
        statuses.append(response.status)
        return job

    monkeypatch.setattr(Runway, "submit", slow)
    return statuses
