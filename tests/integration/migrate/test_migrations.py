"""Migrations are applied once, atomically, by one deployment at a time."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg2
import pytest

from common.database import Database
from common.settings import DatabaseSettings
from migrate import migrations

COUNT = len(list(migrations.FOLDER.glob("*.sql")))


def tables(settings: DatabaseSettings) -> set[str]:
    database = Database(settings)
    with database.transaction() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        names = {row["tablename"] for row in cursor.fetchall()}
    database.close()
    return names


def test_migrations_are_idempotent(empty: DatabaseSettings) -> None:
    assert migrations.apply(empty) == COUNT
    assert migrations.apply(empty) == 0
    seed = {"video_sessions", "video_frames", "video_clips", "final_videos"}
    assert seed < tables(empty)


def test_concurrent_deployments_apply_migrations_once(empty: DatabaseSettings) -> None:
    with ThreadPoolExecutor(4) as pool:
        applied = list(pool.map(lambda _: migrations.apply(empty), range(4)))
    assert sorted(applied) == [0, 0, 0, COUNT]


def test_stale_migration_lock_does_not_block(empty: DatabaseSettings) -> None:
    migrations.apply(empty)
    database = Database(empty)
    with database.transaction() as cursor:
        cursor.execute("INSERT INTO yoyo_lock (locked, ctime, pid) VALUES (1, now(), 4711)")
    database.close()
    assert migrations.apply(empty) == 0


def test_failed_migration_is_rolled_back(empty: DatabaseSettings, tmp_path: Path) -> None:
    (tmp_path / "0001_good.sql").write_text("CREATE TABLE good (id int)")
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE half (id int); SELECT nonsense")
    with pytest.raises(psycopg2.Error, match="nonsense"):
        migrations.apply(empty, tmp_path)
    assert "good" in tables(empty)
    assert "half" not in tables(empty)
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE half (id int)")
    assert migrations.apply(empty, tmp_path) == 1


def test_migrations_run_under_a_user_id_without_a_name(
    empty: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 4_294_967_000)
    assert migrations.apply(empty) == COUNT


def test_migration_numbers_are_unique() -> None:
    numbers = sorted(int(path.name[:4]) for path in migrations.FOLDER.glob("*.sql"))
    assert numbers == sorted(set(numbers))
