"""A video that was ordered as a whole and is not finished: how it stands, and what leads on."""

from decimal import Decimal
from typing import Any

import pytest

from common.database import Database, attempts, narrations, runs, scenes, versions, videos
from common.database.attempts import Step
from common.database.videos import FinalVideo
from common.domain import ids, models
from common.domain.video import Cost, RunScope, RunTarget
from tests.integration.application.test_resume import resume
from tests.support.clips import start_clips
from tests.support.gateway import Gateway, Reply, quietly
from tests.support.rows import admit, tell
from tests.support.vendors import Shelf, Visit

_PAID = models.paid()
PAID = {
    "text_provider": _PAID.text.provider,
    "text_model": _PAID.text.model,
    "image_provider": _PAID.image.provider,
    "image_model": _PAID.image.model,
    "video_provider": _PAID.video.provider,
    "video_model": _PAID.video.model,
}
DECLINED = {
    "code": "safety.input",
    "stage": "image",
    "scene": 2,
    "detail": "Declined.",
    "retryable": False,
    "billed": False,
}
NO_WAIT = {"Prefer": "wait=0"}


def finish_image(database: Database, video_id: str, scene: int, version: int = 1) -> None:
    with database.transaction() as cursor:
        key = f"image-{scene}-{version}"
        scenes.finish_image(cursor, video_id, scene, version, key=key, usd=Decimal(0))


def finish_clip(database: Database, video_id: str, scene: int, version: int = 1) -> None:
    with database.transaction() as cursor:
        key = f"clip-{scene}-{version}"
        scenes.finish_clip(cursor, video_id, scene, version, key=key, frames=120, usd=Decimal(0))


def join(database: Database, video_id: str, clips: int = 3) -> None:
    with database.transaction() as cursor:
        before = videos.final(cursor, video_id)
        version = before.version + 1 if before else 1
        videos.insert_final(
            cursor, video_id, FinalVideo(version, "f", "p", clips, "1", 24, 1, "0" * 64)
        )


@pytest.fixture
def video_id(database: Database) -> str:
    """A paid video of three scenes, of which the second one's picture was declined."""
    video_id, run_id = admit(database, **PAID)
    tell(database, video_id)
    for scene in (1, 3):
        finish_image(database, video_id, scene)
        finish_clip(database, video_id, scene)
    with database.transaction() as cursor:
        scenes.fail(cursor, "image", video_id, 2, DECLINED, 1)
        runs.fail(cursor, run_id, DECLINED)
    return video_id


def show(gateway: Gateway, video_id: str) -> Any:
    return gateway.call("GET", f"/v1/videos/{video_id}").json()


def repaint(gateway: Gateway, video_id: str, **more: Any) -> Reply:
    body = {"requestId": video_id, "prompt": "A heron", "frameIndex": 1, **more}
    return gateway.call("POST", "/api/generate_single_image", body, headers=NO_WAIT)


def end(database: Database, run_id: str, error: dict[str, Any] | None = None) -> None:
    with database.transaction() as cursor:
        assert runs.fail(cursor, run_id, error) if error else runs.succeed(cursor, run_id)


def of_run(database: Database, run_id: str) -> RunTarget:
    with database.transaction() as cursor:
        return runs.work(cursor, run_id)


def attempt(database: Database, step: Step, state: str, usd: str = "0.25", number: int = 1) -> None:
    """Write a call for the step into the ledger, as it ended."""
    with database.transaction() as cursor:
        made = attempts.insert(
            cursor,
            step,
            attempt=number,
            token=ids.new("att"),
            provider="x",
            model="y",
            estimated_usd=Decimal(usd),
            lease_seconds=0,
            possible_duplicate=False,
        )
        assert made
        if state == "submitted":
            attempts.mark_submitted(cursor, made, {})
        elif state == "succeeded":
            attempts.mark_succeeded(cursor, made, Cost(Decimal(usd)))
        else:
            attempts.mark_ended(cursor, made, state, "x")


# -- the status ------------------------------------------------------------------------------------
def test_a_picture_that_was_made_anew_leaves_the_video_failed_and_resumable(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    made = repaint(gateway, video_id)
    assert made.status == 202, made.text
    assert show(gateway, video_id)["status"] == "queued"
    finish_image(database, video_id, 2, 2)
    end(database, made.json()["runId"])
    video = show(gateway, video_id)
    assert (video["status"], video["output"]) == ("failed", None)
    assert video["error"]["code"] == "video.incomplete"
    assert (video["error"]["stage"], video["error"]["scene"]) == ("clip", 2)
    assert video["error"]["retryable"] is True
    listed = {
        status: [v["id"] for v in gateway.call("GET", f"/v1/videos?status={status}").json()["data"]]
        for status in ("failed", "succeeded")
    }
    assert listed == {"failed": [video_id], "succeeded": []}
    download = gateway.call("GET", f"/v1/videos/{video_id}/download")
    assert (download.status, download.json()["code"]) == (409, "video.not_finished")
    assert "it is failed. Resume it" in download.json()["detail"]
    resumed = resume(gateway, video_id)
    assert resumed.status == 202, resumed.text
    assert of_run(database, resumed.json()["run_id"]) == RunTarget(RunScope.ALL)


def test_a_clip_that_was_made_anew_leaves_the_merge_to_a_resume(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    with database.transaction() as cursor:
        version = versions.add_clip(cursor, video_id, 2, prompt="It flies")
        run_id = ids.new("run")
        runs.insert(
            cursor, run_id, video_id, "step", Decimal(0), RunTarget(RunScope.CLIP, {2: version})
        )
    finish_clip(database, video_id, 2, version)
    end(database, run_id)
    video = show(gateway, video_id)
    assert (video["status"], video["error"]["stage"]) == ("failed", "merge")
    resumed = resume(gateway, video_id)
    assert resumed.status == 202
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd FROM runs WHERE step = 'all' AND kind = 'resume'")
        assert [row["reserved_usd"] for row in cursor] == [0], "nothing is left to be paid for"
    join(database, video_id)
    end(database, resumed.json()["run_id"])
    video = show(gateway, video_id)
    assert (video["status"], video["error"], video["progress"]) == ("succeeded", None, 100)
    again = resume(gateway, video_id)
    assert (again.status, again.json()["code"]) == (409, "video.not_failed")
    assert "/api/merge_video_clips" in again.json()["detail"]


@pytest.mark.parametrize("canceled", [False, True])
def test_a_fix_in_vain_does_not_become_what_is_resumed(
    canceled: bool, video_id: str, gateway: Gateway, database: Database
) -> None:
    run_id = repaint(gateway, video_id).json()["runId"]
    if canceled:
        for _ in range(2):
            answer = gateway.call("POST", f"/v1/videos/{video_id}/cancel")
            assert (answer.status, answer.json()["video"]["status"]) == (200, "canceled")
    else:
        end(database, run_id, DECLINED)
        shown = show(gateway, video_id)["error"]
        assert shown == {**DECLINED, "next_action": "change_prompt"}
    resumed = resume(gateway, video_id)
    assert resumed.status == 202
    assert of_run(database, resumed.json()["run_id"]) == RunTarget(RunScope.ALL)


def test_a_finished_video_stays_one_when_a_scene_is_made_anew_in_vain(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    for finish in (finish_image, finish_clip):
        finish(database, video_id, 2)
    join(database, video_id)
    run_id = repaint(gateway, video_id).json()["runId"]
    end(database, run_id, DECLINED)
    video = show(gateway, video_id)
    assert (video["status"], video["error"]) == ("succeeded", None)
    assert gateway.call("DELETE", f"/v1/videos/{video_id}").status == 204


def test_a_cut_of_the_first_clips_does_not_finish_the_whole(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    body = {"requestId": video_id, "totalClips": 1}
    merged = gateway.call("POST", "/api/merge_video_clips", body, headers=NO_WAIT)
    assert merged.status == 202, merged.text
    join(database, video_id, 1)
    end(database, merged.json()["runId"])
    assert show(gateway, video_id)["status"] == "failed"
    resumed = resume(gateway, video_id)
    assert (resumed.status, resumed.json()["scene_count"]) == (202, 3)


# -- parts of a whole ------------------------------------------------------------------------------
def test_a_part_has_the_look_of_its_video_unless_it_says_otherwise(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    looks = []
    for more in ({}, {"style": "Anime"}, {"mood": "Playful"}):
        run_id = repaint(gateway, video_id, **more).json()["runId"]
        with database.transaction() as cursor:
            frame = scenes.frame(cursor, video_id, 2)
            looks.append((frame.style, frame.mood))
        end(database, run_id, DECLINED)
    assert looks == [("Cinematic", "Calm"), ("Anime", "Calm"), ("Cinematic", "Playful")]
    alone = gateway.call("POST", "/api/generate_single_image", {"prompt": "x"}, headers=NO_WAIT)
    with database.transaction() as cursor:
        video = videos.get(cursor, alone.json()["requestId"])
    assert (video.style, video.mood) == ("Realistic", "Vibrant")


def test_a_part_is_held_against_the_models_of_its_video(
    gateway: Gateway, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage's own model makes no clips of seven seconds, that of the video does."""
    monkeypatch.setenv("VIDEO_PROVIDER", "luma")
    _, run_id = admit(database, request_id="mine")
    end(database, run_id, DECLINED)
    body = {"prompt": "x", "requestId": "mine", "duration": 7, "clipIndex": 0}
    answer = gateway.call("POST", "/api/generate_single_video_clip", body, headers=NO_WAIT)
    assert answer.json()["code"] == "clip.no_picture", answer.text
    other = gateway.call(
        "POST", "/api/generate_single_video_clip", {**body, "requestId": "new"}, headers=NO_WAIT
    )
    assert other.status == 400, "a new one is made by the stage's own"


def test_a_scene_follows_the_last_one_of_a_whole_video(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    refused = repaint(gateway, video_id, frameIndex=5)
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (400, "/frameIndex")
    end(database, repaint(gateway, video_id, totalFrames=2).json()["runId"], DECLINED)
    assert show(gateway, video_id)["scene_count"] == 3
    end(database, repaint(gateway, video_id, frameIndex=3).json()["runId"], DECLINED)
    assert resume(gateway, video_id).json()["scene_count"] == 4


# -- changes that a resume brings ------------------------------------------------------------------
def prompts(database: Database, video_id: str, scene: int) -> tuple[tuple[int, str], ...]:
    with database.transaction() as cursor:
        frame = scenes.frame(cursor, video_id, scene)
        clip = scenes.clip(cursor, video_id, scene)
    return (frame.version, frame.prompt), (clip.version, clip.optimized_prompt or "")


def test_changed_prompts_of_what_is_not_finished_change_it_in_place(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    attempt(database, Step(video_id, "image", 2, 1), "refused")
    change = {"prompt": "A heron", "motion_prompt": "It flies"}
    resumed = resume(gateway, video_id, {"scenes": {"2": change}})
    assert resumed.status == 202, resumed.text
    (version, prompt), clip = prompts(database, video_id, 2)
    assert (version, clip) == (1, (1, "It flies"))
    assert prompt.startswith("A heron")
    assert resumed.json()["scenes"][1]["motion_prompt"] == "It flies"
    missing = _PAID.image.image_usd("1280:720", anchor=True) + _PAID.video.clip_usd(5)
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd FROM runs WHERE kind = 'resume'")
        assert [row["reserved_usd"] for row in cursor] == [missing]


def test_a_finished_scene_that_is_named_is_made_anew_and_no_other(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    for kind in ("image", "clip"):
        attempt(database, Step(video_id, kind, 3, 1), "succeeded")
    resumed = resume(gateway, video_id, {"scenes": {"3": {"prompt": "A pier"}}})
    assert resumed.status == 202, resumed.text
    assert [version for version, _ in prompts(database, video_id, 3)] == [2, 2]
    assert [version for version, _ in prompts(database, video_id, 1)] == [1, 1]
    with database.transaction() as cursor:
        assert [*scenes.finished_clips(cursor, video_id)] == [1]
        assert [*scenes.finished_frames(cursor, video_id)] == [1]
        cursor.execute("SELECT reserved_usd FROM runs WHERE kind = 'resume'")
        each = _PAID.image.image_usd("1280:720", anchor=True) + _PAID.video.clip_usd(5)
        assert [row["reserved_usd"] for row in cursor] == [2 * each], "scene 2, and 3 anew"
    # The run fails before it comes to scene 3: what was invalidated stays so.
    end(database, resumed.json()["run_id"], DECLINED)
    assert resume(gateway, video_id).status == 202
    with database.transaction() as cursor:
        assert scenes.current_version(cursor, "clip", video_id, 3) == 2


def test_the_same_prompt_again_changes_nothing(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    same = {"prompt": "paint 3", "motion_prompt": "move 3"}
    assert resume(gateway, video_id, {"scenes": {"3": same}}).status == 202
    assert [version for version, _ in prompts(database, video_id, 3)] == [1, 1]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"scenes": {"9": {"prompt": "x"}}}, "/scenes/9"),
        ({"scenes": {"0": {"prompt": "x"}}}, "/scenes/0"),
        ({"scenes": {"two": {"prompt": "x"}}}, "/scenes/two"),
        ({"scenes": {"2": {"colour": "x"}}}, "/scenes/2/colour"),
        ({"scenes": {"2": {"prompt": " "}}}, "/scenes/2/prompt"),
        ({"scenes": {"2": {"narration": "x"}}}, "/scenes/2/narration"),
        ({"scenes": [{"prompt": "x"}]}, "/scenes"),
        ({"prompt": "another"}, "/prompt"),
        ({"models": {"video": {"provider": "nobody"}}}, "/models/video"),
        ({"models": {"speech": {"provider": "offline"}}}, "/models/speech"),
        ({"models": {"image": {"provider": "openai"}}}, "/models/image"),
        ({"seed": -1}, "/seed"),
    ],
)
def test_a_change_that_cannot_be_made_is_refused_by_name_and_stores_nothing(
    body: dict[str, Any], pointer: str, video_id: str, gateway: Gateway, database: Database
) -> None:
    good = {"scenes": {"1": {"prompt": "changed"}}}
    both = (
        {**good, **body, "scenes": {**good["scenes"], **body["scenes"]}}
        if isinstance(body.get("scenes"), dict)
        else {**good, **body}
    )
    before = prompts(database, video_id, 1)
    refused = resume(gateway, video_id, both)
    pointers = [fault["pointer"].removesuffix("/[key]") for fault in refused.json()["errors"]]
    assert (refused.status, pointers) == (422, [pointer]), refused.text
    assert prompts(database, video_id, 1) == before
    assert show(gateway, video_id)["status"] == "failed"


@pytest.mark.parametrize("state", ["unknown", "submitted"])
def test_a_call_that_may_bring_a_result_is_not_made_again_under_other_words(
    state: str, video_id: str, gateway: Gateway, database: Database
) -> None:
    finish_image(database, video_id, 2)
    attempt(database, Step(video_id, "clip", 2, 1), state)
    for change in ({"motion_prompt": "It flies"}, {"prompt": "A heron"}):
        body: dict[str, Any] = {"scenes": {"2": change}}
        refused = resume(gateway, video_id, body)
        code = "scene.in_doubt" if state == "unknown" else "scene.in_progress"
        assert (refused.status, refused.json()["code"]) == (409, code)
    assert prompts(database, video_id, 2) == ((1, "paint 2"), (1, "move 2"))
    allowed = resume(gateway, video_id, {**body, "on_unknown": "resubmit_once"})
    assert allowed.status == (202 if state == "unknown" else 409)
    # The clip keeps its identity, by which the ledger knows of the call in doubt.
    assert prompts(database, video_id, 2)[1][0] == 1


def test_words_that_are_not_spoken_yet_can_be_changed(gateway: Gateway, database: Database) -> None:
    video_id, run_id = admit(database, speech_provider="offline", speech_model="espeak-ng-1")
    tell(database, video_id)
    with database.transaction() as cursor:
        for scene in (2, 3):
            cursor.execute(
                "INSERT INTO video_narrations (session_id, scene_number, text) VALUES (%s, %s, %s)",
                (video_id, scene, "old"),
            )
        narrations.finish(cursor, video_id, 3, key="k", seconds=1, usd=Decimal(0))
        runs.fail(cursor, run_id, DECLINED)
    spoken = resume(gateway, video_id, {"scenes": {"3": {"narration": "new"}}})
    assert (spoken.status, spoken.json()["errors"][0]["pointer"]) == (422, "/scenes/3/narration")
    resumed = resume(gateway, video_id, {"scenes": {"2": {"narration": "new"}}})
    told = [scene["narration"] and scene["narration"]["text"] for scene in resumed.json()["scenes"]]
    assert told == [None, "new", "old"]


def test_the_prompt_can_be_changed_until_there_is_a_story(
    gateway: Gateway, database: Database
) -> None:
    video_id, run_id = admit(database, **PAID)
    end(database, run_id, DECLINED)
    resumed = resume(gateway, video_id, {"prompt": "A heron", "seed": 7})
    assert resumed.status == 202
    assert (resumed.json()["prompt"], resumed.json()["seed"]) == ("A heron", 7)
    end(database, resumed.json()["run_id"], DECLINED)
    attempt(database, Step(video_id, "story", 0, 1), "unknown")
    assert resume(gateway, video_id, {"prompt": "A pier"}).json()["code"] == "scene.in_doubt"


def test_a_story_that_was_declined_is_written_of_another_prompt(
    gateway: Gateway, database: Database
) -> None:
    """With the first version's endpoint too, for a video that it began."""
    first = {"prompt": "Declined", "requestId": "told", "frameCount": 2}
    pending = gateway.call("POST", "/api/generate_story", first, headers=NO_WAIT)
    end(database, pending.json()["runId"], {**DECLINED, "stage": "story", "scene": None})
    again = {**first, "prompt": "A heron", "style": "Anime"}
    assert gateway.call("POST", "/api/generate_story", again, headers=NO_WAIT).status == 202
    video = show(gateway, "told")
    assert (video["prompt"], video["style"], video["mood"]) == ("A heron", "Anime", "Vibrant")


def test_other_models_make_what_is_missing_at_their_price(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    body: dict[str, Any] = {"models": {"video": {"provider": "offline"}}}
    image_usd = _PAID.image.image_usd("1280:720", anchor=True)
    limit = {**body, "max_cost": f"{image_usd - Decimal('0.000001'):.6f}"}
    refused = resume(gateway, video_id, limit)
    assert (refused.status, refused.json()["code"]) == (402, "budget.exceeded")
    assert show(gateway, video_id)["models"]["video"]["provider"] == "runway"
    resumed = resume(gateway, video_id, {**body, "max_cost": f"{image_usd:.6f}"})
    assert resumed.status == 202, resumed.text
    made_by = {kind: made["provider"] for kind, made in resumed.json()["models"].items()}
    assert made_by == {"text": "openai", "image": "openai", "video": "offline"}


# -- money -----------------------------------------------------------------------------------------
def test_a_limit_that_is_reached_is_402_at_once(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    attempt(database, Step(video_id, "clip", 1, 1), "succeeded")
    with database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET max_cost_usd = 0.3")
    for body in (None, {}, {"max_cost": "0.4"}):
        refused = resume(gateway, video_id, body)
        assert (refused.status, refused.json()["code"]) == (402, "budget.exceeded")
        assert "higher max_cost" in refused.json()["detail"]
    assert repaint(gateway, video_id).status == 202, "this one is within the limit"


def test_a_part_that_would_pass_the_limit_of_its_video_is_402_at_once(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    with database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET max_cost_usd = 0.001")
    refused = repaint(gateway, video_id)
    assert (refused.status, refused.json()["code"]) == (402, "budget.exceeded")
    assert show(gateway, video_id)["status"] == "failed"


def test_a_merge_is_free_whatever_the_limit(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    finish_image(database, video_id, 2)
    finish_clip(database, video_id, 2)
    attempt(database, Step(video_id, "clip", 1, 1), "succeeded")
    with database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET max_cost_usd = 0.01")
    assert resume(gateway, video_id).status == 202


def test_a_job_under_way_is_asked_after_where_it_was_ordered(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    """Also when another model makes the clips from now on."""
    visit, shelf = film
    video_id, run_id = start_clips(database, shelf, count=1)
    end(database, run_id, DECLINED)
    resumed = resume(gateway, video_id, {"models": {"video": {"provider": "offline"}}})
    assert resumed.status == 202, resumed.text
    from clip.handler import handler

    event = {"run_id": resumed.json()["run_id"], "video_id": video_id}
    quietly(handler, {**event, "action": "start", "scene": 1}, None)
    visit.vendor.advance(600)
    for action in ("check", "collect"):
        answer = quietly(handler, {**event, "action": action, "scene": 1}, None)
        assert answer["status"] == "succeeded"
    assert (answer["provider"], answer["model"]) == ("runway", "gen4_turbo")
    quietly(handler, {**event, "action": "start", "scene": 2}, None)
    assert len(visit.charges()) == 1, "the second clip is the other model's"
