"""A wish for the finished video, carried out by the deployed stack: spoken, captioned, shaped."""

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
from tests.e2e.client import Backstage, Client

RATE = 16_000
SCENES, SECONDS, OVERLAP = 2, 2, 0.5
LENGTH = SCENES * SECONDS - OVERLAP
WISH: dict[str, Any] = {
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
    """A finished video with everything that can be wished for."""
    accepted = alice.create(
        prompt="A red kite flies over the dunes",
        scenes=SCENES,
        seconds=SECONDS,
        ratio="960:960",
        seed=7,
        output=WISH,
    )
    ended = alice.wait(accepted["id"])
    assert ended["status"] == "succeeded", ended["error"]
    return ended


@pytest.fixture(scope="module")
def files(
    video: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Path]:
    """Every file as downloaded by its link, by kind and size or type."""
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


def heard(path: Path) -> list[int]:
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
    part = samples[int(start * RATE) : int(end * RATE)]
    return math.sqrt(sum(value * value for value in part) / len(part))


@pytest.mark.deployed
def test_both_shapes_are_whole_and_as_long_as_planned(files: dict[tuple[str, str], Path]) -> None:
    for key in (("video", "320x320"), ("rendition", "180x320")):
        facts = ffmpeg.decode(files[key])
        assert f"{facts.width}x{facts.height}" == key[1]
        assert facts.codec == "vp9"
        assert facts.frames == round(LENGTH * 24)
        assert facts.seconds == pytest.approx(LENGTH, abs=0.05)


@pytest.mark.deployed
def test_in_every_scene_somebody_speaks_to_the_end_of_the_video(
    video: dict[str, Any], files: dict[tuple[str, str], Path]
) -> None:
    samples = heard(files["video", "320x320"])
    assert len(samples) / RATE == pytest.approx(LENGTH, abs=0.025)
    for part in video["output"]["scenes"]:
        assert rms(samples, part["start"] + 0.6, part["start"] + 1.4) > 500
    assert rms(samples, 0, 0.15) < 50, "a breath before"


@pytest.mark.deployed
def test_a_narration_can_be_heard_by_itself(video: dict[str, Any]) -> None:
    for scene in video["scenes"]:
        answer = requests.get(scene["narration"]["url"], timeout=30)
        assert answer.headers["Content-Type"] == "audio/wav"
        assert answer.content[:4] == b"RIFF"


@pytest.mark.deployed
def test_captions_are_drawn_and_lie_beside_it(
    video: dict[str, Any], files: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    said = [scene["narration"]["text"] for scene in video["scenes"]]
    answer = requests.get(video["output"]["captions_url"], timeout=30)
    assert answer.headers["Content-Type"] == "text/vtt; charset=utf-8"
    subtitles = answer.text
    assert subtitles.startswith("WEBVTT")
    for text in said:
        assert text.split()[0] in subtitles
    assert video["output"]["files"][0]["captioned"]
    frame = tmp_path / "frame.png"
    source = ffmpeg.source(files["video", "320x320"])
    ffmpeg.run(["-ss", "0.8", *source, "-frames:v", "1", "-y", str(frame)], timeout=30)
    with Image.open(frame) as image:
        foot = image.convert("L").crop((0, 230, 320, 320))
        white, dark = (sum(foot.histogram()[a:b]) for a, b in ((230, 256), (0, 40)))
    assert white > 100, "letters"
    assert dark > 100, "and their edges"


@pytest.mark.deployed
def test_stills_and_preview_are_linked(video: dict[str, Any]) -> None:
    output = video["output"]
    urls = [output["poster_url"], output["preview_url"]]
    urls += [scene["thumbnail_url"] for scene in video["scenes"]]
    forms = []
    for url in urls:
        with Image.open(io.BytesIO(requests.get(url, timeout=30).content)) as image:
            forms.append(image.format)
    assert forms == ["JPEG", "WEBP", "JPEG", "JPEG"]


def test_the_object_repeats_the_wish_and_says_what_was_done(
    video: dict[str, Any], backstage: Backstage
) -> None:
    wished = video["requested_output"]
    assert wished["transition"] == "crossfade"
    assert wished["narration"] == {"voice": "male", "language": None}
    assert [part["done"] for part in video["output"]["scenes"]] == ["encoded"] * SCENES
    assert "eSpeak" in video["models"]["speech"]["label"]
    record = json.loads(backstage.read(f"alice/{video['id']}/provenance/manifest_1.json"))
    assert record["output"]["wished"]["format"] == "webm"
    assert record["scenes"][0]["narration"] == video["scenes"][0]["narration"]["text"]
    execution = backstage.execution(video["run_id"])
    assert video["scenes"][0]["narration"]["text"] not in execution["output"]


def test_a_video_of_the_library_is_the_music_of_another(
    alice: Client, video: dict[str, Any], tmp_path: Path
) -> None:
    """Of a silent video: what is heard in it is the other one's sound, looped and faded."""
    library = alice.call("GET", f"/v1/media?kind=video&video={video['id']}").json()["data"]
    assert library[0]["media_type"] == "video/webm"
    music = {"media": library[0]["id"], "volume": 1, "fade_in": 0, "fade_out": 0.5}
    asked = alice.create(
        prompt="A boat", scenes=2, seconds=2, ratio="960:960", output={"music": music}
    )
    made = alice.wait(asked["id"])
    assert made["status"] == "succeeded", made["error"]
    assert [part["done"] for part in made["output"]["scenes"]] == ["copied"] * 2
    path = tmp_path / "with_music.mp4"
    path.write_bytes(requests.get(made["output"]["url"], timeout=60).content)
    assert ffmpeg.decode(path).seconds == pytest.approx(4.0, abs=0.01)
    samples = heard(path)
    assert len(samples) / RATE == pytest.approx(4.0, abs=0.025)
    assert rms(samples, 0.6, 1.4) > 500
    assert rms(samples, 3.95, 4.0) < 0.3 * rms(samples, 0.6, 1.4)


def test_what_cannot_be_made_is_refused_with_what_can(alice: Client) -> None:
    for output, field in (
        ({"format": "avi"}, "output"),
        ({"size": "321x320"}, "output.size"),
        ({"narration": {"voice": "hal"}}, "output.narration.voice"),
        ({"music": {"media": f"med_{'0' * 26}"}}, "output.music.media"),
        ({"extra": 1}, "output"),
    ):
        refused = alice.call("POST", "/v1/videos", {"prompt": "A kite", "output": output})
        assert refused.status_code == 422, refused.text
        assert field.split(".")[0] in json.dumps(refused.json())
