"""Warnings about deviations from the request, in every response that shows the video."""

import json
from decimal import Decimal

from common.application import inbox_results
from common.database import Database, inbox, narrations, runs, scenes, videos
from common.database.inbox import ReceivedObject
from common.database.videos import FinalVideo
from common.domain.video import Scene, Story
from tests.support.gateway import Gateway
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import admit

SHORTENED, SPOKEN, DRAWN = "shortened", "spoken by English rules", "not drawn"
FINAL_VIDEO = FinalVideo(
    *(1, "alice/f.mp4", "alice/f.jpg", 1, "5", 120, 9, "0" * 64),
    warnings=[SHORTENED, SPOKEN, DRAWN],
)


def _insert_story(database: Database, video_id: str) -> None:
    scene = Scene(1, 0, "a scene", "paint", "move", narration="Words.", warnings=(SHORTENED,))
    story = Story("A boat", "It sails.", (scene,))
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, story, "Cinematic", "Calm")
        narrations.start(cursor, video_id, 1)
        narrations.finish(
            cursor, video_id, 1, key="alice/n.wav", seconds=2, usd=Decimal(0), warnings=[SPOKEN]
        )


def test_narration_warnings_are_shown_before_the_video_is_finished(
    database: Database, gateway: Gateway
) -> None:
    video_id, _ = admit(database, frame_count=1)
    _insert_story(database, video_id)
    assert gateway.call("GET", f"/v1/videos/{video_id}").json()["warnings"] == [SHORTENED, SPOKEN]


def test_merge_warnings_are_shown_in_video_and_list(database: Database, gateway: Gateway) -> None:
    video_id, _ = admit(database, frame_count=1)
    _insert_story(database, video_id)
    with database.transaction() as cursor:
        videos.insert_final(cursor, video_id, FINAL_VIDEO)
    video = gateway.call("GET", f"/v1/videos/{video_id}").json()
    assert video["warnings"] == [SHORTENED, SPOKEN, DRAWN]
    (listed,) = gateway.call("GET", "/v1/videos").json()["data"]
    assert listed["warnings"] == [SHORTENED, SPOKEN, DRAWN]


def test_warnings_are_in_the_inbox_result(database: Database) -> None:
    video_id, run_id = admit(database, frame_count=1)
    inbox_object = ReceivedObject(
        "obj_1", "alice", "inbox/alice/boat.json", "v1", batch=False, problem=None
    )
    with database.transaction() as cursor:
        inbox.insert(cursor, inbox_object)
        inbox.insert_job(cursor, inbox_object.object_id, 1, video_id, run_id)
        videos.insert_final(cursor, video_id, FINAL_VIDEO)
        runs.succeed(cursor, run_id)
    store = InMemoryMediaStore()
    inbox_results.write_results_of_run(database, store, run_id)
    (data,) = store.objects.values()
    assert json.loads(data)["warnings"] == [SHORTENED, SPOKEN, DRAWN]
