"""What a finished video has otherwise than requested is told wherever the video is shown."""

import json
from decimal import Decimal

from common.application import inbox_results
from common.database import Database, inbox, narrations, runs, scenes, videos
from common.database.inbox import ReceivedObject
from common.database.videos import FinalVideo
from common.domain.video import Scene, Story
from tests.support.gateway import Gateway
from tests.support.rows import admit
from tests.support.vendors import Shelf

SHORTENED, SPOKEN, DRAWN = "shortened", "spoken by English rules", "not drawn"
CUT = FinalVideo(
    *(1, "alice/f.mp4", "alice/f.jpg", 1, "5", 120, 9, "0" * 64),
    warnings=[SHORTENED, SPOKEN, DRAWN],
)


def _tell(database: Database, video_id: str) -> None:
    scene = Scene(1, 0, "a scene", "paint", "move", narration="Words.", warnings=(SHORTENED,))
    story = Story("A boat", "It sails.", (scene,))
    with database.transaction() as cursor:
        scenes.insert_story(cursor, video_id, story, "Cinematic", "Calm")
        narrations.start(cursor, video_id, 1)
        narrations.finish(
            cursor, video_id, 1, key="alice/n.wav", seconds=2, usd=Decimal(0), warnings=[SPOKEN]
        )


def test_warnings_of_narrations_are_shown_before_the_video_is_finished(
    database: Database, gateway: Gateway
) -> None:
    video_id, _ = admit(database, frame_count=1)
    _tell(database, video_id)
    assert gateway.call("GET", f"/v1/videos/{video_id}").json()["warnings"] == [SHORTENED, SPOKEN]


def test_warnings_of_the_cut_are_shown_in_the_video_and_in_lists(
    database: Database, gateway: Gateway
) -> None:
    video_id, _ = admit(database, frame_count=1)
    _tell(database, video_id)
    with database.transaction() as cursor:
        videos.insert_final(cursor, video_id, CUT)
    shown = gateway.call("GET", f"/v1/videos/{video_id}").json()
    assert shown["warnings"] == [SHORTENED, SPOKEN, DRAWN]
    (listed,) = gateway.call("GET", "/v1/videos").json()["data"]
    assert listed["warnings"] == [SHORTENED, SPOKEN, DRAWN]


def test_warnings_are_in_the_result_beside_the_inbox(database: Database) -> None:
    video_id, run_id = admit(database, frame_count=1)
    taken = ReceivedObject(
        "obj_1", "alice", "inbox/alice/boat.json", "v1", batch=False, problem=None
    )
    with database.transaction() as cursor:
        inbox.insert(cursor, taken)
        inbox.insert_job(cursor, taken.object_id, 1, video_id, run_id)
        videos.insert_final(cursor, video_id, CUT)
        runs.succeed(cursor, run_id)
    shelf = Shelf()
    inbox_results.write_results_of_run(database, shelf, run_id)
    (data,) = shelf.objects.values()
    assert json.loads(data)["warnings"] == [SHORTENED, SPOKEN, DRAWN]
