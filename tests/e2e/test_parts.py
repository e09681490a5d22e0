"""The legacy endpoints that run one pipeline step."""

import base64
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from common.media import ffmpeg
from tests.e2e.client import Client, StackAccess, run_step

RATIO = {"frameAspectRatio": "960:960"}


def base64_png(size: tuple[int, int] = (300, 400)) -> str:
    out = io.BytesIO()
    Image.new("RGB", size, (250, 20, 200)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


@pytest.fixture(scope="module")
def carol(as_user: Callable[[str], Client]) -> Client:
    return as_user("carol")


def test_legacy_client_makes_video_step_by_step(
    carol: Client, stack: StackAccess, tmp_path: Path
) -> None:
    """Story, images by frameIndex, clips by clipIndex, a new version of an image, and the merge."""
    session = {"requestId": "req-abc123", "expiresIn": 1800}
    story_request = {
        "prompt": "A day in the life of a busy city",
        "frameCount": 2,
        "duration": 4,
        "style": "Anime",
        "mood": "Energetic",
        **RATIO,
    }
    story = run_step(carol, "/api/generate_story", {**story_request, **session})
    assert story.keys() == {"success", "story", "userId", "requestId", "expiresIn"}
    scenes = story["story"]["scenes"]
    assert story["story"]["title"]
    assert [scene["frame_number"] for scene in scenes] == [1, 2]
    assert [scene["timestamp"] for scene in scenes] == ["0:00", "0:02"]
    assert all(scene["description"] and scene["prompt"] for scene in scenes)

    images = []
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
            body["image"] = base64_png()
        result = run_step(carol, "/api/generate_single_image", body)
        assert result == {
            "success": True,
            "imageUrl": result["imageUrl"],
            "proxyUrl": result["proxyUrl"],
            "s3Key": result["s3Key"],
            "userId": "carol",
            "requestId": "req-abc123",
            "frameIndex": index,
            "totalFrames": 2,
            "expiresIn": 1800,
        }
        assert result["s3Key"].endswith(f"/reference-frames/generated_frame_{index + 1}_1.png")
        with Image.open(io.BytesIO(requests.get(result["imageUrl"], timeout=30).content)) as image:
            assert image.size == (960, 960)
        proxied = requests.get(result["proxyUrl"], timeout=30)
        assert proxied.content == stack.read(result["s3Key"])
        images.append(result)

    newer = run_step(
        carol,
        "/api/generate_single_image",
        {"prompt": "The same street at night", "frameIndex": 1, "totalFrames": 2, **session},
    )
    assert newer["s3Key"].endswith("generated_frame_2_2.png")
    assert stack.read(newer["s3Key"]) != stack.read(images[1]["s3Key"])

    # The start image as a presigned URL and as a signed link of the API.
    for index, start in enumerate([images[0]["imageUrl"], newer["proxyUrl"]]):
        body = {
            "startImage": start,
            "prompt": "Birds fly overhead",
            "clipIndex": index,
            "totalClips": 2,
            "duration": 2,
            **RATIO,
            **session,
        }
        result = run_step(carol, "/api/generate_single_video_clip", body)
        assert result == {
            "success": True,
            "userId": "carol",
            "requestId": "req-abc123",
            "clipIndex": index,
            "totalClips": 2,
            "duration": 2,
            "s3Key": result["s3Key"],
            "proxyUrl": result["proxyUrl"],
            "videoUrl": result["videoUrl"],
            "expiresIn": 1800,
        }
        assert requests.get(result["videoUrl"], timeout=30).content[4:8] == b"ftyp"
        assert requests.get(result["proxyUrl"], timeout=30).content[4:8] == b"ftyp"

    merged = run_step(carol, "/api/merge_video_clips", session)
    assert (merged["totalClips"], merged["duration"]) == (2, 4.0)
    path = tmp_path / "final.mp4"
    path.write_bytes(requests.get(merged["videoUrl"], timeout=60).content)
    facts = ffmpeg.decode(path)
    assert (facts.width, facts.height, facts.frames) == (960, 960, 2 * 2 * 24)

    # One video with the newest images; each step is a run of its own.
    video = carol.call("GET", "/v1/videos/req-abc123").json()
    assert (video["status"], len(video["scenes"])) == ("succeeded", 2)
    runs = stack.rows(
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
    assert {stack.execution(run["run_id"])["status"] for run in runs} == {"SUCCEEDED"}
    frames = stack.rows(
        "SELECT frame_number, version FROM video_frames WHERE session_id = %s ORDER BY 1, 2",
        video["id"],
    )
    assert [(row["frame_number"], row["version"]) for row in frames] == [(1, 1), (2, 1), (2, 2)]

    # Another version of a clip makes another version of the merged video.
    body = {"prompt": "It rains", "clipIndex": 1, "totalClips": 2, "duration": 3, **session}
    assert run_step(carol, "/api/generate_single_video_clip", body)["duration"] == 3
    assert run_step(carol, "/api/merge_video_clips", session)["duration"] == 5.0
    # A second story request conflicts.
    assert (
        carol.call("POST", "/api/generate_story", {**story_request, **session}).status_code == 409
    )


def test_legacy_clip_letterboxes_uploaded_start_image(carol: Client, stack: StackAccess) -> None:
    result = run_step(
        carol,
        "/api/generate_single_video_clip",
        {
            "startImage": f"data:image/png;base64,{base64_png((400, 100))}",
            "prompt": "It turns",
            "duration": 2,
            **RATIO,
        },
    )
    video_id = result["requestId"]
    assert video_id.startswith("vid_")
    (frame,) = stack.rows(
        "SELECT image_key, status FROM video_frames WHERE session_id = %s", video_id
    )
    with Image.open(io.BytesIO(stack.read(frame["image_key"]))) as image:
        assert image.size == (960, 960)
        assert image.getpixel((480, 480)) == (250, 20, 200)
        assert image.getpixel((480, 20)) == (0, 0, 0)
    # Without a request id, the video id identifies the video.
    merged = run_step(carol, "/api/merge_video_clips", {"requestId": video_id})
    assert merged["totalClips"] == 1


@pytest.mark.deployed
def test_public_endpoints_make_images_and_video_of_images(carol: Client) -> None:
    result = run_step(
        carol,
        "/api/public/generate-images",
        {"prompt": "A lighthouse", "numImages": 2, "image": base64_png(), **RATIO},
    )
    assert (result["generatedCount"], result["requestedCount"], result["errors"]) == (2, 2, [])
    assert len({requests.get(url, timeout=30).content for url in result["imageUrls"]}) == 2
    assert [image["frameIndex"] for image in result["images"]] == [0, 1]
    video = run_step(
        carol,
        "/api/public/generate-video",
        {
            "prompt": "Waves",
            "duration": 2,
            **RATIO,
            "images": [result["images"][0]["s3Key"], result["images"][1]["proxyUrl"], base64_png()],
        },
    )
    assert (video["frameCount"], video["duration"], video["prompt"]) == (3, 6.0, "Waves")
    assert requests.get(video["videoUrl"], timeout=60).content[4:8] == b"ftyp"


def test_legacy_request_with_same_idempotency_key_makes_one_run(
    carol: Client, stack: StackAccess
) -> None:
    body = {"prompt": "A kite", "requestId": "once", **RATIO}
    first = run_step(carol, "/api/generate_single_image", body, **{"Idempotency-Key": "k1"})
    repeated = carol.call(
        "POST", "/api/generate_single_image", body, headers={"Idempotency-Key": "k1"}
    )
    assert repeated.status_code == 200
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert repeated.json()["s3Key"] == first["s3Key"]
    other = carol.call(
        "POST",
        "/api/generate_single_image",
        {**body, "prompt": "Another"},
        headers={"Idempotency-Key": "k1"},
    )
    assert other.status_code == 400
    video = carol.call("GET", "/v1/videos/once").json()
    assert len(stack.rows("SELECT 1 FROM runs WHERE session_id = %s", video["id"])) == 1


@pytest.mark.deployed
def test_legacy_request_without_wait_returns_status_url(carol: Client) -> None:
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
            {"prompt": "x", "startImage": base64_png(), "duration": 59},
            "/seconds",
        ),
        ("/api/merge_video_clips", {}, "/requestId"),
        ("/api/public/generate-images", {"prompt": "x", "numImages": 11}, "/numImages"),
        ("/api/public/generate-video", {"prompt": "x", "images": []}, "/images"),
    ],
)
def test_legacy_invalid_request_returns_400_and_names_field(
    carol: Client, path: str, body: dict[str, Any], field: str
) -> None:
    response = carol.call("POST", path, body)
    problem = response.json()
    assert response.status_code == 400, problem
    assert (problem["status"], problem["success"]) == (400, False)
    assert problem["error"] == problem["detail"]
    assert field in [error["pointer"] for error in problem["errors"]], problem


@pytest.mark.deployed
def test_legacy_step_error_names_missing_prerequisite(carol: Client) -> None:
    missing = carol.call("POST", "/api/merge_video_clips", {"requestId": "never-made"})
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")
    run_step(
        carol, "/api/generate_story", {"prompt": "A kite", "frameCount": 2, "requestId": "bare"}
    )
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


def test_legacy_failed_run_returns_its_error(carol: Client, stack: StackAccess) -> None:
    response = carol.call(
        "POST",
        "/api/generate_single_image",
        {"prompt": "A kite", "requestId": "fails", **RATIO},
        headers={"Prefer": "wait=0"},
    )
    run_id = response.json()["runId"]
    machine = stack.link.client("stepfunctions")
    machine.stop_execution(executionArn=stack.execution(run_id)["executionArn"])
    failed = carol.call("GET", f"/api/runs/{run_id}", headers={"Prefer": "wait=25"})
    if failed.status_code == 200:
        pytest.skip("the run ended before it was stopped")
    assert (failed.status_code, failed.json()["code"]) == (500, "run.stopped")
    assert failed.json()["details"]["stage"] == "image"
    # A resume repeats only this step.
    assert carol.call("POST", "/v1/videos/fails/resume").status_code == 202
    video = carol.wait("fails")
    assert video["status"] == "succeeded"
    assert [scene["image"]["status"] for scene in video["scenes"]] == ["succeeded"]
    assert video["output"] is None


def test_legacy_endpoints_hide_resources_of_other_users(
    carol: Client, alice: Client, stack: StackAccess
) -> None:
    mine = run_step(
        carol, "/api/generate_single_image", {"prompt": "Mine", "requestId": "mine", **RATIO}
    )
    video = carol.call("GET", "/v1/videos/mine").json()
    for name in ("mine", video["id"]):
        theirs = alice.call("POST", "/api/merge_video_clips", {"requestId": name})
        assert theirs.status_code == 404
    assert alice.call("GET", f"/api/runs/{video['run_id']}").status_code == 404
    body = {"prompt": "x", "startImage": mine["s3Key"], **RATIO}
    assert alice.call("POST", "/api/generate_single_video_clip", body).status_code == 404
    refused = alice.call("POST", "/api/generate_story", {"prompt": "x", "userId": "carol"})
    assert refused.status_code == 403
    # The same request id of another user is another video.
    hers = run_step(
        alice, "/api/generate_single_image", {"prompt": "Hers", "requestId": "mine", **RATIO}
    )
    assert hers["s3Key"].startswith("alice/")
