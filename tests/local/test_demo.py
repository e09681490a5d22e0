"""The demo against a small HTTP server that imitates the API."""

import hashlib
import io
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

from infra.local.api_client import Api
from infra.local.demo import VideoOptions, cost_line, make_video
from infra.local.errors import LocalCloudError
from infra.local.video_check import boxes, check_video


class StandIn(ThreadingHTTPServer):
    """The video is finished after three reads; `problem` is the response to the first request."""

    def __init__(self, video_file: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.video_file = video_file
        self.reads = 0
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.problem: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.waiting: dict[str, Any] | None = None
        self.price = "0.0000"
        self.sha256 = hashlib.sha256(video_file).hexdigest()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/live"

    def video(self) -> dict[str, Any]:
        done = self.reads >= 3
        first = "succeeded" if self.reads > 1 else "running"
        status = "running" if not done else "failed" if self.error else "succeeded"
        return {
            "id": "vid_1",
            "title": "The Fox & the Heron",
            "status": status,
            "stage": "scenes",
            "progress": 30 * self.reads,
            "scenes": [{"index": 1, "status": first}, {"index": 2, "status": "queued"}],
            "output": {"duration_seconds": 1.0} if done else None,
            "error": self.error,
            "waiting": None if done else self.waiting,
            "models": {"video": {"provider": "p", "model": "m", "label": "Camera one"}},
            "cost": {
                "actual": self.price,
                "estimated": self.price,
                "currency": "USD",
                "equivalent": {"amount": "1.55", "currency": "USD", "models": ["a", "b"]},
            },
        }

    def estimate(self) -> dict[str, Any]:
        scene = {"scene": 1, "image": "0.0100", "clip": "0.2500"}
        return {
            "total": self.price,
            "story": "0.0010",
            "scenes": [scene, {**scene, "scene": 2}],
            "currency": "USD",
            "models": {"video": {"provider": "p", "model": "m", "label": "Camera one"}},
        }


class Handler(BaseHTTPRequestHandler):
    server: StandIn

    def log_message(self, *_: object) -> None:
        """Disable logging."""

    def do_POST(self) -> None:
        server = self.server
        server.keys.append(self.headers["Authorization"])
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("/v1/estimates") and not server.problem:
            self.answer(200, server.estimate())
            return
        server.bodies.append(body)
        if server.problem:
            self.answer(server.problem["status"], server.problem, {"Retry-After": "7"})
        else:
            self.answer(202, server.video())

    def do_GET(self) -> None:
        server = self.server
        if self.path == "/film":
            assert self.headers["Authorization"] is None
            self.answer(200, server.video_file)
        elif self.path.endswith("/download"):
            size = len(server.video_file)
            link = {"url": f"http://127.0.0.1:{server.server_port}/film", "size_bytes": size}
            self.answer(200, {**link, "sha256": server.sha256})
        else:
            server.reads += 1
            self.answer(200, server.video(), {"Retry-After": "0"})

    def answer(
        self, status: int, content: dict[str, Any] | bytes, headers: dict[str, str] | None = None
    ) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def video_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of one second with the moov box first."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=24:duration=1"]
    target = ["-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, *target]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def server(video_file: Path) -> Iterator[StandIn]:
    """The running stand-in."""
    with StandIn(video_file.read_bytes()) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_demo_requests_and_downloads_video(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = VideoOptions.from_environment({"PROMPT": "it's a fox", "SCENES": "2", "STYLE": "Anime"})
    assert make_video(Api(server.url, "vg_live_key"), order, tmp_path) == 0
    assert set(server.keys) == {"Bearer vg_live_key"}
    assert server.bodies == [
        {"prompt": "it's a fox", "scenes": 2, "seconds": 5, "ratio": "1280:720", "style": "Anime"}
    ]
    path = tmp_path / "the-fox-the-heron.mp4"
    assert path.read_bytes() == server.video_file
    output = capsys.readouterr().out
    assert "1 of 2 scenes" in output
    assert str(path) in output
    assert "1.00 s, 24 frames" in output
    assert "1.55 USD" in output
    lines = [line.strip() for line in output.splitlines() if line.strip().startswith("curl ")]
    assert len(lines) == 3
    assert all(server.url in line and "vg_live_key" in line for line in lines)
    assert lines[2].endswith("/v1/videos/vid_1/download")
    assert """'{"prompt": "it'"'"'s a fox",""" in lines[0]


def test_demo_prints_estimate_before_request(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.price = "0.5210"
    server.waiting = {"stage": "clip", "detail": "All 2 jobs are under way"}
    order = VideoOptions.from_environment({"SCENES": "2", "MAX_COST": "0.60"})
    assert make_video(Api(server.url, "k"), order, tmp_path) == 0
    assert server.bodies[0]["max_cost"] == "0.60"
    output = capsys.readouterr().out
    cost = output.index("Estimated cost at list prices: 0.5210 USD")
    assert "story 0.0010, images 0.0200, clips 0.5000" in output
    assert cost < output.index("is accepted")
    assert "clip waits: All 2 jobs are under way" in output
    assert "0.5210 USD (estimated: 0.5210)" in output
    assert "with a, b" not in output, "no comparison with list prices after a paid run"


def test_demo_asks_for_confirmation_at_terminal(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.price = "0.5210"
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert make_video(Api(server.url, "k"), VideoOptions(), tmp_path) == 1
    assert server.bodies == []


def test_demo_prints_problem_of_rejected_request(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.problem = {
        "status": 422,
        "title": "Unprocessable",
        "code": "request.invalid",
        "detail": "style: must be one of Anime, Sketch",
    }
    assert make_video(Api(server.url, "k"), VideoOptions(), tmp_path) == 1
    output = capsys.readouterr().err
    assert "422 Unprocessable: style: must be one of Anime, Sketch [request.invalid]" in output
    assert "Retry after 7 s." in output


def test_demo_prints_stage_and_reason_of_failed_video(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.error = {
        "code": "provider.refused",
        "stage": "clip",
        "scene": 2,
        "detail": "the picture was refused. Resume the video.",
        "retryable": True,
    }
    assert make_video(Api(server.url, "k"), VideoOptions(), tmp_path) == 1
    output = capsys.readouterr().err
    expected = "stage clip, scene 2: the picture was refused. Resume the video. [provider.refused]"
    assert expected in output


def test_demo_rejects_file_with_wrong_digest(server: StandIn, tmp_path: Path) -> None:
    server.sha256 = "0" * 64
    with pytest.raises(LocalCloudError, match="SHA-256"):
        make_video(Api(server.url, "k"), VideoOptions(), tmp_path)


def test_demo_reports_unreachable_api(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_video(Api("http://127.0.0.1:9", "k"), VideoOptions(), tmp_path) == 1
    assert "could not be reached" in capsys.readouterr().err


def test_demo_order_from_environment() -> None:
    assert VideoOptions.from_environment({}) == VideoOptions.from_environment(
        {"PROMPT": " ", "SCENES": ""}
    )
    with pytest.raises(LocalCloudError, match="SCENES"):
        VideoOptions.from_environment({"SCENES": "six"})
    with pytest.raises(LocalCloudError, match="IMAGE"):
        VideoOptions.from_environment({"IMAGE": "/no/such/picture.png"})


def test_demo_image_is_data_uri_and_abbreviated_in_output(tmp_path: Path) -> None:
    picture = tmp_path / "fox.png"
    picture.write_bytes(b"\x89PNG" + bytes(200))
    order = VideoOptions.from_environment({"IMAGE": str(picture)})
    assert order.body()["image"].startswith("data:image/png;base64,iVBORw")
    assert len(order.printable_body()) < 400


def test_demo_cost_line() -> None:
    cost = {"actual": "0.10", "estimated": "0.12", "currency": "USD"}
    assert cost_line({"cost": cost}) == "0.10 USD (estimated: 0.12)"
    assert cost_line({"cost": {"actual": "0.00", "currency": "USD"}}) == "0.00 USD"


def test_demo_video_checks_name_defect(video_file: Path, tmp_path: Path) -> None:
    data = video_file.read_bytes()
    names = boxes(data)
    assert names[0] == "ftyp"
    assert names.index("moov") < names.index("mdat")
    late = tmp_path / "late.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(video_file), "-c", "copy"]
    subprocess.run([*command, str(late)], check=True)
    with pytest.raises(LocalCloudError, match="before it has loaded"):
        check(late)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(LocalCloudError, match=str(cut)):
        check(cut)
    with pytest.raises(LocalCloudError, match=r"lasts 1\.00 s"):
        check(video_file, duration=5.0)
    with pytest.raises(LocalCloudError, match="bytes"):
        check_video(video_file, size_bytes=1, sha256="")
    text = tmp_path / "text.mp4"
    text.write_text("not a video at all")
    with pytest.raises(LocalCloudError, match="not an MP4"):
        check(text)


def check(path: Path, duration: float | None = None) -> None:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    check_video(path, size_bytes=len(data), sha256=digest, duration_seconds=duration)
