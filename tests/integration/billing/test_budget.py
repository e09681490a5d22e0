"""Spending on a real PostgreSQL: caps are exact, and reservations come back."""

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
from tests.support.rows import wish


def caps(daily: str | None = None, all_daily: str | None = None, key: str = "key_1") -> Caps:
    def amount(text: str | None) -> Decimal | None:
        return None if text is None else Decimal(text)

    return Caps(key_id=key, daily=amount(daily), monthly=None, all_daily=amount(all_daily))


def spend(database: Database) -> dict[tuple[str, int], tuple[Decimal, Decimal]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT scope, length(period) AS n, reserved_usd, spent_usd FROM spend")
        return {(r["scope"], r["n"]): (r["reserved_usd"], r["spent_usd"]) for r in cursor}


def test_fifty_racers_get_exactly_the_cap(migrated: DatabaseSettings) -> None:
    def race(_: int) -> int:
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
        assert sum(pool.map(race, range(50))) == 1000


def test_fifty_racing_admissions_get_exactly_the_cap(gateway: Gateway, database: Database) -> None:
    """Whole admissions, each with its rows; a wish costs 4 of 1,000 units."""
    settings, price, cap = load(ApiSettings), Decimal(4), Decimal(1000)
    caller = Caller("key_1", "alice", True, frozenset(), {}, 10_000, cap, None)
    together = Barrier(50)

    def race(_: int) -> int:
        mine, granted = Database(settings), 0
        admission = Admission(settings, mine, S3MediaStore(settings.media_bucket))
        together.wait()
        for _ in range(10):
            order = AdmittedVideo(wish(estimated_usd=price), ids.new("run"), None)
            try:
                with mine.transaction() as cursor:
                    admission.keep(cursor, caller, order)
                granted += 1
            except BudgetExceeded:
                pass
        mine.close()
        return granted

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(race, range(50))) == cap / price
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) AS videos, sum(reserved_usd) AS usd FROM runs")
        assert dict(cursor.fetchone() or {}) == {"videos": cap / price, "usd": cap}
    assert spend(database)["key_1", 10] == (cap, Decimal(0))


def test_the_breaker_over_all_keys_stops_every_key(database: Database) -> None:
    with database.transaction() as cursor:
        budget.reserve(cursor, caps(all_daily="5", key="a"), Decimal(3))
    with (
        pytest.raises(BudgetExceeded, match=r"2\.0000 USD remain"),
        database.transaction() as cursor,
    ):
        budget.reserve(cursor, caps(all_daily="5", key="b"), Decimal(3))
    assert spend(database)["all", 10] == (Decimal(3), Decimal(0))
    assert ("b", 10) not in spend(database)


def test_a_first_amount_over_the_cap_is_refused_too(database: Database) -> None:
    with pytest.raises(BudgetExceeded), database.transaction() as cursor:
        budget.reserve(cursor, caps(daily="1"), Decimal("1.000001"))
    assert spend(database) == {}


def admit(database: Database, usd: str, **changes: Any) -> tuple[str, str]:
    row, run_id = wish(estimated_usd=Decimal(usd), **changes), ids.new("run")
    with database.transaction() as cursor:
        budget.reserve(cursor, caps(daily="10", all_daily="10"), Decimal(usd))
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(usd))
    return row.session_id, run_id


def attempt(cursor: Cursor, video_id: str, scene: int) -> Attempt:
    made = attempts.insert(
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
    assert made
    return made


def charge(database: Database, video_id: str, scene: int, usd: str) -> None:
    with database.transaction() as cursor:
        attempts.mark_succeeded(cursor, attempt(cursor, video_id, scene), Cost(usd=Decimal(usd)))


def test_a_run_that_ends_gives_back_what_it_did_not_spend(database: Database) -> None:
    video_id, run_id = admit(database, "2.5")
    charge(database, video_id, 1, "0.3")
    with database.transaction() as cursor:
        assert runs.fail(cursor, run_id, {"code": "x"})
        assert not runs.fail(cursor, run_id, {"code": "x"})
    assert set(spend(database).values()) == {(Decimal(0), Decimal("0.3"))}


def test_a_resumed_video_counts_only_what_came_since(database: Database) -> None:
    video_id, run_id = admit(database, "2.5")
    charge(database, video_id, 1, "0.3")
    again = ids.new("run")
    with database.transaction() as cursor:
        runs.fail(cursor, run_id, {"code": "x"})
        budget.reserve(cursor, caps(daily="10", all_daily="10"), Decimal("2.2"))
        runs.insert(cursor, again, video_id, "resume", Decimal("2.2"))
    charge(database, video_id, 2, "0.2")
    with database.transaction() as cursor:
        assert runs.succeed(cursor, again)
    assert set(spend(database).values()) == {(Decimal(0), Decimal("0.5"))}


def test_a_call_under_way_counts_with_its_estimate(database: Database) -> None:
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


def test_money_goes_back_to_the_key_that_started_the_run(database: Database) -> None:
    row, run_id = wish(estimated_usd=Decimal(2), key_id="maker"), ids.new("run")
    with database.transaction() as cursor:
        videos.insert(cursor, row)
        budget.reserve(cursor, caps(daily="10", key="resumer"), Decimal(2))
        runs.insert(cursor, run_id, row.session_id, "resume", Decimal(2), key_id="resumer")
        runs.fail(cursor, run_id, {"code": "x"})
    assert set(spend(database).values()) == {(Decimal(0), Decimal(0))}


def test_a_resume_is_held_to_the_caps_with_all_that_it_buys_again(
    gateway: Gateway, database: Database
) -> None:
    """What was charged and brought nothing is bought once more; what is there is not."""
    usd = Decimal("0.25")
    clips = models.paid().video
    form = {"frame_count": 2, "video_provider": clips.provider, "video_model": clips.model}
    video_id, run_id = admit(database, "0.50", **form)
    with database.transaction() as cursor:
        cost = Cost(usd, Decimal(25), "credits")
        attempts.mark_succeeded(cursor, attempt(cursor, video_id, 1), cost)
        attempts.mark_ended(cursor, attempt(cursor, video_id, 2), "failed", "safety.output", cost)
        runs.fail(cursor, run_id, {"code": "safety.output", "stage": "clip"})
        settled = [(c.scene, c.charged_usd, c.units) for c in attempts.by_step(cursor, video_id)]
    assert settled == [(1, usd, Decimal(25)), (2, usd, Decimal(25))]
    admission = Admission(load(ApiSettings), database, S3MediaStore("media"))
    again = ids.new("run")

    def resume(cap: str) -> None:
        caller = Caller("key_1", "alice", True, frozenset(), {}, 10, Decimal(cap), None)
        with database.transaction() as cursor:
            admission.resume(cursor, caller, video_id, again, ResumeVideoRequest())

    with pytest.raises(BudgetExceeded):
        resume("0.74")  # of which 0.50 are spent
    resume("0.75")
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd FROM runs WHERE run_id = %s", (again,))
        row = cursor.fetchone()
    assert row is not None
    assert row["reserved_usd"] == usd
