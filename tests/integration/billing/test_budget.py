"""Budgets on a real PostgreSQL: caps are exact, and reservations are released."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest

from common.application.admission import Admission, AdmittedVideo
from common.database import Cursor, Database, attempts, budget, runs, videos
from common.database.attempts import Attempt
from common.database.budget import Caps
from common.domain import ids, models
from common.domain.caller import Caller
from common.domain.errors import BudgetExceeded
from common.domain.video import Cost
from common.schemas.requests import ResumeVideoRequest
from common.settings import ApiSettings, DatabaseSettings, load
from common.storage.s3 import S3MediaStore
from tests.support.gateway import Gateway
from tests.support.rows import video_record


def caps(daily: str | None = None, all_daily: str | None = None, key: str = "key_1") -> Caps:
    def amount(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Caps(key_id=key, daily=amount(daily), monthly=None, all_daily=amount(all_daily))


def spend(database: Database) -> dict[tuple[str, int], tuple[Decimal, Decimal]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT scope, length(period) AS n, reserved_usd, spent_usd FROM spend")
        return {(r["scope"], r["n"]): (r["reserved_usd"], r["spent_usd"]) for r in cursor}


def test_concurrent_reservations_never_exceed_the_cap(migrated: DatabaseSettings) -> None:
    def reserve_repeatedly(_: int) -> int:
        database, granted = Database(migrated), 0
        for _ in range(40):
            try:
                with database.transaction() as cursor:
                    budget.reserve(cursor, caps(daily="1000", all_daily="100000"), Decimal(1))
                granted += 1
            except BudgetExceeded:
                pass
        database.close()
        return granted

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(reserve_repeatedly, range(50))) == 1000


def test_concurrent_admissions_never_exceed_the_cap(gateway: Gateway, database: Database) -> None:
    """Complete admissions, each with its rows; a video costs 4 of 1,000 USD."""
    settings, price, cap = load(ApiSettings), Decimal(4), Decimal(1000)
    caller = Caller("key_1", "alice", True, frozenset(), {}, 10_000, cap, None)
    barrier = Barrier(50)

    def admit_repeatedly(_: int) -> int:
        own_database, granted = Database(settings), 0
        admission = Admission(settings, own_database, S3MediaStore(settings.media_bucket))
        barrier.wait()
        for _ in range(10):
            video = AdmittedVideo(video_record(estimated_usd=price), ids.new("run"), None)
            try:
                with own_database.transaction() as cursor:
                    admission.keep(cursor, caller, video)
                granted += 1
            except BudgetExceeded:
                pass
        own_database.close()
        return granted

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(admit_repeatedly, range(50))) == cap / price
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) AS videos, sum(reserved_usd) AS usd FROM runs")
        assert dict(cursor.fetchone() or {}) == {"videos": cap / price, "usd": cap}
    assert spend(database)["key_1", 10] == (cap, Decimal(0))


def test_deployment_cap_applies_to_every_key(database: Database) -> None:
    with database.transaction() as cursor:
        budget.reserve(cursor, caps(all_daily="5", key="a"), Decimal(3))
    with (
        pytest.raises(BudgetExceeded, match=r"2\.0000 USD remain"),
        database.transaction() as cursor,
    ):
        budget.reserve(cursor, caps(all_daily="5", key="b"), Decimal(3))
    assert spend(database)["all", 10] == (Decimal(3), Decimal(0))
    assert ("b", 10) not in spend(database)


def test_first_reservation_over_the_cap_is_rejected(database: Database) -> None:
    with pytest.raises(BudgetExceeded), database.transaction() as cursor:
        budget.reserve(cursor, caps(daily="1"), Decimal("1.000001"))
    assert spend(database) == {}


def admit(database: Database, usd: str, **changes: Any) -> tuple[str, str]:
    record, run_id = video_record(estimated_usd=Decimal(usd), **changes), ids.new("run")
    with database.transaction() as cursor:
        budget.reserve(cursor, caps(daily="10", all_daily="10"), Decimal(usd))
        videos.insert(cursor, record)
        runs.insert(cursor, run_id, record.session_id, "create", Decimal(usd))
    return record.session_id, run_id


def insert_attempt(cursor: Cursor, video_id: str, scene: int) -> Attempt:
    inserted = attempts.insert(
        cursor,
        attempts.Step(video_id, "clip", scene, 1),
        attempt=1,
        token=ids.new("att"),
        provider="runway",
        model="gen4_turbo",
        estimated_usd=Decimal("0.25"),
        lease_seconds=60,
        possible_duplicate=False,
    )
    assert inserted
    return inserted


def charge(database: Database, video_id: str, scene: int, usd: str) -> None:
    with database.transaction() as cursor:
        attempts.mark_succeeded(
            cursor, insert_attempt(cursor, video_id, scene), Cost(usd=Decimal(usd))
        )


def test_ended_run_releases_its_unspent_reservation(database: Database) -> None:
    video_id, run_id = admit(database, "2.5")
    charge(database, video_id, 1, "0.3")
    with database.transaction() as cursor:
        assert runs.fail(cursor, run_id, {"code": "x"})
        assert not runs.fail(cursor, run_id, {"code": "x"})
    assert set(spend(database).values()) == {(Decimal(0), Decimal("0.3"))}


def test_resumed_run_counts_only_new_charges(database: Database) -> None:
    video_id, run_id = admit(database, "2.5")
    charge(database, video_id, 1, "0.3")
    resumed_run = ids.new("run")
    with database.transaction() as cursor:
        runs.fail(cursor, run_id, {"code": "x"})
        budget.reserve(cursor, caps(daily="10", all_daily="10"), Decimal("2.2"))
        runs.insert(cursor, resumed_run, video_id, "resume", Decimal("2.2"))
    charge(database, video_id, 2, "0.2")
    with database.transaction() as cursor:
        assert runs.succeed(cursor, resumed_run)
    assert set(spend(database).values()) == {(Decimal(0), Decimal("0.5"))}


def test_open_call_counts_with_its_estimate(database: Database) -> None:
    video_id, _ = admit(database, "1")
    charge(database, video_id, 1, "0.3")
    with database.transaction() as cursor:
        attempts.insert(
            cursor,
            attempts.Step(video_id, "clip", 2, 1),
            attempt=1,
            token=ids.new("att"),
            provider="runway",
            model="gen4_turbo",
            estimated_usd=Decimal("0.25"),
            lease_seconds=60,
            possible_duplicate=False,
        )
        assert budget.committed_usd(cursor, video_id) == Decimal("0.55")
        assert attempts.charges(cursor, video_id).charged_usd == Decimal("0.3")


def test_reservation_is_released_to_the_key_that_started_the_run(database: Database) -> None:
    record, run_id = video_record(estimated_usd=Decimal(2), key_id="maker"), ids.new("run")
    with database.transaction() as cursor:
        videos.insert(cursor, record)
        budget.reserve(cursor, caps(daily="10", key="resumer"), Decimal(2))
        runs.insert(cursor, run_id, record.session_id, "resume", Decimal(2), key_id="resumer")
        runs.fail(cursor, run_id, {"code": "x"})
    assert set(spend(database).values()) == {(Decimal(0), Decimal(0))}


def test_resume_reserves_repeated_calls_against_the_caps(
    gateway: Gateway, database: Database
) -> None:
    """A resume pays again for charged failures, but not for finished results."""
    usd = Decimal("0.25")
    clips = models.paid().video
    columns = {"frame_count": 2, "video_provider": clips.provider, "video_model": clips.model}
    video_id, run_id = admit(database, "0.50", **columns)
    with database.transaction() as cursor:
        cost = Cost(usd, Decimal(25), "credits")
        attempts.mark_succeeded(cursor, insert_attempt(cursor, video_id, 1), cost)
        attempts.mark_ended(
            cursor, insert_attempt(cursor, video_id, 2), "failed", "safety.output", cost
        )
        runs.fail(cursor, run_id, {"code": "safety.output", "stage": "clip"})
        settled = [(c.scene, c.charged_usd, c.units) for c in attempts.by_step(cursor, video_id)]
    assert settled == [(1, usd, Decimal(25)), (2, usd, Decimal(25))]
    admission = Admission(load(ApiSettings), database, S3MediaStore("media"))
    resumed_run = ids.new("run")

    def resume(cap: str) -> None:
        caller = Caller("key_1", "alice", True, frozenset(), {}, 10, Decimal(cap), None)
        with database.transaction() as cursor:
            admission.resume(cursor, caller, video_id, resumed_run, ResumeVideoRequest())

    with pytest.raises(BudgetExceeded):
        resume("0.74")  # 0.50 of it is already spent
    resume("0.75")
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd FROM runs WHERE run_id = %s", (resumed_run,))
        row = cursor.fetchone()
    assert row is not None
    assert row["reserved_usd"] == usd
