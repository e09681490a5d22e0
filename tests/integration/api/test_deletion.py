"""Deletion: all data of the video is removed, costs stay counted, and late workers add nothing."""

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
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import STORY, admit, insert_story

VIDEO_BODY = {"prompt": "A CANARY boat", "scenes": 1, "seconds": 2}
KEY = {"Idempotency-Key": "k"}


@dataclass
class Erasures:
    """The erased folders; `down` is the error that the store raises instead."""

    folders: list[str] = field(default_factory=list)
    down: VideoError | None = None


@pytest.fixture
def erasures(monkeypatch: pytest.MonkeyPatch) -> Erasures:
    erasures = Erasures()

    def erase(_: S3MediaStore, folder: MediaFolder) -> int:
        if erasures.down:
            raise erasures.down
        erasures.folders.append(folder.prefix)
        return 1

    monkeypatch.setattr(S3MediaStore, "erase", erase)
    return erasures


def all_rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = [row["tablename"] for row in cursor.fetchall()]
        rows_by_table = {}
        for table in tables:
            cursor.execute(f"SELECT * FROM {table}")
            rows_by_table[table] = [dict(row) for row in cursor.fetchall()]
    return rows_by_table


def test_delete_removes_all_data_of_the_video(
    gateway: Gateway, database: Database, erasures: Erasures
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY).json()
    insert_story(database, created["id"])
    running = gateway.call("DELETE", created["links"]["self"])
    assert (running.status, running.json()["code"]) == (409, "video.running")
    assert gateway.call("DELETE", created["links"]["self"], user_id="bob").status == 404
    assert gateway.call("POST", created["links"]["cancel"]).status == 200
    deleted = gateway.call("DELETE", created["links"]["self"])
    assert (deleted.status, deleted.text or "") == (204, "")
    assert erasures.folders == [f"alice/{created['id']}/"]
    for method, path in (("GET", ""), ("DELETE", ""), ("POST", "/resume"), ("GET", "/events")):
        assert gateway.call(method, created["links"]["self"] + path).status == 404
    assert gateway.call("GET", "/v1/videos").json()["data"] == []
    rows = all_rows(database)
    assert "CANARY" not in str(rows)
    remaining = {table for table, table_rows in rows.items() if created["id"] in str(table_rows)}
    assert remaining == {"deleted_videos", "idempotency_keys"}
    # A late repetition with its idempotency key creates no other video.
    repeated = gateway.call("POST", "/v1/videos", VIDEO_BODY, KEY)
    assert (repeated.status, repeated.json()["code"]) == (409, "idempotency.deleted")


def test_delete_releases_the_request_id(gateway: Gateway, erasures: Erasures) -> None:
    body = {**VIDEO_BODY, "requestId": "mine"}
    first = gateway.call("POST", "/v1/videos", body).json()
    gateway.call("POST", "/v1/videos/mine/cancel")
    assert gateway.call("DELETE", "/v1/videos/mine").status == 204
    second = gateway.call("POST", "/v1/videos", body)
    assert second.status == 202
    assert second.json()["id"] != first["id"]
    assert erasures.folders == [f"alice/{first['id']}/"]


@pytest.mark.parametrize("error", [TransientError("busy"), PermanentError("refused")])
def test_delete_is_completed_after_a_store_outage(
    error: VideoError, gateway: Gateway, database: Database, erasures: Erasures
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    gateway.call("POST", created["links"]["cancel"])
    erasures.down = error
    assert gateway.call("DELETE", created["links"]["self"]).status == 204
    with database.transaction() as cursor:
        assert deletions.due(cursor, 10) == []  # a worker may still be running
        cursor.execute("UPDATE deleted_videos SET deleted_at = now() - interval '21 minutes'")
        (due,) = deletions.due(cursor, 10)
        assert (due.session_id, due.user_id) == (created["id"], "alice")
        deletions.mark_erased(cursor, created["id"])
        assert deletions.due(cursor, 10) == []


def spend_rows(database: Database) -> set[tuple[Decimal, Decimal]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd, spent_usd FROM spend")
        return {(row["reserved_usd"], row["spent_usd"]) for row in cursor}


def pay_for_clip(database: Database, video_id: str, run_id: str, during: Any) -> None:
    """Pay 0.20 USD for a clip estimated at 0.25, and call `during` while the call is open."""

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
    PaidCalls(database, InMemoryMediaStore()).execute(charge, make, record)


def admit_paid(database: Database) -> tuple[str, str]:
    video_id, run_id = admit(database, estimated_usd=Decimal(1))
    insert_story(database, video_id)
    with database.transaction() as cursor:
        budget.reserve(cursor, Caps("key_1", Decimal(100), None, Decimal(100)), Decimal(1))
        cursor.execute("UPDATE runs SET reserved_usd = 1 WHERE run_id = %s", (run_id,))
    return video_id, run_id


def cancel_and_delete(database: Database, video_id: str) -> None:
    with database.transaction() as cursor:
        runs.cancel(cursor, video_id, jobs=False)
        assert deletions.delete(cursor, video_id)


def test_delete_keeps_charges_counted(database: Database) -> None:
    video_id, run_id = admit_paid(database)
    pay_for_clip(database, video_id, run_id, lambda: None)
    cancel_and_delete(database, video_id)
    assert spend_rows(database) == {(Decimal(0), Decimal("0.2"))}
    with database.transaction() as cursor:
        assert attempts.charges(cursor, video_id).charged_usd == Decimal("0.2")
        deletions.mark_erased(cursor, video_id)
    assert spend_rows(database) == {(Decimal(0), Decimal("0.2"))}


def test_late_worker_restores_nothing_after_delete(
    database: Database, migrated: DatabaseSettings
) -> None:
    video_id, run_id = admit_paid(database)
    worker = Database(migrated)
    with pytest.raises(PermanentError):
        pay_for_clip(worker, video_id, run_id, lambda: cancel_and_delete(database, video_id))
    rows = all_rows(database)
    for table in ("video_sessions", "runs", "run_events", "video_frames", "video_clips"):
        assert rows[table] == [], table
    # Its call may have been charged, so it counts with its estimate.
    assert spend_rows(database) == {(Decimal(0), Decimal("0.25"))}
    with database.transaction() as cursor:
        assert not runs.enter_stage(cursor, run_id, "clip")
        with pytest.raises(PermanentError):
            runs.require_open(cursor, run_id)
    with pytest.raises(PermanentError), database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, STORY, "Cinematic", "Calm")
    with database.transaction() as cursor:
        deletions.mark_erased(cursor, video_id)
    assert spend_rows(database) == {(Decimal(0), Decimal("0.25"))}
    worker.close()


def test_late_charge_after_delete_is_counted_by_the_cleanup(database: Database) -> None:
    video_id, _ = admit_paid(database)
    cancel_and_delete(database, video_id)
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
            deletions.mark_erased(cursor, video_id)
        assert spend_rows(database) == {(Decimal(0), Decimal("0.07"))}
