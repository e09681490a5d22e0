"""The endpoints that make one part of a video, as a client of the first version uses them."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from common.media import ffmpeg
from tests.e2e.client import Backstage, Client, done

FORM = {"frameAspectRatio": "960:960"}


def picture(size: tuple[int, int] = (300, 400)) -> str:
    out = io.BytesIO()
    Image.new("RGB", size, (250, 20, 200)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


@pytest.fixture(scope="module")
def carol(as_user: Callable[[str], Client]) -> Client:
    return as_user("carol")


def test_the_first_versions_client_makes_a_video_step_by_step(
    carol: Client, backstage: Backstage, tmp_path: Path
) -> None:
    """Story, pictures by frameIndex, clips by clipIndex, one made anew, and the merge."""
    session = {"requestId": "req-abc123", "expiresIn": 1800}
    asked = {
        "prompt": "A day in the life of a busy city",
        "frameCount": 2,
        "duration": 4,
        "style": "Anime",
        "mood": "Energetic",
        **FORM,
    }
    told = done(carol, "/api/generate_story", {**asked, **session})
    assert told.keys() == {"success", "story", "userId", "requestId", "expiresIn"}
    scenes = told["story"]["scenes"]
    assert told["story"]["title"]
    assert [scene["frame_number"] for scene in scenes] == [1, 2]
    assert [scene["timestamp"] for scene in scenes] == ["0:00", "0:02"]
    assert all(scene["description"] and scene["prompt"] for scene in scenes)

    pictures = []
    for index, scene in enumerate(scenes):
        body = {
            "prompt": scene["prompt"],
            "frameIndex": index,
            "totalFrames": 2,
            "isFirstFrame": index == 0,
            "style": "Anime",
            "mood": "Energetic",
            **session,
        }
        if index == 0:
            body["image"] = picture()
        made = done(carol, "/api/generate_single_image", body)
        assert made == {
            "success": True,
            "imageUrl": made["imageUrl"],
            "proxyUrl": made["proxyUrl"],
            "s3Key": made["s3Key"],
            "userId": "carol",
            "requestId": "req-abc123",
            "frameIndex": index,
            "totalFrames": 2,
            "expiresIn": 1800,
        }
        assert made["s3Key"].endswith(f"/reference-frames/generated_frame_{index + 1}_1.png")
        with Image.open(io.BytesIO(requests.get(made["imageUrl"], timeout=30).content)) as image:
            assert image.size == (960, 960)
        through = requests.get(made["proxyUrl"], timeout=30)
        assert through.content == backstage.read(made["s3Key"])
        pictures.append(made)

    again = done(
        carol,
        "/api/generate_single_image",
        {"prompt": "The same street at night", "frameIndex": 1, "totalFrames": 2, **session},
    )
    assert again["s3Key"].endswith("generated_frame_2_2.png")
    assert backstage.read(again["s3Key"]) != backstage.read(pictures[1]["s3Key"])

    # A picture as a link to the store, through the API, and as a key: all are the caller's own.
    for index, start in enumerate([pictures[0]["imageUrl"], again["proxyUrl"]]):
        body = {
            "startImage": start,
            "prompt": "Birds fly overhead",
            "clipIndex": index,
            "totalClips": 2,
            "duration": 2,
            **FORM,
            **session,
        }
        made = done(carol, "/api/generate_single_video_clip", body)
        assert made == {
            "success": True,
            "userId": "carol",
            "requestId": "req-abc123",
            "clipIndex": index,
            "totalClips": 2,
            "duration": 2,
            "s3Key": made["s3Key"],
            "proxyUrl": made["proxyUrl"],
            "videoUrl": made["videoUrl"],
            "expiresIn": 1800,
        }
        assert requests.get(made["videoUrl"], timeout=30).content[4:8] == b"ftyp"
        assert requests.get(made["proxyUrl"], timeout=30).content[4:8] == b"ftyp"

    merged = done(carol, "/api/merge_video_clips", session)
    assert (merged["totalClips"], merged["duration"]) == (2, 4.0)
    path = tmp_path / "final.mp4"
    path.write_bytes(requests.get(merged["videoUrl"], timeout=60).content)
    facts = ffmpeg.decode(path)
    assert (facts.width, facts.height, facts.frames) == (960, 960, 2 * 2 * 24)

    # One video, whose pictures are the client's newest ones, each part a run in the console.
    video = carol.call("GET", "/v1/videos/req-abc123").json()
    assert (video["status"], len(video["scenes"])) == ("succeeded", 2)
    runs = backstage.rows(
        "SELECT run_id, kind, step, status FROM runs WHERE session_id = %s ORDER BY created_at",
        video["id"],
    )
    assert [run["step"] for run in runs] == [
        "story",
        "image",
        "image",
        "image",
        "clip",
        "clip",
        "merge",
    ]
    assert {run["kind"] for run in runs} == {"step"}
    assert {backstage.execution(run["run_id"])["status"] for run in runs} == {"SUCCEEDED"}
    frames = backstage.rows(
        "SELECT frame_number, version FROM video_frames WHERE session_id = %s ORDER BY 1, 2",
        video["id"],
    )
    assert [(row["frame_number"], row["version"]) for row in frames] == [(1, 1), (2, 1), (2, 2)]

    # Another version of a clip is another cut.
    body = {"prompt": "It rains", "clipIndex": 1, "totalClips": 2, "duration": 3, **session}
    assert done(carol, "/api/generate_single_video_clip", body)["duration"] == 3
    assert done(carol, "/api/merge_video_clips", session)["duration"] == 5.0
    # The story is told once.
    assert carol.call("POST", "/api/generate_story", {**asked, **session}).status_code == 409


def test_a_clip_of_a_picture_from_elsewhere_is_fitted_whole(
    carol: Client, backstage: Backstage
) -> None:
    made = done(
        carol,
        "/api/generate_single_video_clip",
        {
            "startImage": f"data:image/png;base64,{picture((400, 100))}",
            "prompt": "It turns",
            "duration": 2,
            **FORM,
        },
    )
    video_id = made["requestId"]
    assert video_id.startswith("vid_")
    (frame,) = backstage.rows(
        "SELECT image_key, status FROM video_frames WHERE session_id = %s", video_id
    )
    with Image.open(io.BytesIO(backstage.read(frame["image_key"]))) as image:
        assert image.size == (960, 960)
        assert image.getpixel((480, 480)) == (250, 20, 200)
        assert image.getpixel((480, 20)) == (0, 0, 0)
    # The id leads on where a name was not given.
    merged = done(carol, "/api/merge_video_clips", {"requestId": video_id})
    assert merged["totalClips"] == 1


@pytest.mark.deployed
def test_the_public_endpoints_make_pictures_and_a_video_of_pictures(carol: Client) -> None:
    made = done(
        carol,
        "/api/public/generate-images",
        {"prompt": "A lighthouse", "numImages": 2, "image": picture(), **FORM},
    )
    assert (made["generatedCount"], made["requestedCount"], made["errors"]) == (2, 2, [])
    assert len({requests.get(url, timeout=30).content for url in made["imageUrls"]}) == 2
    assert [one["frameIndex"] for one in made["images"]] == [0, 1]
    video = done(
        carol,
        "/api/public/generate-video",
        {
            "prompt": "Waves",
            "duration": 2,
            **FORM,
            "images": [made["images"][0]["s3Key"], made["images"][1]["proxyUrl"], picture()],
        },
    )
    assert (video["frameCount"], video["duration"], video["prompt"]) == (3, 6.0, "Waves")
    assert requests.get(video["videoUrl"], timeout=60).content[4:8] == b"ftyp"


def test_a_repeated_request_makes_one_run(carol: Client, backstage: Backstage) -> None:
    body = {"prompt": "A kite", "requestId": "once", **FORM}
    first = done(carol, "/api/generate_single_image", body, **{"Idempotency-Key": "k1"})
    again = carol.call(
        "POST", "/api/generate_single_image", body, headers={"Idempotency-Key": "k1"}
    )
    assert again.status_code == 200
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json()["s3Key"] == first["s3Key"]
    other = carol.call(
        "POST",
        "/api/generate_single_image",
        {**body, "prompt": "Another"},
        headers={"Idempotency-Key": "k1"},
    )
    assert other.status_code == 400
    video = carol.call("GET", "/v1/videos/once").json()
    assert len(backstage.rows("SELECT 1 FROM runs WHERE session_id = %s", video["id"])) == 1


@pytest.mark.deployed
def test_who_does_not_wait_looks_later(carol: Client) -> None:
    response = carol.call(
        "POST",
        "/api/generate_story",
        {"prompt": "A kite", "frameCount": 1},
        headers={"Prefer": "wait=0"},
    )
    assert response.status_code == 202, response.text
    pending = response.json()
    assert (pending["success"], pending["status"]) == (True, "queued")
    assert response.headers["Location"] == pending["statusUrl"]
    assert pending["statusUrl"] == f"{carol.base_url}/api/runs/{pending['runId']}"
    assert response.headers["Retry-After"]
    later = carol.call("GET", pending["statusUrl"], headers={"Prefer": "wait=25"})
    assert later.status_code == 200
    assert later.json()["story"]["scenes"][0]["frame_number"] == 1


@pytest.mark.deployed
@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/api/generate_story", {}, "/prompt"),
        ("/api/generate_story", {"prompt": "x", "style": "Nonsense"}, "/style"),
        ("/api/generate_story", {"prompt": "x", "frameCount": 61}, "/frameCount"),
        ("/api/generate_single_image", {"prompt": "x", "frameIndex": 2, "totalFrames": 2}, ""),
        ("/api/generate_single_image", {"prompt": "x", "frameIndex": 1, "isFirstFrame": True}, ""),
        ("/api/generate_single_image", {"prompt": "x", "image": "nonsense!"}, "/image"),
        ("/api/generate_single_image", {"prompt": "x", "expiresIn": 1}, "/expiresIn"),
        ("/api/generate_single_image", {"prompt": "x", "requestId": "../etc"}, "/requestId"),
        (
            "/api/generate_single_video_clip",
            {"prompt": "x", "startImage": "http://169.254.169.254/latest"},
            "/startImage",
        ),
        (
            "/api/generate_single_video_clip",
            {"prompt": "x", "startImage": "https://localhost/x.png"},
            "/startImage",
        ),
        (
            "/api/generate_single_video_clip",
            {"prompt": "x", "startImage": picture(), "duration": 59},
            "/seconds",
        ),
        ("/api/merge_video_clips", {}, "/requestId"),
        ("/api/public/generate-images", {"prompt": "x", "numImages": 11}, "/numImages"),
        ("/api/public/generate-video", {"prompt": "x", "images": []}, "/images"),
    ],
)
def test_what_is_wrong_is_400_and_names_the_field(
    carol: Client, path: str, body: dict[str, Any], field: str
) -> None:
    response = carol.call("POST", path, body)
    problem = response.json()
    assert response.status_code == 400, problem
    assert (problem["status"], problem["success"]) == (400, False)
    assert problem["error"] == problem["detail"]
    assert field in [fault["pointer"] for fault in problem["errors"]], problem


@pytest.mark.deployed
def test_what_is_missing_is_said(carol: Client) -> None:
    nothing = carol.call("POST", "/api/merge_video_clips", {"requestId": "never-made"})
    assert (nothing.status_code, nothing.json()["code"]) == (404, "not_found")
    done(carol, "/api/generate_story", {"prompt": "A kite", "frameCount": 2, "requestId": "bare"})
    merge = carol.call("POST", "/api/merge_video_clips", {"requestId": "bare"})
    assert (merge.status_code, merge.json()["code"]) == (409, "merge.missing_clip")
    assert "0, 1 of 2" in merge.json()["detail"]
    clip = carol.call(
        "POST", "/api/generate_single_video_clip", {"prompt": "x", "requestId": "bare"}
    )
    assert (clip.status_code, clip.json()["code"]) == (409, "clip.no_picture")
    other = carol.call(
        "POST",
        "/api/generate_single_image",
        {"prompt": "x", "requestId": "bare", "frameAspectRatio": "720:1280"},
    )
    assert (other.status_code, other.json()["errors"][0]["allowed"]) == (400, ["1280:720"])


def test_a_run_that_failed_answers_with_its_reason(carol: Client, backstage: Backstage) -> None:
    response = carol.call(
        "POST",
        "/api/generate_single_image",
        {"prompt": "A kite", "requestId": "fails", **FORM},
        headers={"Prefer": "wait=0"},
    )
    run_id = response.json()["runId"]
    machine = backstage.link.client("stepfunctions")
    machine.stop_execution(executionArn=backstage.execution(run_id)["executionArn"])
    failed = carol.call("GET", f"/api/runs/{run_id}", headers={"Prefer": "wait=25"})
    if failed.status_code == 200:
        pytest.skip("the run was faster than its end")
    assert (failed.status_code, failed.json()["code"]) == (500, "run.stopped")
    assert failed.json()["details"]["stage"] == "image"
    # It is gone on with as the part that it was.
    assert carol.call("POST", "/v1/videos/fails/resume").status_code == 202
    video = carol.wait("fails")
    assert video["status"] == "succeeded"
    assert [scene["image"]["status"] for scene in video["scenes"]] == ["succeeded"]
    assert video["output"] is None


def test_nothing_of_somebody_else_is_there(
    carol: Client, alice: Client, backstage: Backstage
) -> None:
    mine = done(
        carol, "/api/generate_single_image", {"prompt": "Mine", "requestId": "mine", **FORM}
    )
    video = carol.call("GET", "/v1/videos/mine").json()
    for name in ("mine", video["id"]):
        theirs = alice.call("POST", "/api/merge_video_clips", {"requestId": name})
        assert theirs.status_code == 404
    assert alice.call("GET", f"/api/runs/{video['run_id']}").status_code == 404
    body = {"prompt": "x", "startImage": mine["s3Key"], **FORM}
    assert alice.call("POST", "/api/generate_single_video_clip", body).status_code == 404
    refused = alice.call("POST", "/api/generate_story", {"prompt": "x", "userId": "carol"})
    assert refused.status_code == 403
    # The same name is another video for another owner.
    hers = done(
        alice, "/api/generate_single_image", {"prompt": "Hers", "requestId": "mine", **FORM}
    )
    assert hers["s3Key"].startswith("alice/")
