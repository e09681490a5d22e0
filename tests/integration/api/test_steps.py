"""Single steps in the database: versions of images and clips, and concurrent runs of one video."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

from common.application import failure_records
from common.database import Cursor, Database, runs, scenes, versions, videos
from common.domain import ids
from common.domain.video import RunScope, RunTarget
from common.settings import DatabaseSettings
from tests.support.gateway import Gateway
from tests.support.rows import admit, insert_story, video_record

COLUMNS = {"timestamp": "0:00", "style": "Anime", "mood": "Calm"}


def insert_video(database: Database) -> str:
    """Insert a video without a run; return its id."""
    record = video_record()
    with database.transaction() as cursor:
        videos.insert(cursor, record)
    return record.session_id


def begin_run(database: Database, video_id: str, work: RunTarget) -> str:
    run_id = ids.new("run")
    with database.transaction() as cursor:
        runs.insert(cursor, run_id, video_id, "step", Decimal(0), work)
        assert runs.enter_stage(cursor, run_id, work.first_stage)
    return run_id


def test_run_stores_its_target(database: Database) -> None:
    video_id = insert_video(database)
    work = RunTarget(RunScope.IMAGE, {3: 1, 12: 4})
    run_id = begin_run(database, video_id, work)
    with database.transaction() as cursor:
        assert runs.work(cursor, run_id) == work
        (open_run,) = runs.open_runs(cursor, run_id=run_id)
    assert open_run.work == work


def test_image_can_be_requested_before_a_story(database: Database) -> None:
    video_id = insert_video(database)
    with database.transaction() as cursor:
        assert versions.add_image(cursor, video_id, 2, prompt="A door", **COLUMNS) == 1
        frame = scenes.image(cursor, video_id, 2)
        assert (frame.prompt, frame.motion_prompt, frame.style) == ("A door", "A door", "Anime")
        # Each scene has a row of each kind, and the first scene may be missing.
        assert [clip.clip_number for clip in scenes.clips(cursor, video_id)] == [2]
        assert scenes.finished_images(cursor, video_id) == {}


def test_image_request_keeps_the_storys_description(database: Database) -> None:
    video_id, _ = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        assert versions.add_image(cursor, video_id, 2, prompt="A door", **COLUMNS) == 1
        frame = scenes.image(cursor, video_id, 2)
    assert (frame.version, frame.prompt, frame.timestamp) == (1, "A door", "0:05")
    assert (frame.description, frame.motion_prompt) == ("scene 2", "move 2")


def test_scene_description_is_the_clients_prompt(
    database: Database,
) -> None:
    video_id = insert_video(database)
    prompt_columns = {"prompt": "A door. Style: anime. Mood: calm.", **COLUMNS}

    def description_of(cursor: Cursor) -> str:
        return scenes.image(cursor, video_id, 1).description

    with database.transaction() as cursor:
        versions.add_image(cursor, video_id, 1, description="A door", **prompt_columns)
        assert description_of(cursor) == "A door"
        versions.add_image(cursor, video_id, 1, description="A gate", **prompt_columns)
        assert description_of(cursor) == "A gate"
        # The same image in another ratio keeps the description.
        versions.add_image(cursor, video_id, 1, prompt="It opens", **COLUMNS)
        assert description_of(cursor) == "A gate"


def test_repeated_image_request_creates_a_new_version(database: Database) -> None:
    video_id = insert_video(database)
    with database.transaction() as cursor:
        first = versions.add_image(cursor, video_id, 1, prompt="A door", **COLUMNS)
        # No run has started it yet, so the prompt is replaced.
        assert versions.add_image(cursor, video_id, 1, prompt="A gate", **COLUMNS) == first
    run_id = begin_run(database, video_id, RunTarget(RunScope.IMAGE, {1: first}))
    with database.transaction() as cursor:
        second = versions.add_image(cursor, video_id, 1, prompt="A hole", **COLUMNS)
        assert (first, second) == (1, 2)
        assert scenes.image(cursor, video_id, 1, first).prompt == "A gate"
        # A failure belongs to the version of its run.
        failure_records.fail_scene(cursor, run_id, video_id, 1, "Lambda.Unknown")
        assert scenes.image(cursor, video_id, 1, first).status == "failed"
        assert scenes.image(cursor, video_id, 1, second).status == "queued"
        # Clips have versions separate from images.
        assert versions.add_clip(cursor, video_id, 1, prompt="It opens") == 1


def test_newest_finished_version_is_used(database: Database) -> None:
    video_id = insert_video(database)
    for version in (1, 2, 3):
        with database.transaction() as cursor:
            assert versions.add_image(cursor, video_id, 1, prompt="A door", **COLUMNS) == version
        begin_run(database, video_id, RunTarget(RunScope.IMAGE, {1: version}))
        with database.transaction() as cursor:
            scenes.start(cursor, "image", video_id, 1, version)
            if version < 3:
                scenes.finish_image(cursor, video_id, 1, version, key=f"v{version}", usd=Decimal(0))
    with database.transaction() as cursor:
        assert scenes.image(cursor, video_id, 1).version == 3
        assert scenes.finished_images(cursor, video_id)[1].image_key == "v2"


def test_video_status_is_decided_by_the_last_concurrent_run(
    database: Database, migrated: DatabaseSettings
) -> None:
    video_id = insert_video(database)
    run_ids = [
        begin_run(database, video_id, RunTarget(RunScope.IMAGE, {n: 1})) for n in range(1, 9)
    ]
    with database.transaction() as cursor:
        assert runs.fail(cursor, run_ids[0], {"code": "x"})
        assert videos.get(cursor, video_id).status == "running"
    # All other runs end concurrently; the last one updates the video's status.
    barrier = Barrier(len(run_ids) - 1)

    def end(run_id: str) -> None:
        own_database = Database(migrated)
        barrier.wait()
        with own_database.transaction() as cursor:
            assert runs.succeed(cursor, run_id)
        own_database.close()

    with ThreadPoolExecutor(len(run_ids) - 1) as pool:
        list(pool.map(end, run_ids[1:]))
    with database.transaction() as cursor:
        video = videos.get(cursor, video_id)
        assert (video.status, video.error) == ("failed", {"code": "x"}), "one image is missing"
        versions.add_image(cursor, video_id, 1, prompt="A door", **COLUMNS)
    retry_run = begin_run(database, video_id, RunTarget(RunScope.IMAGE, {1: 1}))
    with database.transaction() as cursor:
        scenes.finish_image(cursor, video_id, 1, 1, key="v1", usd=Decimal(0))
        assert runs.succeed(cursor, retry_run)
        video = videos.get(cursor, video_id)
        assert (video.status, video.error) == ("succeeded", None)


def test_partial_merge_keeps_the_other_clips(gateway: Gateway, database: Database) -> None:
    video_id, run_id = admit(database)
    insert_story(database, video_id)
    with database.transaction() as cursor:
        for scene in (1, 2, 3):
            scenes.finish_clip(cursor, video_id, scene, 1, key="c", frames=120, usd=Decimal(0))
        runs.succeed(cursor, run_id)
    cases: list[tuple[dict[str, int], int]] = [({"totalClips": 1}, 1), ({}, 3)]
    for fields, count in cases:
        body = {"requestId": video_id, **fields}
        response = gateway.call(
            "POST", "/api/merge_video_clips", body, headers={"Prefer": "wait=0"}
        )
        assert response.status == 202, response.text
        with database.transaction() as cursor:
            assert videos.get(cursor, video_id).frame_count == count
            runs.succeed(cursor, response.json()["runId"])


def test_previous_release_can_insert_runs(database: Database) -> None:
    video_id = insert_video(database)
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO runs (run_id, session_id, kind, reserved_usd) VALUES (%s, %s, %s, %s)",
            ("run_old", video_id, "create", Decimal(0)),
        )
        assert runs.work(cursor, "run_old") == RunTarget(RunScope.ALL)
