"""Unfinished videos: status, resume with changes, single steps and cost limits."""

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
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import admit, insert_story
from tests.support.vendors import VendorSession

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


def insert_final_video(database: Database, video_id: str, clips: int = 3) -> None:
    with database.transaction() as cursor:
        before = videos.final(cursor, video_id)
        version = before.version + 1 if before else 1
        videos.insert_final(
            cursor, video_id, FinalVideo(version, "f", "p", clips, "1", 24, 1, "0" * 64)
        )


@pytest.fixture
def video_id(database: Database) -> str:
    """Insert a paid video of three scenes, whose second image was declined; return its id."""
    video_id, run_id = admit(database, **PAID)
    insert_story(database, video_id)
    for scene in (1, 3):
        finish_image(database, video_id, scene)
        finish_clip(database, video_id, scene)
    with database.transaction() as cursor:
        scenes.fail(cursor, "image", video_id, 2, DECLINED, 1)
        runs.fail(cursor, run_id, DECLINED)
    return video_id


def show(gateway: Gateway, video_id: str) -> Any:
    return gateway.call("GET", f"/v1/videos/{video_id}").json()


def request_image(gateway: Gateway, video_id: str, **changes: Any) -> Reply:
    body = {"requestId": video_id, "prompt": "A heron", "frameIndex": 1, **changes}
    return gateway.call("POST", "/api/generate_single_image", body, headers=NO_WAIT)


def end_run(database: Database, run_id: str, error: dict[str, Any] | None = None) -> None:
    with database.transaction() as cursor:
        assert runs.fail(cursor, run_id, error) if error else runs.succeed(cursor, run_id)


def target_of(database: Database, run_id: str) -> RunTarget:
    with database.transaction() as cursor:
        return runs.work(cursor, run_id)


def insert_attempt(
    database: Database, step: Step, state: str, usd: str = "0.25", number: int = 1
) -> None:
    """Insert an attempt of the step into the ledger, in its final state."""
    with database.transaction() as cursor:
        inserted = attempts.insert(
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
        assert inserted
        if state == "submitted":
            attempts.mark_submitted(cursor, inserted, {})
        elif state == "succeeded":
            attempts.mark_succeeded(cursor, inserted, Cost(Decimal(usd)))
        else:
            attempts.mark_ended(cursor, inserted, state, "x")


# -- status ----------------------------------------------------------------------------------------
def test_new_image_leaves_the_video_failed_and_resumable(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    accepted = request_image(gateway, video_id)
    assert accepted.status == 202, accepted.text
    assert show(gateway, video_id)["status"] == "queued"
    finish_image(database, video_id, 2, 2)
    end_run(database, accepted.json()["runId"])
    video = show(gateway, video_id)
    assert (video["status"], video["output"]) == ("failed", None)
    assert video["error"]["code"] == "video.incomplete"
    assert (video["error"]["stage"], video["error"]["scene"]) == ("clip", 2)
    assert video["error"]["retryable"] is True
    listed_ids = {
        status: [v["id"] for v in gateway.call("GET", f"/v1/videos?status={status}").json()["data"]]
        for status in ("failed", "succeeded")
    }
    assert listed_ids == {"failed": [video_id], "succeeded": []}
    download = gateway.call("GET", f"/v1/videos/{video_id}/download")
    assert (download.status, download.json()["code"]) == (409, "video.not_finished")
    assert "it is failed. Resume it" in download.json()["detail"]
    resumed = resume(gateway, video_id)
    assert resumed.status == 202, resumed.text
    assert target_of(database, resumed.json()["run_id"]) == RunTarget(RunScope.ALL)


def test_new_clip_leaves_the_merge_to_a_resume(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    with database.transaction() as cursor:
        version = versions.add_clip(cursor, video_id, 2, prompt="It flies")
        run_id = ids.new("run")
        runs.insert(
            cursor, run_id, video_id, "step", Decimal(0), RunTarget(RunScope.CLIP, {2: version})
        )
    finish_clip(database, video_id, 2, version)
    end_run(database, run_id)
    video = show(gateway, video_id)
    assert (video["status"], video["error"]["stage"]) == ("failed", "merge")
    resumed = resume(gateway, video_id)
    assert resumed.status == 202
    with database.transaction() as cursor:
        cursor.execute("SELECT reserved_usd FROM runs WHERE step = 'all' AND kind = 'resume'")
        assert [row["reserved_usd"] for row in cursor] == [0], "no paid work is missing"
    insert_final_video(database, video_id)
    end_run(database, resumed.json()["run_id"])
    video = show(gateway, video_id)
    assert (video["status"], video["error"], video["progress"]) == ("succeeded", None, 100)
    second_resume = resume(gateway, video_id)
    assert (second_resume.status, second_resume.json()["code"]) == (409, "video.not_failed")
    assert "/api/merge_video_clips" in second_resume.json()["detail"]


@pytest.mark.parametrize("canceled", [False, True])
def test_resume_after_a_failed_or_canceled_step_targets_the_whole_video(
    canceled: bool, video_id: str, gateway: Gateway, database: Database
) -> None:
    run_id = request_image(gateway, video_id).json()["runId"]
    if canceled:
        for _ in range(2):
            response = gateway.call("POST", f"/v1/videos/{video_id}/cancel")
            assert (response.status, response.json()["video"]["status"]) == (200, "canceled")
    else:
        end_run(database, run_id, DECLINED)
        shown_error = show(gateway, video_id)["error"]
        assert shown_error == {**DECLINED, "next_action": "change_prompt"}
    resumed = resume(gateway, video_id)
    assert resumed.status == 202
    assert target_of(database, resumed.json()["run_id"]) == RunTarget(RunScope.ALL)


def test_finished_video_stays_finished_after_a_failed_step(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    for finish in (finish_image, finish_clip):
        finish(database, video_id, 2)
    insert_final_video(database, video_id)
    run_id = request_image(gateway, video_id).json()["runId"]
    end_run(database, run_id, DECLINED)
    video = show(gateway, video_id)
    assert (video["status"], video["error"]) == ("succeeded", None)
    assert gateway.call("DELETE", f"/v1/videos/{video_id}").status == 204


def test_partial_merge_does_not_finish_the_video(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    body = {"requestId": video_id, "totalClips": 1}
    merged = gateway.call("POST", "/api/merge_video_clips", body, headers=NO_WAIT)
    assert merged.status == 202, merged.text
    insert_final_video(database, video_id, 1)
    end_run(database, merged.json()["runId"])
    assert show(gateway, video_id)["status"] == "failed"
    resumed = resume(gateway, video_id)
    assert (resumed.status, resumed.json()["scene_count"]) == (202, 3)


# -- single steps ----------------------------------------------------------------------------------
def test_step_inherits_style_and_mood_of_its_video(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    styles_and_moods = []
    for changes in ({}, {"style": "Anime"}, {"mood": "Playful"}):
        run_id = request_image(gateway, video_id, **changes).json()["runId"]
        with database.transaction() as cursor:
            frame = scenes.image(cursor, video_id, 2)
            styles_and_moods.append((frame.style, frame.mood))
        end_run(database, run_id, DECLINED)
    assert styles_and_moods == [("Cinematic", "Calm"), ("Anime", "Calm"), ("Cinematic", "Playful")]
    standalone = gateway.call(
        "POST", "/api/generate_single_image", {"prompt": "x"}, headers=NO_WAIT
    )
    with database.transaction() as cursor:
        video = videos.get(cursor, standalone.json()["requestId"])
    assert (video.style, video.mood) == ("Realistic", "Vibrant")


def test_step_is_validated_against_the_models_of_its_video(
    gateway: Gateway, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stage's default model cannot make clips of seven seconds, but the video's model can."""
    monkeypatch.setenv("VIDEO_PROVIDER", "luma")
    _, run_id = admit(database, request_id="mine")
    end_run(database, run_id, DECLINED)
    body = {"prompt": "x", "requestId": "mine", "duration": 7, "clipIndex": 0}
    response = gateway.call("POST", "/api/generate_single_video_clip", body, headers=NO_WAIT)
    assert response.json()["code"] == "clip.no_picture", response.text
    new_video = gateway.call(
        "POST", "/api/generate_single_video_clip", {**body, "requestId": "new"}, headers=NO_WAIT
    )
    assert new_video.status == 400, "a new video uses the stage's default model"


def test_step_can_append_only_the_next_scene(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    rejected = request_image(gateway, video_id, frameIndex=5)
    assert (rejected.status, rejected.json()["errors"][0]["pointer"]) == (400, "/frameIndex")
    end_run(database, request_image(gateway, video_id, totalFrames=2).json()["runId"], DECLINED)
    assert show(gateway, video_id)["scene_count"] == 3
    end_run(database, request_image(gateway, video_id, frameIndex=3).json()["runId"], DECLINED)
    assert resume(gateway, video_id).json()["scene_count"] == 4


# -- resume with changes ---------------------------------------------------------------------------
def prompts(database: Database, video_id: str, scene: int) -> tuple[tuple[int, str], ...]:
    with database.transaction() as cursor:
        frame = scenes.image(cursor, video_id, scene)
        clip = scenes.clip(cursor, video_id, scene)
    return (frame.version, frame.prompt), (clip.version, clip.optimized_prompt or "")


def test_resume_changes_prompts_of_unfinished_scenes_in_place(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    insert_attempt(database, Step(video_id, "image", 2, 1), "refused")
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


def test_resume_regenerates_only_the_named_finished_scene(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    for kind in ("image", "clip"):
        insert_attempt(database, Step(video_id, kind, 3, 1), "succeeded")
    resumed = resume(gateway, video_id, {"scenes": {"3": {"prompt": "A pier"}}})
    assert resumed.status == 202, resumed.text
    assert [version for version, _ in prompts(database, video_id, 3)] == [2, 2]
    assert [version for version, _ in prompts(database, video_id, 1)] == [1, 1]
    with database.transaction() as cursor:
        assert [*scenes.finished_clips(cursor, video_id)] == [1]
        assert [*scenes.finished_images(cursor, video_id)] == [1]
        cursor.execute("SELECT reserved_usd FROM runs WHERE kind = 'resume'")
        each = _PAID.image.image_usd("1280:720", anchor=True) + _PAID.video.clip_usd(5)
        assert [row["reserved_usd"] for row in cursor] == [2 * each], "scenes 2 and 3"
    # The run fails before it reaches scene 3, whose old version stays invalidated.
    end_run(database, resumed.json()["run_id"], DECLINED)
    assert resume(gateway, video_id).status == 202
    with database.transaction() as cursor:
        assert scenes.current_version(cursor, "clip", video_id, 3) == 2


def test_resume_with_the_same_prompt_changes_nothing(
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
def test_resume_with_an_invalid_change_stores_nothing(
    body: dict[str, Any], pointer: str, video_id: str, gateway: Gateway, database: Database
) -> None:
    valid = {"scenes": {"1": {"prompt": "changed"}}}
    merged = (
        {**valid, **body, "scenes": {**valid["scenes"], **body["scenes"]}}
        if isinstance(body.get("scenes"), dict)
        else {**valid, **body}
    )
    before = prompts(database, video_id, 1)
    rejected = resume(gateway, video_id, merged)
    pointers = [fault["pointer"].removesuffix("/[key]") for fault in rejected.json()["errors"]]
    assert (rejected.status, pointers) == (422, [pointer]), rejected.text
    assert prompts(database, video_id, 1) == before
    assert show(gateway, video_id)["status"] == "failed"


@pytest.mark.parametrize("state", ["unknown", "submitted"])
def test_resume_does_not_change_the_prompt_of_an_open_call(
    state: str, video_id: str, gateway: Gateway, database: Database
) -> None:
    finish_image(database, video_id, 2)
    insert_attempt(database, Step(video_id, "clip", 2, 1), state)
    for change in ({"motion_prompt": "It flies"}, {"prompt": "A heron"}):
        body: dict[str, Any] = {"scenes": {"2": change}}
        rejected = resume(gateway, video_id, body)
        code = "scene.in_doubt" if state == "unknown" else "scene.in_progress"
        assert (rejected.status, rejected.json()["code"]) == (409, code)
    assert prompts(database, video_id, 2) == ((1, "paint 2"), (1, "move 2"))
    allowed = resume(gateway, video_id, {**body, "on_unknown": "resubmit_once"})
    assert allowed.status == (202 if state == "unknown" else 409)
    # The clip keeps its version, by which the ledger finds the unknown outcome.
    assert prompts(database, video_id, 2)[1][0] == 1


def test_resume_changes_a_narration_that_is_not_spoken_yet(
    gateway: Gateway, database: Database
) -> None:
    video_id, run_id = admit(database, speech_provider="offline", speech_model="espeak-ng-1")
    insert_story(database, video_id)
    with database.transaction() as cursor:
        for scene in (2, 3):
            cursor.execute(
                "INSERT INTO video_narrations (session_id, scene_number, text) VALUES (%s, %s, %s)",
                (video_id, scene, "old"),
            )
        narrations.finish(cursor, video_id, 3, key="k", seconds=1, usd=Decimal(0))
        runs.fail(cursor, run_id, DECLINED)
    rejected = resume(gateway, video_id, {"scenes": {"3": {"narration": "new"}}})
    assert (rejected.status, rejected.json()["errors"][0]["pointer"]) == (
        422,
        "/scenes/3/narration",
    )
    resumed = resume(gateway, video_id, {"scenes": {"2": {"narration": "new"}}})
    narration_texts = [
        scene["narration"] and scene["narration"]["text"] for scene in resumed.json()["scenes"]
    ]
    assert narration_texts == [None, "new", "old"]


def test_resume_changes_the_prompt_before_a_story_exists(
    gateway: Gateway, database: Database
) -> None:
    video_id, run_id = admit(database, **PAID)
    end_run(database, run_id, DECLINED)
    resumed = resume(gateway, video_id, {"prompt": "A heron", "seed": 7})
    assert resumed.status == 202
    assert (resumed.json()["prompt"], resumed.json()["seed"]) == ("A heron", 7)
    end_run(database, resumed.json()["run_id"], DECLINED)
    insert_attempt(database, Step(video_id, "story", 0, 1), "unknown")
    assert resume(gateway, video_id, {"prompt": "A pier"}).json()["code"] == "scene.in_doubt"


def test_declined_story_can_be_requested_with_another_prompt(
    gateway: Gateway, database: Database
) -> None:
    """With the legacy endpoint too, for a video that it created."""
    first = {"prompt": "Declined", "requestId": "told", "frameCount": 2}
    pending = gateway.call("POST", "/api/generate_story", first, headers=NO_WAIT)
    end_run(database, pending.json()["runId"], {**DECLINED, "stage": "story", "scene": None})
    changed = {**first, "prompt": "A heron", "style": "Anime"}
    assert gateway.call("POST", "/api/generate_story", changed, headers=NO_WAIT).status == 202
    video = show(gateway, "told")
    assert (video["prompt"], video["style"], video["mood"]) == ("A heron", "Anime", "Vibrant")


def test_resume_with_other_models_reserves_their_price(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    body: dict[str, Any] = {"models": {"video": {"provider": "offline"}}}
    image_usd = _PAID.image.image_usd("1280:720", anchor=True)
    limit = {**body, "max_cost": f"{image_usd - Decimal('0.000001'):.6f}"}
    rejected = resume(gateway, video_id, limit)
    assert (rejected.status, rejected.json()["code"]) == (402, "budget.exceeded")
    assert show(gateway, video_id)["models"]["video"]["provider"] == "runway"
    resumed = resume(gateway, video_id, {**body, "max_cost": f"{image_usd:.6f}"})
    assert resumed.status == 202, resumed.text
    providers = {kind: model["provider"] for kind, model in resumed.json()["models"].items()}
    assert providers == {"text": "openai", "image": "openai", "video": "offline"}


# -- costs -----------------------------------------------------------------------------------------
def test_resume_over_the_cost_limit_is_402(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    insert_attempt(database, Step(video_id, "clip", 1, 1), "succeeded")
    with database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET max_cost_usd = 0.3")
    for body in (None, {}, {"max_cost": "0.4"}):
        rejected = resume(gateway, video_id, body)
        assert (rejected.status, rejected.json()["code"]) == (402, "budget.exceeded")
        assert "higher max_cost" in rejected.json()["detail"]
    assert request_image(gateway, video_id).status == 202, "the image is within the limit"


def test_step_over_the_cost_limit_is_402(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    with database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET max_cost_usd = 0.001")
    rejected = request_image(gateway, video_id)
    assert (rejected.status, rejected.json()["code"]) == (402, "budget.exceeded")
    assert show(gateway, video_id)["status"] == "failed"


def test_resume_of_a_merge_ignores_the_cost_limit(
    video_id: str, gateway: Gateway, database: Database
) -> None:
    finish_image(database, video_id, 2)
    finish_clip(database, video_id, 2)
    insert_attempt(database, Step(video_id, "clip", 1, 1), "succeeded")
    with database.transaction() as cursor:
        cursor.execute("UPDATE video_sessions SET max_cost_usd = 0.01")
    assert resume(gateway, video_id).status == 202


def test_resume_polls_an_open_job_at_its_original_provider(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    """Even if the resume selects another model for the clips."""
    session, store = runway_app
    video_id, run_id = start_clips(database, store, count=1)
    end_run(database, run_id, DECLINED)
    resumed = resume(gateway, video_id, {"models": {"video": {"provider": "offline"}}})
    assert resumed.status == 202, resumed.text
    from clip.handler import handler

    event = {"run_id": resumed.json()["run_id"], "video_id": video_id}
    quietly(handler, {**event, "action": "start", "scene": 1}, None)
    session.vendor.advance(600)
    for action in ("check", "collect"):
        result = quietly(handler, {**event, "action": action, "scene": 1}, None)
        assert result["status"] == "succeeded"
    assert (result["provider"], result["model"]) == ("runway", "gen4_turbo")
    quietly(handler, {**event, "action": "start", "scene": 2}, None)
    assert len(session.charges()) == 1, "the second clip uses the other model"
