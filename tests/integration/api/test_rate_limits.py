"""Limits of keys on a real PostgreSQL: exact under any number of callers."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from decimal import Decimal
from threading import Barrier

import pytest

from common.database import Database, limits, runs, videos
from common.domain import ids
from common.domain.caller import RateWindow
from common.domain.errors import TooManyRequests
from common.settings import DatabaseSettings
from tests.stand_ins.postgres_tap import tap
from tests.support.rows import wish

LIMITS = {"minute": 60, "hour": 1000}


def count(database: Database, key: str = "key", **changes: int) -> list[RateWindow]:
    return database.alone(lambda sql: limits.count_request(sql, key, {**LIMITS, **changes}))


def requests_kept(database: Database) -> list[tuple[int, int]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT requests, refused FROM key_requests ORDER BY day")
        return [(row["requests"], row["refused"]) for row in cursor]


def test_requests_are_counted_exactly(migrated: DatabaseSettings) -> None:
    def hit(times: int) -> list[int]:
        database = Database(migrated)
        seen = [count(database)[0].count for _ in range(times)]
        database.close()
        return seen

    with ThreadPoolExecutor(8) as pool:
        seen = sorted(n for part in pool.map(hit, [25] * 8) for n in part)
    # A minute may end in between; within each the numbers have no gap and no double.
    assert len(seen) == 200
    assert seen.count(1) <= 2
    if seen.count(1) == 1:
        assert seen == list(range(1, 201))
    database = Database(migrated)
    # A day may end in between as well.
    assert sum(requests for requests, _ in requests_kept(database)) == 200
    database.close()


def test_a_window_says_when_it_ends(database: Database) -> None:
    minute, hour = count(database)
    assert (minute.period, hour.period) == ("minute", "hour")
    assert 0 <= minute.resets_in <= 60 <= 3600 >= hour.resets_in


def test_a_window_starts_anew_and_never_goes_back(database: Database) -> None:
    count(database)
    with database.transaction() as cursor:
        cursor.execute("UPDATE rate_windows SET count = 50, started_at = '2020-01-01'")
    assert [window.count for window in count(database)] == [1, 1]
    with database.transaction() as cursor:
        # As if another request, which began later, had been counted first.
        cursor.execute(
            "UPDATE rate_windows "
            "SET count = 50, started_at = started_at + ('1 ' || period)::interval"
        )
    assert [window.count for window in count(database)] == [51, 51]


def test_refused_requests_are_told_apart(database: Database) -> None:
    for _ in range(5):
        count(database, minute=2)
    assert [sum(column) for column in zip(*requests_kept(database), strict=True)] in (
        [5, 3],
        [5, 2],  # a minute ended in between
        [5, 1],
    )


def test_counting_is_one_statement(migrated: DatabaseSettings) -> None:
    with tap(migrated.database_port) as wire:
        database = Database(migrated.model_copy(update={"database_port": wire.port}))
        count(database)
        wire.take()
        for _ in range(3):
            count(database)
        assert [text.split()[0] for text in wire.take()] == ["WITH"] * 3
        database.close()


def admit(database: Database, limit: int, key: str = "key") -> str:
    row, run_id = wish(key_id=key), ids.new("run")
    with database.transaction() as cursor:
        limits.admit_run(cursor, key, limit)
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0), key_id=key)
    return run_id


def test_fifty_racers_get_exactly_the_runs_of_the_key(migrated: DatabaseSettings) -> None:
    together = Barrier(50)

    def race(_: int) -> int:
        database, granted = Database(migrated), 0
        together.wait()
        for _ in range(3):
            with suppress(TooManyRequests):
                admit(database, 7)
                granted += 1
        database.close()
        return granted

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(race, range(50))) == 7
    database = Database(migrated)
    with database.transaction() as cursor:
        cursor.execute("SELECT sum(runs)::int AS runs FROM key_runs")
        assert cursor.fetchone() == {"runs": 7}
    database.close()


def test_a_run_that_ended_makes_room_and_another_key_has_its_own(database: Database) -> None:
    first = admit(database, 1)
    with pytest.raises(TooManyRequests, match="nothing was stored") as refusal:
        admit(database, 1)
    assert (refusal.value.error_code, refusal.value.retry_after) == ("rate.runs", 15)
    admit(database, 1, key="other")
    with database.transaction() as cursor:
        runs.fail(cursor, first, {"code": "x"})
    admit(database, 1)


def test_a_run_counts_for_the_key_that_started_it(database: Database) -> None:
    """Not for the key that made the video: money and places are of the one that resumes it."""
    row, run_id = wish(key_id="maker"), ids.new("run")
    with database.transaction() as cursor:
        videos.insert(cursor, row)
        limits.admit_run(cursor, "resumer", 1)
        runs.insert(cursor, run_id, row.session_id, "resume", Decimal(0), key_id="resumer")
    with pytest.raises(TooManyRequests):
        admit(database, 1, key="resumer")
    admit(database, 1, key="maker")


def test_the_use_of_a_key_outlives_its_videos(database: Database) -> None:
    admit(database, 9)
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM video_sessions")
        cursor.execute("SELECT sum(runs)::int AS runs FROM key_runs")
        assert cursor.fetchone() == {"runs": 1}
    admit(database, 1)
