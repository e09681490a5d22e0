"""Canceling: nothing new starts, what is paid for is kept, and the answer says what is billed."""

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
from tests.support.rows import admit, tell
from tests.support.vendors import Shelf, Visit

PRICE = Decimal("0.25")
WISH = {"prompt": "A paper boat", "scenes": 3, "seconds": 2}


def state(database: Database, video_id: str) -> tuple[str, str]:
    """Status of the video and of its run."""
    with database.transaction() as cursor:
        cursor.execute(
            "SELECT s.status AS video, r.status AS run FROM video_sessions s "
            "JOIN runs r USING (session_id) WHERE session_id = %s ORDER BY r.created_at DESC",
            (video_id,),
        )
        rows = cursor.fetchall()
    return rows[0]["video"], rows[0]["run"]


def test_a_canceled_video_is_ended_at_once(gateway: Gateway, database: Database) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    tell(database, made["id"])
    answer = gateway.call("POST", made["links"]["cancel"])
    assert answer.status == 200, answer.text
    canceled = answer.json()
    video = canceled["video"]
    assert (video["status"], video["error"]) == ("canceled", None)
    assert video["completed_at"]
    assert {scene["status"] for scene in video["scenes"]} == {"canceled"}
    assert state(database, made["id"]) == ("canceled", "canceled")
    assert gateway.machine.executions[made["run_id"]]["status"] == "ABORTED"
    assert canceled["billing"] == {
        "amount": "0.0000",
        "at_most": "0.0000",
        "currency": "USD",
        "story": "not",
        "scenes": [{"scene": n, "steps": {"image": "not", "clip": "not"}} for n in (1, 2, 3)],
    }
    # Again: nothing changes.
    again = gateway.call("POST", made["links"]["cancel"])
    assert (again.status, again.json()["video"]["completed_at"]) == (200, video["completed_at"])
    with database.transaction() as cursor:
        types = [event.type for event in runs.events(cursor, made["run_id"])]
    assert types == ["run.queued", "run.canceled"]


def test_it_ends_although_step_functions_does_not_answer(
    gateway: Gateway, database: Database
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    gateway.machine.down = True
    assert gateway.call("POST", made["links"]["cancel"]).json()["video"]["status"] == "canceled"
    with database.transaction() as cursor:
        assert not runs.enter_stage(cursor, made["run_id"], "story")


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_what_has_ended_cannot_be_canceled(end: str, gateway: Gateway, database: Database) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    with database.transaction() as cursor:
        if end == "succeed":
            runs.succeed(cursor, made["run_id"])
        else:
            runs.fail(cursor, made["run_id"], FAILURE)
    refused = gateway.call("POST", made["links"]["cancel"])
    assert (refused.status, refused.json()["code"]) == (409, "video.not_running")
    assert state(database, made["id"])[0] == {"succeed": "succeeded", "fail": "failed"}[end]


FAILURE = {
    "code": "x",
    "stage": "story",
    "scene": None,
    "detail": "no",
    "retryable": True,
    "billed": None,
}


@pytest.mark.parametrize(
    ("query", "body", "said"),
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
def test_body_or_query_says_how_far_it_goes(
    query: str, body: Any, said: bool, gateway: Gateway
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    answer = gateway.call("POST", made["links"]["cancel"] + query, body)
    assert (answer.status, answer.json()["provider"]) == (200, said)


@pytest.mark.parametrize(
    ("query", "body", "pointer"),
    [
        ("?provider=true", {"provider": False}, "/provider"),
        ("?provider=false", {"provider": True}, "/provider"),
        ("", {"provider": "true"}, "/provider"),
        ("", {"provder": True}, "/provder"),
    ],
)
def test_a_body_that_is_not_understood_cancels_nothing(
    query: str, body: Any, pointer: str, gateway: Gateway, database: Database
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    refused = gateway.call("POST", made["links"]["cancel"] + query, body)
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert state(database, made["id"]) == ("queued", "queued")


def test_anothers_video_is_not_there(gateway: Gateway, database: Database) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    assert gateway.call("POST", made["links"]["cancel"], user_id="bob").status == 404
    assert state(database, made["id"]) == ("queued", "queued")


def test_nothing_that_comes_late_overwrites_it(database: Database) -> None:
    video_id, run_id = admit(database)
    tell(database, video_id)
    with database.transaction() as cursor:
        runs.enter_stage(cursor, run_id, "clip")
        assert runs.cancel(cursor, video_id, jobs=False) == [run_id]
        assert not runs.succeed(cursor, run_id)
        assert not runs.fail(cursor, run_id, FAILURE)
        assert runs.cancel(cursor, video_id, jobs=False) == []
        failure_records.fail_scene(cursor, run_id, video_id, 2, "States.Timeout")
        assert not failure_records.fail_run(cursor, run_id, "ABORTED")
        assert runs.still_open(cursor, run_id=run_id) == []
        assert scenes.frame(cursor, video_id, 2).status == "canceled"
        assert scenes.frame(cursor, video_id, 2).error is None
        with pytest.raises(RunEnded):
            runs.require_open(cursor, run_id)
        # A picture whose painter was at it is paid for, and kept.
        scenes.finish_image(cursor, video_id, 1, 1, key="k", usd=PRICE)
        assert scenes.frame(cursor, video_id, 1).status == "succeeded"
    assert state(database, video_id) == ("canceled", "canceled")


def test_of_cancel_and_success_exactly_one_wins(
    database: Database, migrated: DatabaseSettings
) -> None:
    made = [admit(database) for _ in range(40)]
    for video_id, _ in made:
        tell(database, video_id)
    together = Barrier(3)

    def race(ending: str) -> list[bool]:
        own, won = Database(migrated), []
        for video_id, run_id in made:
            together.wait()
            with own.transaction() as cursor:
                if ending == "cancel":
                    won.append(bool(runs.cancel(cursor, video_id, jobs=False)))
                elif ending == "succeed":
                    won.append(runs.succeed(cursor, run_id))
                else:
                    won.append(runs.fail(cursor, run_id, FAILURE))
        own.close()
        return won

    with ThreadPoolExecutor(3) as pool:
        canceled, succeeded, failed = pool.map(race, ["cancel", "succeed", "fail"])
    words = {0: "canceled", 1: "succeeded", 2: "failed"}
    for (video_id, _), won in zip(made, zip(canceled, succeeded, failed, strict=True), strict=True):
        assert sum(won) == 1
        assert state(database, video_id) == (words[won.index(True)],) * 2


def test_every_open_run_of_the_video_is_canceled(gateway: Gateway, database: Database) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    with database.transaction() as cursor:
        runs.insert(cursor, "run_part", made["id"], "step", Decimal(0), RunTarget(RunScope.STORY))
    gateway.machine.executions["run_part"] = {"status": "RUNNING", "input": ""}
    answer = gateway.call("POST", made["links"]["cancel"]).json()
    assert answer["video"]["status"] == "canceled"
    ended = {name: found["status"] for name, found in gateway.machine.executions.items()}
    assert ended == {made["run_id"]: "ABORTED", "run_part": "ABORTED"}
    with database.transaction() as cursor:
        assert runs.still_open(cursor, limit=9) == []


def spend(database: Database) -> set[tuple[Decimal, Decimal]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd, spent_usd FROM spend")
        return {(row["reserved_usd"], row["spent_usd"]) for row in cursor}


def admit_paid(database: Database, **changes: Any) -> tuple[str, str]:
    """A video of which one clip may be paid for, with its reservation."""
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


def test_no_call_is_made_that_the_cancellation_did_not_see(
    database: Database, migrated: DatabaseSettings
) -> None:
    """Whoever cancels is told of every call; a call that they are not told of is not made."""
    rounds = [admit(database) for _ in range(62)]
    together = Barrier(2, timeout=30)  # a failure of the other thread shows
    leads = [0.001 * (number % 31 - 15) for number in range(len(rounds))]  # of the call, seconds

    def pay() -> list[bool]:
        own, called = Database(migrated), []
        for (video_id, run_id), lead in zip(rounds, leads, strict=True):
            calls: list[str] = []

            def make(token: str, calls: list[str] = calls) -> CallResult:
                calls.append(token)
                return {"cost": Cost(usd=PRICE).as_json()}

            together.wait()
            time.sleep(max(0, -lead))
            try:
                PaidCalls(own, Shelf()).execute(charge(video_id, run_id, 1), make, record)
            except RunEnded:
                assert calls == []
            called.append(bool(calls))
        own.close()
        return called

    def cancel() -> list[bool]:
        own, seen = Database(migrated), []
        for (video_id, _), lead in zip(rounds, leads, strict=True):
            together.wait()
            time.sleep(max(0, lead))
            with own.transaction() as cursor:
                runs.cancel(cursor, video_id, jobs=False)
                seen.append(any(bill.kind == "clip" for bill in attempts.by_step(cursor, video_id)))
        own.close()
        return seen

    with ThreadPoolExecutor(2) as pool:
        paying, canceling = pool.submit(pay), pool.submit(cancel)
        seen, called = canceling.result(), paying.result()
    assert called == seen
    assert 0 < sum(called) < len(rounds), "both ways were to be seen; they were not"


def test_what_a_late_call_cost_is_counted(database: Database, migrated: DatabaseSettings) -> None:
    video_id, run_id = admit_paid(database)
    other = Database(migrated)

    def make(_token: str) -> CallResult:
        with other.transaction() as cursor:
            runs.cancel(cursor, video_id, jobs=False)
        # The reservation is back; the call that is under way counts with its estimate.
        assert spend(database) == {(Decimal(0), PRICE)}
        return {"cost": Cost(usd=Decimal("0.2")).as_json()}

    own = Database(migrated)
    PaidCalls(own, Shelf()).execute(charge(video_id, run_id, 1), make, record)
    assert spend(database) == {(Decimal(0), Decimal("0.2"))}
    assert state(database, video_id) == ("canceled", "canceled")
    own.close()
    other.close()


def test_a_refused_late_call_costs_nothing(database: Database, migrated: DatabaseSettings) -> None:
    video_id, run_id = admit_paid(database)
    other, own = Database(migrated), Database(migrated)

    def make(_token: str) -> CallResult:
        with other.transaction() as cursor:
            runs.cancel(cursor, video_id, jobs=False)
        raise PermanentError("no")

    with pytest.raises(PermanentError):
        PaidCalls(own, Shelf()).execute(charge(video_id, run_id, 1), make, record)
    assert spend(database) == {(Decimal(0), Decimal(0))}
    own.close()
    other.close()


def test_a_resumed_video_reserves_what_is_missing_only(
    gateway: Gateway, database: Database, migrated: DatabaseSettings
) -> None:
    clips = models.paid().video
    form = {"video_provider": clips.provider, "video_model": clips.model}
    video_id, run_id = admit_paid(database, **form)
    own = Database(migrated)
    paid = {"cost": Cost(usd=PRICE).as_json()}
    PaidCalls(own, Shelf()).execute(charge(video_id, run_id, 1), lambda _: paid, record)
    own.close()
    assert gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()["billing"]["amount"] == (
        "0.2500"
    )
    assert spend(database) == {(Decimal(0), PRICE)}
    resumed = gateway.call("POST", f"/v1/videos/{video_id}/resume")
    assert (resumed.status, resumed.json()["status"]) == (202, "queued")
    assert spend(database) == {(2 * PRICE, PRICE)}, "two more clips, and pictures that cost nothing"
    with database.transaction() as cursor:
        assert runs.succeed(cursor, resumed.json()["run_id"])
        assert videos.get(cursor, video_id).status == "succeeded"
    assert spend(database) == {(Decimal(0), PRICE)}


# -- jobs at the provider --------------------------------------------------------------------------
def test_without_the_provider_its_jobs_go_on(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, _ = start_clips(database, shelf)
    answer = gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()
    assert visit.calls("tasks.delete") == 0
    assert answer["provider"] is False
    assert answer["billing"]["amount"] == "0.0000"
    assert answer["billing"]["at_most"] == "0.5000"
    assert [scene["steps"]["clip"] for scene in answer["billing"]["scenes"]] == [
        "maybe",
        "maybe",
        "not",
    ]


def test_with_the_provider_a_finished_clip_is_kept_and_the_others_end(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database, tmp_path: Path
) -> None:
    visit, shelf = film
    visit.vendor.fault("image_to_video", "stuck_running", times=1)
    video_id, _ = start_clips(database, shelf)
    time.sleep(0.6)  # the second clip is finished by then
    answer = gateway.call("POST", f"/v1/videos/{video_id}/cancel?provider=true").json()
    clips = [scene["clip"]["status"] for scene in answer["video"]["scenes"]]
    assert clips == ["canceled", "succeeded", "canceled"]
    assert MediaFolder("alice", video_id).clip(2, 1) in shelf.objects
    steps = [scene["steps"]["clip"] for scene in answer["billing"]["scenes"]]
    assert steps == ["maybe", "billed", "not"]
    # In credits, a cent each: what the vendor's book says. The first clip is at work, and billed
    # anyway, so it is left to finish.
    assert Decimal(answer["billing"]["at_most"]) * 100 == visit.spent()
    assert answer["billing"]["amount"] == "0.2500"
    assert visit.calls("tasks.delete") == 0
    assert answer["video"]["status"] == "canceled"


def test_the_provider_may_be_added_later(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    visit.vendor.fault("image_to_video", "stuck_pending", times=None)
    video_id, _ = start_clips(database, shelf, count=1)
    first = gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()
    assert first["billing"]["scenes"][0]["steps"]["clip"] == "maybe"
    second = gateway.call("POST", f"/v1/videos/{video_id}/cancel", {"provider": True}).json()
    assert second["billing"]["scenes"][0]["steps"]["clip"] == "not"
    assert visit.spent() == 0


def test_a_job_that_was_accepted_during_the_cancellation_is_canceled_too(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    visit, shelf = film
    visit.vendor.fault("image_to_video", "stuck_pending", times=None)
    answers = cancel_during_submit(monkeypatch, gateway)
    video_id, _ = start_clips(database, shelf, count=1)
    assert answers == [200]
    with database.transaction() as cursor:
        assert [bill.charged_usd for bill in attempts.by_step(cursor, video_id)] == [0]
        assert attempts.open_clips(cursor, video_id) == []
    assert visit.calls("tasks.delete") == 1
    assert state(database, video_id) == ("canceled", "canceled")


def cancel_during_submit(monkeypatch: pytest.MonkeyPatch, gateway: Gateway) -> list[int]:
    """Let the video be canceled while its job is being accepted; return the answers' statuses."""
    from common.providers.video.runway import Runway

    submit, seen = Runway.submit, list[int]()

    def slow(self: Runway, request: Any) -> Any:
        job = submit(self, request)
        video_id = request.image_key.split("/")[1]
        answer = gateway.call("POST", f"/v1/videos/{video_id}/cancel?provider=true")
        seen.append(answer.status)
        return job

    monkeypatch.setattr(Runway, "submit", slow)
    return seen
