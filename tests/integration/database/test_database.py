"""Queries and transactions of the functions on a real PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from decimal import Decimal
from threading import Barrier

import pytest
from psycopg2.extras import Json

from common.application import failure_records
from common.database import Database, attempts, limits, narrations, runs, scenes, videos
from common.domain import ids
from common.domain.errors import DatabaseUnavailable, InvalidInput, NotFound, PermanentError
from common.settings import DatabaseSettings
from infra.local.postgres import Postgres
from tests.stand_ins.secrets_manager import SecretsManager
from tests.support.rows import STORY, admit, insert_story


def test_transaction_is_rolled_back_on_error(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.transaction() as cursor:
        assert limits.count_request(cursor, "k", {"minute": 1, "hour": 1})[0].count / 0
    with database.transaction() as cursor:
        cursor.execute("SELECT count(*) AS n FROM rate_windows")
        assert cursor.fetchone() == {"n": 0}


def terminate(postgres: Postgres, pid: int) -> None:
    connection = postgres.connect()
    connection.run("SELECT pg_terminate_backend(:pid)", pid=pid)
    connection.close()


def test_connection_is_reopened_after_it_was_terminated(
    database: Database, postgres: Postgres
) -> None:
    with database.transaction() as cursor:
        cursor.execute("SELECT pg_backend_pid() AS pid")
        row = cursor.fetchone()
    assert row
    terminate(postgres, row["pid"])
    with pytest.raises(DatabaseUnavailable), database.transaction() as cursor:
        cursor.execute("SELECT 1")
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")


def test_terminated_idle_connection_is_replaced_without_an_error(
    database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.transaction() as cursor:
        cursor.execute("SELECT pg_backend_pid() AS pid")
        row = cursor.fetchone()
    assert row
    terminate(postgres, row["pid"])
    monkeypatch.setattr(database, "_used_at", -1000.0)
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")


def test_unreachable_database_raises_database_unavailable(migrated: DatabaseSettings) -> None:
    unreachable = Database(migrated.model_copy(update={"database_port": 1}))
    with pytest.raises(DatabaseUnavailable, match="Try again"), unreachable.transaction():
        pass


def test_rotated_password_is_read_again(
    migrated: DatabaseSettings, secret_store: SecretsManager
) -> None:
    secret = next(iter(secret_store.secrets.values()))
    password, secret["password"] = secret["password"], "old"
    database = Database(migrated)
    secret_store.asked.clear()
    from common.aws import secrets

    secrets.read(migrated.database_secret_arn, fresh=True)
    secret["password"] = password
    with database.transaction() as cursor:
        cursor.execute("SELECT 1")
    assert len(secret_store.asked) == 2
    database.close()


def test_database_error_hides_the_servers_message(database: Database) -> None:
    with pytest.raises(PermanentError) as caught, database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO runs (run_id, session_id, kind) VALUES ('r', 'CANARY', 'create')"
        )
    assert "CANARY" not in str(caught.value)
    assert "23503" in str(caught.value)
    assert caught.value.__cause__ is None


def test_video_is_visible_only_to_its_owner(database: Database) -> None:
    video_id, run_id = admit(database)
    with database.transaction() as cursor:
        video = videos.get(cursor, video_id, "alice")
        assert (video.run_id, video.status) == (run_id, "queued")
        with pytest.raises(NotFound):
            videos.get(cursor, video_id, "bob")
        assert videos.page(cursor, "bob", limit=10, before=None) == []


def test_video_pagination_is_newest_first_and_complete(database: Database) -> None:
    created = [admit(database)[0] for _ in range(5)]
    listed: list[str] = []
    before = None
    with database.transaction() as cursor:
        while page := videos.page(cursor, "alice", limit=2, before=before):
            listed += [video.session_id for video in page]
            before = page[-1].id
    assert listed == created[::-1]


def test_run_stage_never_moves_back_and_run_ends_once(database: Database) -> None:
    video_id, run_id = admit(database)
    with database.transaction() as cursor:
        assert runs.enter_stage(cursor, run_id, "clip")
        assert runs.enter_stage(cursor, run_id, "image")
        assert runs.stage_of(cursor, run_id) == "clip"
        assert runs.succeed(cursor, run_id)
        assert not runs.fail(cursor, run_id, {"code": "late"})
        assert not runs.enter_stage(cursor, run_id, "merge")
        video = videos.get(cursor, video_id)
        assert (video.status, video.error) == ("succeeded", None)
        assert [e.type for e in runs.events(cursor, run_id)] == ["run.queued", "run.succeeded"]


def test_still_open_finds_runs_by_id_age_and_limit(database: Database) -> None:
    run_ids = [admit(database)[1] for _ in range(5)]
    with database.transaction() as cursor:
        assert [run.run_id for run in runs.open_runs(cursor, run_id=run_ids[3])] == [run_ids[3]]
        assert [run.run_id for run in runs.open_runs(cursor, limit=2)] == run_ids[:2]
        assert runs.open_runs(cursor, older_than_seconds=60, limit=9) == []
        runs.succeed(cursor, run_ids[3])
        assert runs.open_runs(cursor, run_id=run_ids[3]) == []


def test_concurrent_scenes_enter_a_stage_without_deadlock(migrated: DatabaseSettings) -> None:
    database = Database(migrated)
    run_ids = [admit(database)[1] for _ in range(40)]
    barrier = Barrier(8)

    def enter(_: int) -> list[bool]:
        own_database = Database(migrated)
        results = []
        for run_id in run_ids:
            barrier.wait()
            with own_database.transaction() as cursor:
                results.append(runs.enter_stage(cursor, run_id, "clip"))
        own_database.close()
        return results

    with ThreadPoolExecutor(8) as pool:
        assert all(all(results) for results in pool.map(enter, range(8)))
    database.close()


def test_story_insert_is_idempotent(database: Database) -> None:
    video_id, _ = admit(database)
    insert_story(database, video_id)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        assert [f.frame_number for f in scenes.images(cursor, video_id)] == [1, 2, 3]
        assert [c.clip_number for c in scenes.clips(cursor, video_id)] == [1, 2, 3]
        assert videos.get(cursor, video_id).story_title == "A boat"


def test_finished_image_ignores_later_failure_and_start(database: Database) -> None:
    video_id, _ = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        scenes.finish_image(cursor, video_id, 2, 1, key="k", usd=Decimal("0.1"))
        scenes.fail(cursor, "image", video_id, 2, {"code": "late"})
        scenes.start(cursor, "image", video_id, 2, 1)
        frame = scenes.image(cursor, video_id, 2)
        assert (frame.status, frame.image_key, frame.error) == ("succeeded", "k", None)
        with pytest.raises(NotFound):
            scenes.image(cursor, video_id, 4)


def test_killed_step_is_recorded_by_its_open_stage(database: Database) -> None:
    video_id, run_id = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        runs.enter_stage(cursor, run_id, "clip")
        scenes.finish_image(cursor, video_id, 2, 1, key="k", usd=Decimal(0))
        failure_records.fail_scene(cursor, run_id, video_id, 2, "Sandbox.Timedout")
        failure_records.fail_run(cursor, run_id, "SceneFailed")
        error = videos.get(cursor, video_id).error
    assert error
    assert (error["code"], error["stage"], error["scene"]) == ("step.timeout", "clip", 2)


def test_step_refused_by_lambda_is_recorded_as_not_billed(database: Database) -> None:
    video_id, run_id = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        runs.enter_stage(cursor, run_id, "image")
        failure_records.fail_scene(cursor, run_id, video_id, 2, "Lambda.TooManyRequestsException")
        failure_records.fail_run(cursor, run_id, "SceneFailed")
        error = videos.get(cursor, video_id).error
    assert error
    assert (error["code"], error["stage"], error["billed"]) == (
        "functions.unavailable",
        "image",
        False,
    )
    assert error["next_action"] == "resume_later"


def test_killed_narration_is_recorded_as_speech_timeout(database: Database) -> None:
    video_id, run_id = admit(database)
    narrated = tuple(replace(scene, narration="It sails.") for scene in STORY.scenes)
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, replace(STORY, scenes=narrated), "Cinematic", "Calm")
        scenes.finish_image(cursor, video_id, 2, 1, key="k", usd=Decimal(0))
        narrations.start(cursor, video_id, 2)
        failure_records.fail_scene(cursor, run_id, video_id, 2, "States.Timeout")
        assert narrations.of_scene(cursor, video_id, 2).status == "failed"
        failure_records.fail_run(cursor, run_id, "SceneFailed")
        error = videos.get(cursor, video_id).error
    assert error
    assert (error["code"], error["stage"], error["scene"]) == ("step.timeout", "speech", 2)


def test_run_failure_uses_the_error_that_the_step_recorded(database: Database) -> None:
    video_id, run_id = admit(database)
    with database.transaction() as cursor:
        runs.add_event(
            cursor, run_id, "image.failed", 1, {"code": "safety.input", "detail": "Declined."}
        )
        failure_records.fail_run(cursor, run_id, "PermanentError")
        error = videos.get(cursor, video_id).error
    assert error
    assert error["code"] == "safety.input"


def test_deleting_a_video_cascades_to_all_its_rows(database: Database) -> None:
    video_id, _ = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        cursor.execute("DELETE FROM video_sessions WHERE session_id = %s", (video_id,))
        for table in ("runs", "run_events", "video_frames", "video_clips", "provider_jobs"):
            cursor.execute(f"SELECT count(*) AS n FROM {table}")
            assert cursor.fetchone() == {"n": 0}, table


def test_attempt_lease_is_granted_to_one_worker(database: Database) -> None:
    video_id, _ = admit(database)
    step = attempts.Step(video_id, "image", 1, 1)
    with database.transaction() as cursor:
        first, second = (
            attempts.insert(
                cursor,
                step,
                attempt=1,
                token=ids.new("att"),
                provider="runway",
                model="gen4_turbo",
                estimated_usd=Decimal(0),
                lease_seconds=60,
                possible_duplicate=False,
            )
            for _ in range(2)
        )
    assert first
    assert first.leased
    assert second is None


@pytest.mark.parametrize(
    ("sql_type", "value"),
    [
        ("text", "a\0b"),
        ("text", "\ud800"),
        ("jsonb", Json({"a": "\0"})),
        ("bigint", 10**40),
        ("numeric(6, 2)", Decimal("1e30")),
        ("timestamptz", "294277-01-01"),
    ],
)
def test_value_out_of_range_raises_invalid_input(
    database: Database, sql_type: str, value: object
) -> None:
    with pytest.raises(InvalidInput) as caught, database.transaction() as cursor:
        cursor.execute(f"SELECT %s::{sql_type}", (value,))
    assert caught.value.error_code == "database.value"
    with database.transaction() as cursor:  # the connection stays usable
        cursor.execute("SELECT 1")
