"""Parts of a video in the database: versions, and runs that go on side by side."""

from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier

from common.application import failure_records
from common.database import Cursor, Database, runs, scenes, versions, videos
from common.domain import ids
from common.domain.video import RunScope, RunTarget
from common.settings import DatabaseSettings
from tests.support.gateway import Gateway
from tests.support.rows import admit, tell, wish

LOOK = {"timestamp": "0:00", "style": "Anime", "mood": "Calm"}


def session(database: Database) -> str:
    """Store a session in which nothing was asked for yet."""
    row = wish()
    with database.transaction() as cursor:
        videos.insert(cursor, row)
    return row.session_id


def begin(database: Database, video_id: str, work: RunTarget) -> str:
    run_id = ids.new("run")
    with database.transaction() as cursor:
        runs.insert(cursor, run_id, video_id, "step", Decimal(0), work)
        assert runs.enter_stage(cursor, run_id, work.first_stage)
    return run_id


def test_a_run_keeps_its_work(database: Database) -> None:
    video_id = session(database)
    work = RunTarget(RunScope.IMAGE, {3: 1, 12: 4})
    run_id = begin(database, video_id, work)
    with database.transaction() as cursor:
        assert runs.work(cursor, run_id) == work
        (left,) = runs.still_open(cursor, run_id=run_id)
    assert left.work == work


def test_a_picture_asked_for_first_has_no_story(database: Database) -> None:
    video_id = session(database)
    with database.transaction() as cursor:
        assert versions.add_frame(cursor, video_id, 2, prompt="A door", **LOOK) == 1
        frame = scenes.frame(cursor, video_id, 2)
        assert (frame.prompt, frame.motion_prompt, frame.style) == ("A door", "A door", "Anime")
        # Scenes have a row of each kind, and need not begin with the first.
        assert [clip.clip_number for clip in scenes.clips(cursor, video_id)] == [2]
        assert scenes.finished_frames(cursor, video_id) == {}


def test_what_the_story_tells_stays_when_a_picture_is_asked_for(database: Database) -> None:
    video_id, _ = admit(database)
    tell(database, video_id)
    with database.transaction() as cursor:
        assert versions.add_frame(cursor, video_id, 2, prompt="A door", **LOOK) == 1
        frame = scenes.frame(cursor, video_id, 2)
    assert (frame.version, frame.prompt, frame.timestamp) == (1, "A door", "0:05")
    assert (frame.description, frame.motion_prompt) == ("scene 2", "move 2")


def test_people_read_what_they_asked_for_and_not_what_painters_are_told(
    database: Database,
) -> None:
    video_id = session(database)
    told = {"prompt": "A door. Style: anime. Mood: calm.", **LOOK}

    def read(cursor: Cursor) -> str:
        return scenes.frame(cursor, video_id, 1).description

    with database.transaction() as cursor:
        versions.add_frame(cursor, video_id, 1, description="A door", **told)
        assert read(cursor) == "A door"
        versions.add_frame(cursor, video_id, 1, description="A gate", **told)
        assert read(cursor) == "A gate"
        # The same picture in another shape.
        versions.add_frame(cursor, video_id, 1, prompt="It opens", **LOOK)
        assert read(cursor) == "A gate"


def test_what_was_begun_is_asked_for_again_as_another_version(database: Database) -> None:
    video_id = session(database)
    with database.transaction() as cursor:
        first = versions.add_frame(cursor, video_id, 1, prompt="A door", **LOOK)
        # Nobody was asked to make it yet: the newer words count.
        assert versions.add_frame(cursor, video_id, 1, prompt="A gate", **LOOK) == first
    run_id = begin(database, video_id, RunTarget(RunScope.IMAGE, {1: first}))
    with database.transaction() as cursor:
        second = versions.add_frame(cursor, video_id, 1, prompt="A hole", **LOOK)
        assert (first, second) == (1, 2)
        assert scenes.frame(cursor, video_id, 1, first).prompt == "A gate"
        # A failure is the failure of the version that was made.
        failure_records.fail_scene(cursor, run_id, video_id, 1, "Lambda.Unknown")
        assert scenes.frame(cursor, video_id, 1, first).status == "failed"
        assert scenes.frame(cursor, video_id, 1, second).status == "queued"
        # A clip's runs are not those of its picture.
        assert versions.add_clip(cursor, video_id, 1, prompt="It opens") == 1


def test_the_newest_finished_version_counts(database: Database) -> None:
    video_id = session(database)
    for version in (1, 2, 3):
        with database.transaction() as cursor:
            assert versions.add_frame(cursor, video_id, 1, prompt="A door", **LOOK) == version
        begin(database, video_id, RunTarget(RunScope.IMAGE, {1: version}))
        with database.transaction() as cursor:
            scenes.start(cursor, "image", video_id, 1, version)
            if version < 3:
                scenes.finish_image(cursor, video_id, 1, version, key=f"v{version}", usd=Decimal(0))
    with database.transaction() as cursor:
        assert scenes.frame(cursor, video_id, 1).version == 3
        assert scenes.finished_frames(cursor, video_id)[1].image_key == "v2"


def test_the_status_follows_from_what_is_missing_once_the_last_run_ends(
    database: Database, migrated: DatabaseSettings
) -> None:
    video_id = session(database)
    many = [begin(database, video_id, RunTarget(RunScope.IMAGE, {n: 1})) for n in range(1, 9)]
    with database.transaction() as cursor:
        assert runs.fail(cursor, many[0], {"code": "x"})
        assert videos.get(cursor, video_id).status == "running"
    # All others at the same moment: whoever is last sees that nobody is left.
    barrier = Barrier(len(many) - 1)

    def end(run_id: str) -> None:
        own = Database(migrated)
        barrier.wait()
        with own.transaction() as cursor:
            assert runs.succeed(cursor, run_id)
        own.close()

    with ThreadPoolExecutor(len(many) - 1) as pool:
        list(pool.map(end, many[1:]))
    with database.transaction() as cursor:
        video = videos.get(cursor, video_id)
        assert (video.status, video.error) == ("failed", {"code": "x"}), "one picture is missing"
        versions.add_frame(cursor, video_id, 1, prompt="A door", **LOOK)
    again = begin(database, video_id, RunTarget(RunScope.IMAGE, {1: 1}))
    with database.transaction() as cursor:
        scenes.finish_image(cursor, video_id, 1, 1, key="v1", usd=Decimal(0))
        assert runs.succeed(cursor, again)
        video = videos.get(cursor, video_id)
        assert (video.status, video.error) == ("succeeded", None)


def test_a_cut_of_the_first_clips_does_not_lose_the_others(
    gateway: Gateway, database: Database
) -> None:
    video_id, run_id = admit(database)
    tell(database, video_id)
    with database.transaction() as cursor:
        for scene in (1, 2, 3):
            scenes.finish_clip(cursor, video_id, scene, 1, key="c", frames=120, usd=Decimal(0))
        runs.succeed(cursor, run_id)
    wishes: list[tuple[dict[str, int], int]] = [({"totalClips": 1}, 1), ({}, 3)]
    for wished, count in wishes:
        body = {"requestId": video_id, **wished}
        answer = gateway.call("POST", "/api/merge_video_clips", body, headers={"Prefer": "wait=0"})
        assert answer.status == 202, answer.text
        with database.transaction() as cursor:
            assert videos.get(cursor, video_id).frame_count == count
            runs.succeed(cursor, answer.json()["runId"])


def test_old_code_starts_runs_on_the_new_schema(database: Database) -> None:
    video_id = session(database)
    with database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO runs (run_id, session_id, kind, reserved_usd) VALUES (%s, %s, %s, %s)",
            ("run_old", video_id, "create", Decimal(0)),
        )
        assert runs.work(cursor, "run_old") == RunTarget(RunScope.ALL)
