"""Cuts of clips that are there: to another output, over broken clips, deleted with all files."""

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
from tests.e2e.client import Backstage, Client, done
from tests.e2e.test_uploads import announce, send, settled
from tests.media import judge
from tests.media.coded import FFMPEG

NAME, SCENES, SECONDS, OVERLAP = "cuts", 3, 2, 0.5
FRAMES = SECONDS * 24
MERGE = "/api/merge_video_clips"


@pytest.fixture(scope="module")
def dora(as_user: Callable[[str], Client]) -> Client:
    return as_user("dora")


def png(colour: str) -> str:
    out = io.BytesIO()
    Image.new("RGB", (400, 300), colour).save(out, "PNG")
    return f"data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}"


@pytest.fixture(scope="module")
def folder(dora: Client) -> str:
    """Where the objects of a video of three pictures lie; it is joined plainly."""
    made = done(
        dora,
        "/api/public/generate-video",
        {
            "prompt": "Waves",
            "duration": SECONDS,
            "frameAspectRatio": "960:960",
            "images": [png(colour) for colour in ("red", "green", "blue")],
            "requestId": NAME,
        },
    )
    assert [part["done"] for part in made["output"]["scenes"]] == ["copied"] * SCENES
    return str(made["s3Key"].rpartition("/video-clips/")[0])


@pytest.fixture(scope="module")
def tune(dora: Client) -> str:
    """The id of music in the library: a tone of one second."""
    command = [FFMPEG, "-v", "error", "-f", "lavfi", "-i", "sine=440:d=1", "-f", "wav", "pipe:1"]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    made = announce(dora, "audio/wav", len(data))
    assert send(made["form"], data).status_code == 204
    assert settled(dora, made["id"])["status"] == "ready"
    return str(made["id"])


@pytest.fixture(scope="module")
def broken(folder: str, backstage: Backstage) -> None:
    """Clip 2 loses its second half, as if the store had; clip 3 is gone."""
    bucket = backstage.link.outputs["MediaBucketName"]
    keys = [f"{folder}/video-clips/generated_clip_{scene}_1.mp4" for scene in (2, 3)]
    half = backstage.read(keys[0])
    s3 = backstage.link.client("s3")
    s3.put_object(Bucket=bucket, Key=keys[0], Body=half[: len(half) // 2])
    s3.delete_object(Bucket=bucket, Key=keys[1])


def files(output: dict[str, Any], room: Path) -> dict[str, list[Path]]:
    """Download every file by its link, and hold it against what is said of it; by kind."""
    found: dict[str, list[Path]] = {}
    for number, file in enumerate(output["files"]):
        data = requests.get(file["url"], timeout=60).content
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["size_bytes"], file["sha256"])
        path = room / f"{number}.{file['media_type'].rpartition('/')[2]}"
        path.write_bytes(data)
        found.setdefault(file["kind"], []).append(path)
    return found


def test_a_broken_clip_is_refused_by_name(dora: Client, broken: None) -> None:
    asked = {"requestId": NAME, "output": {"captions": {"burn": True}}}
    response = dora.call("POST", MERGE, asked, headers={"Prefer": "wait=25"})
    assert response.json()["code"] == "merge.broken_clip", response.text
    assert "scene 2 is broken" in response.json()["detail"]
    # Its earlier cut is still there.
    assert dora.call("GET", f"/v1/videos/{NAME}").json()["status"] == "succeeded"


def test_a_broken_clip_is_left_out_on_wish(dora: Client, broken: None, tmp_path: Path) -> None:
    made = done(dora, MERGE, {"requestId": NAME, "output": {"on_broken": "skip"}})
    parts = made["output"]["scenes"]
    assert [part["done"] for part in parts] == ["copied", "skipped", "skipped"]
    assert "cut short" in parts[1]["reason"]
    assert "not there" in parts[2]["reason"]
    assert made["duration"] == SECONDS
    video = files(made["output"], tmp_path)["video"][0]
    assert ffmpeg.decode(video).frames == FRAMES
    shown = dora.call("GET", f"/v1/videos/{NAME}").json()
    assert shown["status"] == "succeeded"
    assert shown["requested_output"]["on_broken"] == "skip"
    assert shown["output"]["scenes"] == parts


def test_its_picture_is_held_in_a_cut_with_everything(
    dora: Client, broken: None, tune: str, tmp_path: Path
) -> None:
    """Crossfades, captions, music, a preview and another shape, over two broken clips of three."""
    wish = {
        "on_broken": "still",
        "size": "320x320",
        "transition": "crossfade",
        "transition_seconds": OVERLAP,
        "renditions": [{"size": "180x320"}],
        "captions": {"burn": True},
        "preview": "gif",
        "music": {"media": tune, "volume": 1},
    }
    asked = {"requestId": NAME, "output": wish}
    begun = dora.call("POST", MERGE, asked, headers={"Prefer": "wait=0"}).json()
    other = dora.call("POST", MERGE, {"requestId": NAME, "output": {"format": "webm"}})
    assert (other.status_code, other.json()["code"]) == (409, "video.running")
    for _ in range(4):
        made = dora.call("GET", begun["statusUrl"], headers={"Prefer": "wait=20"}).json()
        if "output" in made:
            break
    assert [part["done"] for part in made["output"]["scenes"]] == ["encoded", "still", "still"]
    found = files(made["output"], tmp_path)
    kinds = {kind: len(paths) for kind, paths in found.items()}
    assert kinds == {
        "video": 1,
        "rendition": 1,
        "poster": 2,
        "thumbnail": 3,
        "preview": 1,
        "captions": 2,
    }
    seconds = SCENES * SECONDS - 2 * OVERLAP
    for path, size in ((found["video"][0], (320, 320)), (found["rendition"][0], (180, 320))):
        facts = ffmpeg.decode(path)
        assert (facts.width, facts.height) == size
        assert facts.frames == seconds * 24
        sound = judge.samples(path)
        assert abs(len(sound) / judge.HERTZ - seconds) <= judge.SYNC_SECONDS
        assert judge.tone(sound, 3.0, 440) > 0.8, "the music, begun again"
    # The held picture is the scene's own: what was sent as its picture.
    with Image.open(found["thumbnail"][1]) as image:
        red, green, blue = image.convert("RGB").resize((1, 1)).getpixel((0, 0))  # type: ignore[misc]  # an RGB pixel
    assert green > 2 * max(red, blue)


def test_a_replaced_cut_goes_with_all_its_files(
    dora: Client, folder: str, backstage: Backstage
) -> None:
    """The cuts of the tests before: a plain one, one of a single scene, one of everything."""
    asked = {"requestId": NAME, "output": {"on_broken": "skip", "format": "webm"}}
    newest = done(dora, MERGE, asked)
    assert newest["s3Key"].endswith(".webm")
    video_id = dora.call("GET", f"/v1/videos/{NAME}").json()["id"]
    listed = dora.call("GET", f"/v1/media?kind=video&video={video_id}").json()["data"]
    assert listed[0]["s3_key"] == newest["s3Key"]
    refused = dora.call("DELETE", f"/v1/media/{listed[0]['id']}")
    assert (refused.status_code, refused.json()["code"]) == (409, "media.in_use")
    for item in listed[1:]:
        assert dora.call("DELETE", f"/v1/media/{item['id']}").status_code == 204
    left = {
        key.removeprefix(f"{folder}/")
        for part in ("video-clips", "provenance")
        for key in backstage.objects(f"{folder}/{part}/")
        if "generated_clip" not in key
    }
    version = listed[0]["version"]
    assert left == {
        *(f"video-clips/final_video_{version}.{suffix}" for suffix in ("webm", "jpg", "webp")),
        *(f"video-clips/captions_{version}.{suffix}" for suffix in ("srt", "vtt")),
        f"video-clips/thumbnail_1_{version}.jpg",
        f"provenance/manifest_{version}.json",
    }
    shown = dora.call("GET", f"/v1/videos/{NAME}").json()["output"]
    assert requests.get(shown["url"], timeout=30).status_code == 200


@pytest.mark.parametrize(
    ("output", "field"),
    [
        ({"format": "avi"}, "/output/format"),
        ({"size": "321x320"}, "/output/size"),
        ({"narration": {"voice": "male"}}, "/output/narration"),
        ({"music": {"media": f"med_{'0' * 26}"}}, "/output/music/media"),
    ],
)
def test_what_cannot_be_made_is_refused(
    dora: Client, folder: str, output: dict[str, Any], field: str
) -> None:
    response = dora.call("POST", MERGE, {"requestId": NAME, "output": output})
    assert response.status_code == 400, response.text
    assert field in [fault["pointer"] for fault in response.json()["errors"]], response.text
