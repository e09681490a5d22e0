"""Rate limits and concurrent-run limits of API keys on a real PostgreSQL."""

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
from tests.stand_ins.postgres_tap import record_statements
from tests.support.rows import video_record

LIMITS = {"minute": 60, "hour": 1000}


def count(database: Database, key: str = "key", **changes: int) -> list[RateWindow]:
    return database.run_autocommit(
        lambda sql: limits.count_request(sql, key, {**LIMITS, **changes})
    )


def stored_counts(database: Database) -> list[tuple[int, int]]:
    with database.transaction() as cursor:
        cursor.execute("SELECT requests, refused FROM key_requests ORDER BY day")
        return [(row["requests"], row["refused"]) for row in cursor]


def test_rate_limit_counts_concurrent_requests_exactly(migrated: DatabaseSettings) -> None:
    def count_repeatedly(times: int) -> list[int]:
        database = Database(migrated)
        counts = [count(database)[0].count for _ in range(times)]
        database.close()
        return counts

    with ThreadPoolExecutor(8) as pool:
        counts = sorted(n for batch in pool.map(count_repeatedly, [25] * 8) for n in batch)
    # A minute may end in between; within each window the counts have no gap and no duplicate.
    assert len(counts) == 200
    assert counts.count(1) <= 2
    if counts.count(1) == 1:
        assert counts == list(range(1, 201))
    database = Database(migrated)
    # A day may end in between, too.
    assert sum(requests for requests, _ in stored_counts(database)) == 200
    database.close()


def test_rate_limit_window_reports_its_reset(database: Database) -> None:
    minute, hour = count(database)
    assert (minute.period, hour.period) == ("minute", "hour")
    assert 0 <= minute.resets_in <= 60 <= 3600 >= hour.resets_in


def test_rate_limit_window_restarts_and_never_moves_back(database: Database) -> None:
    count(database)
    with database.transaction() as cursor:
        cursor.execute("UPDATE rate_windows SET count = 50, started_at = '2020-01-01'")
    assert [window.count for window in count(database)] == [1, 1]
    with database.transaction() as cursor:
        # As if a request that started later had been counted first.
        cursor.execute(
            "UPDATE rate_windows "
            "SET count = 50, started_at = started_at + ('1 ' || period)::interval"
        )
    assert [window.count for window in count(database)] == [51, 51]


def test_rate_limit_counts_rejected_requests_separately(database: Database) -> None:
    for _ in range(5):
        count(database, minute=2)
    assert [sum(column) for column in zip(*stored_counts(database), strict=True)] in (
        [5, 3],
        [5, 2],  # a minute ended in between
        [5, 1],
    )


def test_rate_limit_takes_one_statement(migrated: DatabaseSettings) -> None:
    with record_statements(migrated.database_port) as wire:
        database = Database(migrated.model_copy(update={"database_port": wire.port}))
        count(database)
        wire.take()
        for _ in range(3):
            count(database)
        assert [text.split()[0] for text in wire.take()] == ["WITH"] * 3
        database.close()


def admit_run(database: Database, limit: int, key: str = "key") -> str:
    record, run_id = video_record(key_id=key), ids.new("run")
    with database.transaction() as cursor:
        limits.admit_run(cursor, key, limit)
        videos.insert(cursor, record)
        runs.insert(cursor, run_id, record.session_id, "create", Decimal(0), key_id=key)
    return run_id


def test_concurrent_run_limit_is_exact(migrated: DatabaseSettings) -> None:
    barrier = Barrier(50)

    def admit_repeatedly(_: int) -> int:
        database, granted = Database(migrated), 0
        barrier.wait()
        for _ in range(3):
            with suppress(TooManyRequests):
                admit_run(database, 7)
                granted += 1
        database.close()
        return granted

    with ThreadPoolExecutor(50) as pool:
        assert sum(pool.map(admit_repeatedly, range(50))) == 7
    database = Database(migrated)
    with database.transaction() as cursor:
        cursor.execute("SELECT sum(runs)::int AS runs FROM key_runs")
        assert cursor.fetchone() == {"runs": 7}
    database.close()


def test_concurrent_run_limit_is_per_key_and_freed_by_an_ended_run(database: Database) -> None:
    first = admit_run(database, 1)
    with pytest.raises(TooManyRequests, match="Nothing was stored") as caught:
        admit_run(database, 1)
    assert (caught.value.error_code, caught.value.retry_after) == ("rate.runs", 15)
    admit_run(database, 1, key="other")
    with database.transaction() as cursor:
        runs.fail(cursor, first, {"code": "x"})
    admit_run(database, 1)


def test_concurrent_run_limit_counts_for_the_starting_key(database: Database) -> None:
    """Not for the key that created the video: budget and limits are those of the resuming key."""
    record, run_id = video_record(key_id="maker"), ids.new("run")
    with database.transaction() as cursor:
        videos.insert(cursor, record)
        limits.admit_run(cursor, "resumer", 1)
        runs.insert(cursor, run_id, record.session_id, "resume", Decimal(0), key_id="resumer")
    with pytest.raises(TooManyRequests):
        admit_run(database, 1, key="resumer")
    admit_run(database, 1, key="maker")


def test_key_usage_outlives_deleted_videos(database: Database) -> None:
    admit_run(database, 9)
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM video_sessions")
        cursor.execute("SELECT sum(runs)::int AS runs FROM key_runs")
        assert cursor.fetchone() == {"runs": 1}
    admit_run(database, 1)
