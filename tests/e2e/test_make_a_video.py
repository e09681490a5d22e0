"""The main use case: a prompt over HTTP becomes a finished video on the deployed stack."""

import base64
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from common.media import ffmpeg
from infra.local import demo
from infra.local.api_client import Api
from infra.local.connection import Connection
from tests.e2e.client import Client, StackAccess

PROMPT = "A red kite flies over the dunes, a child runs after it"


def base64_png() -> str:
    out = io.BytesIO()
    Image.new("RGB", (300, 400), (250, 20, 200)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


@pytest.fixture(scope="module")
def video(alice: Client) -> dict[str, Any]:
    """A finished video of three scenes with a reference image."""
    accepted = alice.create(
        prompt=PROMPT,
        scenes=3,
        seconds=2,
        ratio="960:960",
        style="watercolor",
        mood="Calm",
        image=base64_png(),
        seed=7,
        metadata={"order": "4711"},
    )
    assert accepted["status"] in ("queued", "running")
    assert accepted["links"]["self"] == f"/v1/videos/{accepted['id']}"
    ended = alice.wait(accepted["id"])
    assert ended["status"] == "succeeded", ended["error"]
    return ended


@pytest.fixture(scope="module")
def file(alice: Client, video: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The downloaded MP4."""
    link = alice.call("GET", video["links"]["download"]).json()
    path = tmp_path_factory.mktemp("video") / "final.mp4"
    path.write_bytes(requests.get(link["url"], timeout=60).content)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == link["sha256"]
    assert path.stat().st_size == link["size_bytes"]
    return path


@pytest.mark.deployed
def test_finished_file_matches_video_resource(file: Path, video: dict[str, Any]) -> None:
    facts = ffmpeg.decode(file)
    assert (facts.codec, facts.width, facts.height) == ("h264", 960, 960)
    assert facts.frames == video["output"]["frames"] == 3 * 2 * 24
    assert facts.seconds == pytest.approx(6.0, abs=0.01)
    assert facts.has_increasing_dts
    assert ffmpeg.is_fast_start(file)


@pytest.mark.deployed
def test_scenes_move_and_differ(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    ffmpeg.run(
        ["-i", str(file), "-vf", "scale=48:48,format=gray", "-f", "rawvideo", "-y", str(out)],
        timeout=60,
    )
    data, size = out.read_bytes(), 48 * 48
    frames = [data[i * size : (i + 1) * size] for i in range(144)]

    def difference(a: int, b: int) -> float:
        return sum(abs(x - y) for x, y in zip(frames[a], frames[b], strict=True)) / size

    for scene in range(3):
        assert difference(scene * 48, scene * 48 + 47) > 1, "the scene does not move"
    assert min(difference(24, 72), difference(72, 120), difference(24, 120)) > 4, (
        "two scenes are the same"
    )


@pytest.mark.deployed
def test_finished_video_resource_has_story_models_and_cost(video: dict[str, Any]) -> None:
    assert (video["progress"], video["stage"], video["error"]) == (100, "finish", None)
    assert video["prompt"] == PROMPT
    assert video["style"] == "Watercolor"
    assert video["metadata"] == {"order": "4711"}
    assert video["title"]
    assert [scene["timestamp"] for scene in video["scenes"]] == ["0:00", "0:02", "0:04"]
    assert len({scene["prompt"] for scene in video["scenes"]}) == 3
    assert all(s["image"]["status"] == s["clip"]["status"] == "succeeded" for s in video["scenes"])
    assert "offline" in video["models"]["image"]["label"].lower()
    assert video["cost"]["actual"] == "0.0000"
    assert float(video["cost"]["equivalent"]["amount"]) > 0.3


def test_execution_input_and_output_are_small_and_contain_no_content(
    video: dict[str, Any], stack: StackAccess
) -> None:
    execution = stack.execution(video["run_id"])
    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["input"]) == {
        "run_id": video["run_id"],
        "video_id": video["id"],
        "step": "all",
        "story": {"scenes": []},
    }
    assert len(execution["output"]) < 10 * 1024
    for secret in (PROMPT, "http", "alice"):
        assert secret not in execution["output"]


def test_objects_are_below_user_prefix(video: dict[str, Any], stack: StackAccess) -> None:
    names = {key.removeprefix(f"alice/{video['id']}/") for key in stack.objects("alice/")}
    expected = {f"reference-frames/generated_frame_{n}_1.png" for n in (1, 2, 3)}
    expected |= {f"video-clips/generated_clip_{n}_1.mp4" for n in (1, 2, 3)}
    expected |= {"video-clips/final_video_1.mp4", "video-clips/final_video_1.jpg"}
    expected |= {"user-uploads/reference_image_1.png", "provenance/manifest_1.json"}
    assert expected <= names


@pytest.mark.deployed
def test_poster_has_size_of_video(video: dict[str, Any]) -> None:
    data = requests.get(video["output"]["poster_url"], timeout=30).content
    with Image.open(io.BytesIO(data)) as poster:
        assert poster.size == (960, 960)


def test_provenance_record_matches_video(
    video: dict[str, Any], file: Path, stack: StackAccess
) -> None:
    record = json.loads(stack.read(f"alice/{video['id']}/provenance/manifest_1.json"))
    assert record["output"]["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert "no AI" in record["models"]["video"]["label"]
    assert len(record["scenes"]) == 3


def test_ledger_has_one_attempt_for_each_step(video: dict[str, Any], stack: StackAccess) -> None:
    calls = stack.rows(
        "SELECT kind, scene, state FROM provider_jobs WHERE session_id = %s", video["id"]
    )
    expected = {("story", 0)} | {(kind, n) for kind in ("image", "clip") for n in (1, 2, 3)}
    assert {(call["kind"], call["scene"]) for call in calls} == expected
    assert len(calls) == 7
    assert {call["state"] for call in calls} == {"succeeded"}


@pytest.mark.deployed
def test_download_link_supports_ranges_and_rejects_changes(video: dict[str, Any]) -> None:
    url = video["output"]["url"]
    part = requests.get(url, headers={"Range": "bytes=4-7"}, timeout=30)
    assert (part.status_code, part.content) == (206, b"ftyp")
    other_object = url.replace("final_video_1.mp4", "generated_clip_1_1.mp4")
    assert requests.get(other_object, timeout=30).status_code == 404


def test_same_seed_makes_same_images(alice: Client, stack: StackAccess) -> None:
    request = {"prompt": PROMPT, "scenes": 1, "seconds": 2, "ratio": "960:960", "seed": 3}
    videos = [alice.wait(alice.create(**request)["id"]) for _ in range(2)]
    first, second = (
        stack.read(f"alice/{video['id']}/reference-frames/generated_frame_1_1.png")
        for video in videos
    )
    assert first == second


def test_demo_downloads_verified_file(
    link: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = demo.VideoOptions(prompt="A lighthouse", scenes=2, seconds=2, ratio="1104:832")
    key = demo.mint_key(link, tmp_path)
    assert key is not None
    assert demo.make_video(Api(link.base_url, key), order, tmp_path) == 0
    (path,) = tmp_path.glob("*.mp4")
    facts = ffmpeg.decode(path)
    assert (facts.width, facts.height, facts.frames) == (1104, 832, 96)
    output = capsys.readouterr().out
    assert str(path) in output
    assert output.count("curl") >= 3
