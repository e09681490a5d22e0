"""Merging existing clips: other outputs, broken clips, and deletion of replaced versions."""

import base64
import hashlib
import io
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from common.media import ffmpeg
from tests.e2e.client import Client, StackAccess, run_step
from tests.e2e.test_uploads import create_upload, post_form, wait_until_processed
from tests.media import judge
from tests.media.coded import FFMPEG

NAME, SCENES, SECONDS, OVERLAP = "cuts", 3, 2, 0.5
FRAMES = SECONDS * 24
MERGE = "/api/merge_video_clips"


@pytest.fixture(scope="module")
def dora(as_user: Callable[[str], Client]) -> Client:
    return as_user("dora")


def data_uri(colour: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


@pytest.fixture(scope="module")
def prefix(dora: Client) -> str:
    """The S3 prefix of a video of three images, whose clips are concatenated."""
    result = run_step(
        dora,
        "/api/public/generate-video",
        {
            "prompt": "Waves",
            "duration": SECONDS,
            "frameAspectRatio": "960:960",
            "images": [data_uri(colour) for colour in ("red", "green", "blue")],
            "requestId": NAME,
        },
    )
    assert [scene["done"] for scene in result["output"]["scenes"]] == ["copied"] * SCENES
    return str(result["s3Key"].rpartition("/video-clips/")[0])


@pytest.fixture(scope="module")
def music_id(dora: Client) -> str:
    """The id of music in the media library: a tone of one second."""
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "sine=440:d=1", "-f", "wav", "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    result = create_upload(dora, "audio/wav", len(data))
    assert post_form(result["form"], data).status_code == 204
    assert wait_until_processed(dora, result["id"])["status"] == "ready"
    return str(result["id"])


@pytest.fixture(scope="module")
def broken_clips(prefix: str, stack: StackAccess) -> None:
    """Truncate clip 2 to half of its size and delete clip 3."""
    bucket = stack.link.outputs["MediaBucketName"]
    keys = [f"{prefix}/video-clips/generated_clip_{scene}_1.mp4" for scene in (2, 3)]
    data = stack.read(keys[0])
    s3 = stack.link.client("s3")
    s3.put_object(Bucket=bucket, Key=keys[0], Body=data[: len(data) // 2])
    s3.delete_object(Bucket=bucket, Key=keys[1])


def download_files(output: dict[str, Any], folder: Path) -> dict[str, list[Path]]:
    """Download every file and check its size and digest; return the paths by kind."""
    paths_by_kind: dict[str, list[Path]] = {}
    for number, file in enumerate(output["files"]):
        data = requests.get(file["url"], timeout=60).content
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["size_bytes"], file["sha256"])
        path = folder / f"{number}.{file['media_type'].rpartition('/')[2]}"
        path.write_bytes(data)
        paths_by_kind.setdefault(file["kind"], []).append(path)
    return paths_by_kind


def test_merge_rejects_broken_clip_by_default(dora: Client, broken_clips: None) -> None:
    body = {"requestId": NAME, "output": {"captions": {"burn": True}}}
    response = dora.call("POST", MERGE, body, headers={"Prefer": "wait=25"})
    assert response.json()["code"] == "merge.broken_clip", response.text
    assert "scene 2 is broken" in response.json()["detail"]
    # The earlier version is kept.
    assert dora.call("GET", f"/v1/videos/{NAME}").json()["status"] == "succeeded"


def test_merge_skips_broken_clips_if_requested(
    dora: Client, broken_clips: None, tmp_path: Path
) -> None:
    result = run_step(dora, MERGE, {"requestId": NAME, "output": {"on_broken": "skip"}})
    scenes = result["output"]["scenes"]
    assert [scene["done"] for scene in scenes] == ["copied", "skipped", "skipped"]
    assert "cut short" in scenes[1]["reason"]
    assert "no longer exists" in scenes[2]["reason"]
    assert result["duration"] == SECONDS
    path = download_files(result["output"], tmp_path)["video"][0]
    assert ffmpeg.decode(path).frames == FRAMES
    video = dora.call("GET", f"/v1/videos/{NAME}").json()
    assert video["status"] == "succeeded"
    assert video["requested_output"]["on_broken"] == "skip"
    assert video["output"]["scenes"] == scenes


def test_merge_freezes_image_of_broken_clip_with_all_output_options(
    dora: Client, broken_clips: None, music_id: str, tmp_path: Path
) -> None:
    """Crossfades, captions, music, a preview and another ratio, with two broken clips of three."""
    output = {
        "on_broken": "still",
        "size": "320x320",
        "transition": "crossfade",
        "transition_seconds": OVERLAP,
        "renditions": [{"size": "180x320"}],
        "captions": {"burn": True},
        "preview": "gif",
        "music": {"media": music_id, "volume": 1},
    }
    body = {"requestId": NAME, "output": output}
    run = dora.call("POST", MERGE, body, headers={"Prefer": "wait=0"}).json()
    conflict = dora.call("POST", MERGE, {"requestId": NAME, "output": {"format": "webm"}})
    assert (conflict.status_code, conflict.json()["code"]) == (409, "video.running")
    for _ in range(4):
        result = dora.call("GET", run["statusUrl"], headers={"Prefer": "wait=20"}).json()
        if "output" in result:
            break
    assert [scene["done"] for scene in result["output"]["scenes"]] == ["encoded", "still", "still"]
    paths_by_kind = download_files(result["output"], tmp_path)
    kinds = {kind: len(paths) for kind, paths in paths_by_kind.items()}
    assert kinds == {
        "video": 1,
        "rendition": 1,
        "poster": 2,
        "thumbnail": 3,
        "preview": 1,
        "captions": 2,
    }
    seconds = SCENES * SECONDS - 2 * OVERLAP
    for path, size in (
        (paths_by_kind["video"][0], (320, 320)),
        (paths_by_kind["rendition"][0], (180, 320)),
    ):
        facts = ffmpeg.decode(path)
        assert (facts.width, facts.height) == size
        assert facts.frames == seconds * 24
        sound = judge.samples(path)
        assert abs(len(sound) / judge.HERTZ - seconds) <= judge.SYNC_SECONDS
        assert judge.tone(sound, 3.0, 440) > 0.8, "the music, looped"
    # The freeze frame is the scene's own image.
    with Image.open(paths_by_kind["thumbnail"][1]) as image:
        red, green, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]  # an RGB pixel
    assert green > 2 * max(red, blue)


def test_deleting_replaced_version_removes_all_its_files(
    dora: Client, prefix: str, stack: StackAccess
) -> None:
    """Replaces the versions of the tests above: concatenated, one scene, and everything."""
    body = {"requestId": NAME, "output": {"on_broken": "skip", "format": "webm"}}
    newest = run_step(dora, MERGE, body)
    assert newest["s3Key"].endswith(".webm")
    video_id = dora.call("GET", f"/v1/videos/{NAME}").json()["id"]
    listed = dora.call("GET", f"/v1/media?kind=video&video={video_id}").json()["data"]
    assert listed[0]["s3_key"] == newest["s3Key"]
    refused = dora.call("DELETE", f"/v1/media/{listed[0]['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "media.in_use")
    for item in listed[1:]:
        assert dora.call("DELETE", f"/v1/media/{item['id']}").status_code == 204
    remaining = {
        key.removeprefix(f"{prefix}/")
        for name in ("video-clips", "provenance")
        for key in stack.objects(f"{prefix}/{name}/")
        if "generated_clip" not in key
    }
    version = listed[0]["version"]
    assert remaining == {
        *(f"video-clips/final_video_{version}.{suffix}" for suffix in ("webm", "jpg", "webp")),
        *(f"video-clips/captions_{version}.{suffix}" for suffix in ("srt", "vtt")),
        f"video-clips/thumbnail_1_{version}.jpg",
        f"provenance/manifest_{version}.json",
    }
    video = dora.call("GET", f"/v1/videos/{NAME}").json()["output"]
    assert requests.get(video["url"], timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("output", "field"),
    [
        ({"format": "avi"}, "/output/format"),
        ({"size": "321x320"}, "/output/size"),
        ({"narration": {"voice": "male"}}, "/output/narration"),
        ({"music": {"media": f"med_{'0' * 26}"}}, "/output/music/media"),
    ],
)
def test_merge_rejects_invalid_output(
    dora: Client, prefix: str, output: dict[str, Any], field: str
) -> None:
    response = dora.call("POST", MERGE, {"requestId": NAME, "output": output})
    assert response.status_code == 400, response.text
    assert field in [error["pointer"] for error in response.json()["errors"]], response.text
