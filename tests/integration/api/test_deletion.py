"""Deleting: nothing of the video is left, what was paid stays counted, nothing comes back."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from common.application.billing.charge import Charge
from common.application.billing.paid_calls import CallResult, PaidCalls
from common.database import Database, attempts, budget, deletions, runs, scenes
from common.database.attempts import Attempt, Step
from common.database.budget import Caps
from common.domain import models
from common.domain.errors import PermanentError, TransientError, VideoError
from common.domain.video import Cost
from common.settings import DatabaseSettings
from common.storage import MediaFolder
from common.storage.s3 import S3MediaStore
from tests.support.gateway import Gateway
from tests.support.rows import STORY, admit, tell
from tests.support.vendors import Shelf

WISH = {"prompt": "A CANARY boat", "scenes": 1, "seconds": 2}
KEY = {"Idempotency-Key": "k"}


@dataclass
class Erased:
    """The folders that were erased; `down`: what the store answers instead."""

    folders: list[str] = field(default_factory=list)
    down: VideoError | None = None


@pytest.fixture
def erased(monkeypatch: pytest.MonkeyPatch) -> Erased:
    seen = Erased()

    def erase(_: S3MediaStore, folder: MediaFolder) -> int:
        if seen.down:
            raise seen.down
        seen.folders.append(folder.prefix)
        return 1

    monkeypatch.setattr(S3MediaStore, "erase", erase)
    return seen


def everything(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row["tablename"] for row in cursor.fetchall()]
        found = {}
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            found[table] = [dict(row) for row in cursor.fetchall()]
    return found


def test_nothing_is_left_of_it(gateway: Gateway, database: Database, erased: Erased) -> None:
    made = gateway.call("POST", "/v1/videos", WISH, KEY).json()
    tell(database, made["id"])
    running = gateway.call("DELETE", made["links"]["self"])
    assert (running.status, running.json()["code"]) == (409, "video.running")
    assert gateway.call("DELETE", made["links"]["self"], user_id="bob").status == 404
    assert gateway.call("POST", made["links"]["cancel"]).status == 200
    gone = gateway.call("DELETE", made["links"]["self"])
    assert (gone.status, gone.text or "") == (204, "")
    assert erased.folders == [f"alice/{made['id']}/"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/resume"), ("GET", "/events")):
        assert gateway.call(method, made["links"]["self"] + path).status == 404
    assert gateway.call("GET", "/v1/videos").json()["data"] == []
    rows = everything(database)
    assert "CANARY" not in str(rows)
    left = {table for table, found in rows.items() if made["id"] in str(found)}
    assert left == {"deleted_videos", "idempotency_keys"}
    # Its key makes no other video by a repetition that comes late.
    again = gateway.call("POST", "/v1/videos", WISH, KEY)
    assert (again.status, again.json()["code"]) == (409, "idempotency.deleted")


def test_a_name_is_free_again(gateway: Gateway, erased: Erased) -> None:
    named = {**WISH, "requestId": "mine"}
    first = gateway.call("POST", "/v1/videos", named).json()
    gateway.call("POST", "/v1/videos/mine/cancel")
    assert gateway.call("DELETE", "/v1/videos/mine").status == 204
    second = gateway.call("POST", "/v1/videos", named)
    assert second.status == 202
    assert second.json()["id"] != first["id"]
    assert erased.folders == [f"alice/{first['id']}/"]


@pytest.mark.parametrize("error", [TransientError("busy"), PermanentError("refused")])
def test_a_store_that_is_down_is_made_up_for(
    error: VideoError, gateway: Gateway, database: Database, erased: Erased
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    gateway.call("POST", made["links"]["cancel"])
    erased.down = error
    assert gateway.call("DELETE", made["links"]["self"]).status == 204
    with database.transaction() as cursor:
        assert deletions.due(cursor, 10) == []  # a worker may still be at it
        cursor.execute("UPDATE deleted_videos SET deleted_at = now() - interval '21 minutes'")
        (due,) = deletions.due(cursor, 10)
        assert (due.session_id, due.user_id) == (made["id"], "alice")
        deletions.erased(cursor, made["id"])
        assert deletions.due(cursor, 10) == []


def spend(database: Database) -> set[tuple[Decimal, Decimal]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd, spent_usd FROM spend")
        return {(row["reserved_usd"], row["spent_usd"]) for row in cursor}


def pay(database: Database, video_id: str, run_id: str, during: Any) -> None:
    """Pay 0.20 USD for a clip that was estimated at 0.25; something happens during the call."""

    def make(_token: str) -> CallResult:
        during()
        return {"cost": Cost(usd=Decimal("0.2")).as_json()}

    def record(cursor: Any, attempt: Attempt, facts: CallResult) -> None:
        attempts.mark_succeeded(cursor, attempt, Cost.from_json(facts["cost"]))
        scenes.finish_clip(cursor, video_id, 1, 1, key="k", frames=1, usd=Decimal("0.2"))
        runs.add_event(cursor, run_id, "clip.succeeded", 1)

    charge = Charge(
        run_id=run_id,
        step=Step(video_id, "clip", 1, 1),
        folder=MediaFolder("alice", video_id),
        model=models.paid().video,
        estimated_usd=Decimal("0.25"),
        lease_seconds=60,
        may_resubmit=False,
    )
    PaidCalls(database, Shelf()).execute(charge, make, record)


def admit_paid(database: Database) -> tuple[str, str]:
    video_id, run_id = admit(database, estimated_usd=Decimal(1))
    tell(database, video_id)
    with database.transaction() as cursor:
        budget.reserve(cursor, Caps("key_1", Decimal(100), None, Decimal(100)), Decimal(1))
        cursor.execute("UPDATE runs SET reserved_usd = 1 WHERE run_id = %s", (run_id,))
    return video_id, run_id


def remove(database: Database, video_id: str) -> None:
    with database.transaction() as cursor:
        runs.cancel(cursor, video_id, jobs=False)
        assert deletions.delete(cursor, video_id)


def test_what_was_paid_stays_counted(database: Database) -> None:
    video_id, run_id = admit_paid(database)
    pay(database, video_id, run_id, lambda: None)
    remove(database, video_id)
    assert spend(database) == {(Decimal(0), Decimal("0.2"))}
    with database.transaction() as cursor:
        assert attempts.charges(cursor, video_id).charged_usd == Decimal("0.2")
        deletions.erased(cursor, video_id)
    assert spend(database) == {(Decimal(0), Decimal("0.2"))}


def test_a_worker_that_comes_late_brings_nothing_back(
    database: Database, migrated: DatabaseSettings
) -> None:
    video_id, run_id = admit_paid(database)
    worker = Database(migrated)
    with pytest.raises(PermanentError):
        pay(worker, video_id, run_id, lambda: remove(database, video_id))
    rows = everything(database)
    for table in ("video_sessions", "runs", "run_events", "video_frames", "video_clips"):
        assert rows[table] == [], table
    # Its call may be charged: until somebody knows better it counts with its estimate.
    assert spend(database) == {(Decimal(0), Decimal("0.25"))}
    with database.transaction() as cursor:
        assert not runs.enter_stage(cursor, run_id, "clip")
        with pytest.raises(PermanentError):
            runs.require_open(cursor, run_id)
    with pytest.raises(PermanentError), database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, STORY, "Cinematic", "Calm")
    with database.transaction() as cursor:
        deletions.erased(cursor, video_id)
    assert spend(database) == {(Decimal(0), Decimal("0.25"))}
    worker.close()


def test_what_a_late_call_cost_is_counted_when_it_is_looked_after(database: Database) -> None:
    video_id, _ = admit_paid(database)
    remove(database, video_id)
    with database.transaction() as cursor:
        attempt = attempts.insert(
            cursor,
            Step(video_id, "image", 1, 1),
            attempt=1,
            token="t",
            provider="openai",
            model="m",
            estimated_usd=Decimal("0.1"),
            lease_seconds=1,
            possible_duplicate=False,
        )
        assert attempt
        attempts.mark_succeeded(cursor, attempt, Cost(usd=Decimal("0.07")))
    for _ in range(2):
        with database.transaction() as cursor:
            deletions.erased(cursor, video_id)
        assert spend(database) == {(Decimal(0), Decimal("0.07"))}
