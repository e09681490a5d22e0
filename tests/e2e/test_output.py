"""Output options on the deployed stack: narration, captions, size, transitions, music."""

import array
import hashlib
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from common.media import ffmpeg
from tests.e2e.client import Client, StackAccess

RATE = 16_000
SCENES, SECONDS, OVERLAP = 2, 2, 0.5
TOTAL_SECONDS = SCENES * SECONDS - OVERLAP
OUTPUT: dict[str, Any] = {
    "format": "webm",
    "size": "320x320",
    "transition": "crossfade",
    "transition_seconds": OVERLAP,
    "renditions": [{"size": "180x320"}],
    "captions": {"burn": True},
    "narration": {"voice": "male"},
    "preview": "webp",
    "on_broken": "still",
}


@pytest.fixture(scope="module")
def video(alice: Client) -> dict[str, Any]:
    """A finished video with all output options."""
    accepted = alice.create(
        prompt="A red kite flies over the dunes",
        scenes=SCENES,
        seconds=SECONDS,
        ratio="960:960",
        seed=7,
        output=OUTPUT,
    )
    ended = alice.wait(accepted["id"])
    assert ended["status"] == "succeeded", ended["error"]
    return ended


@pytest.fixture(scope="module")
def files(
    video: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Path]:
    """The downloaded files by kind and size (or suffix)."""
    folder, paths = tmp_path_factory.mktemp("files"), {}
    for number, file in enumerate(video["output"]["files"]):
        data = requests.get(file["url"], timeout=60).content
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
        assert len(data) == file["size_bytes"]
        path = folder / f"{number}.{file['media_type'].rpartition('/')[2]}"
        path.write_bytes(data)
        paths[
            file["kind"], f"{file['width']}x{file['height']}" if file["width"] else path.suffix
        ] = path
    return paths


def decode_audio(path: Path) -> list[int]:
    out = path.with_suffix(".pcm")
    ffmpeg.run(
        [
            *ffmpeg.source(path),
            "-map",
            "0:a:0",
            "-ac",
            "1",
            "-ar",
            str(RATE),
            "-f",
            "s16le",
            "-y",
            str(out),
        ],
        timeout=60,
    )
    return list(array.array("h", out.read_bytes()))


def rms(samples: list[int], start: float, end: float) -> float:
    segment = samples[int(start * RATE) : int(end * RATE)]
    return math.sqrt(sum(value * value for value in segment) / len(segment))


@pytest.mark.deployed
def test_output_renditions_have_size_codec_and_duration(files: dict[tuple[str, str], Path]) -> None:
    for key in (("video", "320x320"), ("rendition", "180x320")):
        facts = ffmpeg.decode(files[key])
        assert f"{facts.width}x{facts.height}" == key[1]
        assert facts.codec == "vp9"
        assert facts.frames == round(TOTAL_SECONDS * 24)
        assert facts.seconds == pytest.approx(TOTAL_SECONDS, abs=0.05)


@pytest.mark.deployed
def test_output_narration_is_audible_in_every_scene(
    video: dict[str, Any], files: dict[tuple[str, str], Path]
) -> None:
    samples = decode_audio(files["video", "320x320"])
    assert len(samples) / RATE == pytest.approx(TOTAL_SECONDS, abs=0.025)
    for segment in video["output"]["scenes"]:
        assert rms(samples, segment["start"] + 0.6, segment["start"] + 1.4) > 500
    assert rms(samples, 0, 0.15) < 50, "a pause before the narration"


@pytest.mark.deployed
def test_output_narration_is_downloadable(video: dict[str, Any]) -> None:
    for scene in video["scenes"]:
        response = requests.get(scene["narration"]["url"], timeout=30)
        assert response.headers["Content-Type"] == "audio/wav"
        assert response.content[:4] == b"RIFF"


@pytest.mark.deployed
def test_output_captions_are_burned_in_and_downloadable(
    video: dict[str, Any], files: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    narrations = [scene["narration"]["text"] for scene in video["scenes"]]
    response = requests.get(video["output"]["captions_url"], timeout=30)
    assert response.headers["Content-Type"] == "text/vtt; charset=utf-8"
    subtitles = response.text
    assert subtitles.startswith("WEBVTT")
    for text in narrations:
        assert text.split()[0] in subtitles
    assert video["output"]["files"][0]["captioned"]
    frame = tmp_path / "frame.png"
    source = ffmpeg.source(files["video", "320x320"])
    ffmpeg.run(["-ss", "0.8", *source, "-frames:v", "1", "-y", str(frame)], timeout=30)
    with Image.open(frame) as image:
        bottom = image.convert("L").crop((0, 230, 320, 320))
        white, dark = (sum(bottom.histogram()[a:b]) for a, b in ((230, 256), (0, 40)))
    assert white > 100, "the text"
    assert dark > 100, "the outline of the text"


@pytest.mark.deployed
def test_output_poster_thumbnails_and_preview_are_downloadable(video: dict[str, Any]) -> None:
    output = video["output"]
    urls = [output["poster_url"], output["preview_url"]]
    urls += [scene["thumbnail_url"] for scene in video["scenes"]]
    formats = []
    for url in urls:
        with Image.open(io.BytesIO(requests.get(url, timeout=30).content)) as image:
            formats.append(image.format)
    assert formats == ["JPEG", "WEBP", "JPEG", "JPEG"]


def test_video_resource_shows_requested_and_applied_output(
    video: dict[str, Any], stack: StackAccess
) -> None:
    requested = video["requested_output"]
    assert requested["transition"] == "crossfade"
    assert requested["narration"] == {"voice": "male", "language": None}
    assert [segment["done"] for segment in video["output"]["scenes"]] == ["encoded"] * SCENES
    assert "eSpeak" in video["models"]["speech"]["label"]
    record = json.loads(stack.read(f"alice/{video['id']}/provenance/manifest_1.json"))
    assert record["output"]["wished"]["format"] == "webm"
    assert record["scenes"][0]["narration"] == video["scenes"][0]["narration"]["text"]
    execution = stack.execution(video["run_id"])
    assert video["scenes"][0]["narration"]["text"] not in execution["output"]


def test_output_music_accepts_video_of_library(
    alice: Client, video: dict[str, Any], tmp_path: Path
) -> None:
    """The sound of a silent video is the other video's sound, looped and faded."""
    library = alice.call("GET", f"/v1/media?kind=video&video={video['id']}").json()["data"]
    assert library[0]["media_type"] == "video/webm"
    music = {"media": library[0]["id"], "volume": 1, "fade_in": 0, "fade_out": 0.5}
    accepted = alice.create(
        prompt="A boat", scenes=2, seconds=2, ratio="960:960", output={"music": music}
    )
    finished = alice.wait(accepted["id"])
    assert finished["status"] == "succeeded", finished["error"]
    assert [segment["done"] for segment in finished["output"]["scenes"]] == ["copied"] * 2
    path = tmp_path / "with_music.mp4"
    path.write_bytes(requests.get(finished["output"]["url"], timeout=60).content)
    assert ffmpeg.decode(path).seconds == pytest.approx(4.0, abs=0.01)
    samples = decode_audio(path)
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.025)
    assert rms(samples, 0.6, 1.4) > 500
    assert rms(samples, 3.95, 4.0) < 0.3 * rms(samples, 0.6, 1.4)


def test_invalid_output_error_names_field(alice: Client) -> None:
    for output, field in (
        ({"format": "avi"}, "output"),
        ({"size": "321x320"}, "output.size"),
        ({"narration": {"voice": "hal"}}, "output.narration.voice"),
        ({"music": {"media": f"med_{'0' * 26}"}}, "output.music.media"),
        ({"extra": 1}, "output"),
    ):
        response = alice.call("POST", "/v1/videos", {"prompt": "A kite", "output": output})
        assert response.status_code == 422, response.text
        assert field.split(".")[0] in json.dumps(response.json())
