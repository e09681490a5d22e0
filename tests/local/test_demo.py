"""The demo against a small HTTP server that answers as the API does."""

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
from infra.local.demo import Order, cost_line, make_video
from infra.local.errors import LocalCloudError
from infra.local.video_check import boxes, check_video


class StandIn(ThreadingHTTPServer):
    """Three reads until the video is there; `problem` answers the first request instead."""

    def __init__(self, film: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.film = film
        self.reads = 0
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.problem: dict[str, Any] | None = None
        self.error: dict[str, Any] | None = None
        self.waiting: dict[str, Any] | None = None
        self.price = "0.0000"
        self.sha256 = hashlib.sha256(film).hexdigest()

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
        """Say nothing."""

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
            self.answer(200, server.film)
        elif self.path.endswith("/download"):
            size = len(server.film)
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
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of video, moov first."""
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    source = ["-f", "lavfi", "-i", "testsrc=size=64x64:rate=24:duration=1"]
    target = ["-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path)]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *source, *target]
    subprocess.run(command, check=True)
    return path


@pytest.fixture
def server(film: Path) -> Iterator[StandIn]:
    """The stand-in, listening."""
    with StandIn(film.read_bytes()) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.05,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def test_a_video_from_request_to_file(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    order = Order.from_environment({"PROMPT": "it's a fox", "SCENES": "2", "STYLE": "Anime"})
    assert make_video(Api(server.url, "vg_live_key"), order, tmp_path) == 0
    assert set(server.keys) == {"Bearer vg_live_key"}
    assert server.bodies == [
        {"prompt": "it's a fox", "scenes": 2, "seconds": 5, "ratio": "1280:720", "style": "Anime"}
    ]
    path = tmp_path / "the-fox-the-heron.mp4"
    assert path.read_bytes() == server.film
    shown = capsys.readouterr().out
    assert "1 of 2 scenes" in shown
    assert str(path) in shown
    assert "1.00 s, 24 frames" in shown
    assert "1.55 USD" in shown
    lines = [line.strip() for line in shown.splitlines() if line.strip().startswith("curl ")]
    assert len(lines) == 3
    assert all(server.url in line and "vg_live_key" in line for line in lines)
    assert lines[2].endswith("/v1/videos/vid_1/download")
    assert """'{"prompt": "it'"'"'s a fox",""" in lines[0]


def test_what_it_will_cost_is_said_before_it_does(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.price = "0.5210"
    server.waiting = {"stage": "clip", "detail": "All 2 jobs are under way"}
    order = Order.from_environment({"SCENES": "2", "MAX_COST": "0.60"})
    assert make_video(Api(server.url, "k"), order, tmp_path) == 0
    assert server.bodies[0]["max_cost"] == "0.60"
    shown = capsys.readouterr().out
    cost = shown.index("This will cost about 0.5210 USD at list prices:")
    assert "story 0.0010, pictures 0.0200, clips 0.5000" in shown
    assert cost < shown.index("is accepted")
    assert "clip waits: All 2 jobs are under way" in shown
    assert "0.5210 USD (estimated: 0.5210)" in shown
    assert "with a, b" not in shown, "what others would charge is no news when these did"


def test_at_a_terminal_it_is_asked_for(
    server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.price = "0.5210"
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert make_video(Api(server.url, "k"), Order(), tmp_path) == 1
    assert server.bodies == []


def test_a_refusal_is_shown_as_the_api_says_it(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.problem = {
        "status": 422,
        "title": "Unprocessable",
        "code": "request.invalid",
        "detail": "style: must be one of Anime, Sketch",
    }
    assert make_video(Api(server.url, "k"), Order(), tmp_path) == 1
    shown = capsys.readouterr().err
    assert "422 Unprocessable: style: must be one of Anime, Sketch [request.invalid]" in shown
    assert "Try again in 7 s." in shown


def test_a_failed_video_says_where_and_why(
    server: StandIn, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.error = {
        "code": "provider.refused",
        "stage": "clip",
        "scene": 2,
        "detail": "the picture was refused. Resume the video.",
        "retryable": True,
    }
    assert make_video(Api(server.url, "k"), Order(), tmp_path) == 1
    shown = capsys.readouterr().err
    said = "stage clip, scene 2: the picture was refused. Resume the video. [provider.refused]"
    assert said in shown


def test_a_wrong_file_is_refused(server: StandIn, tmp_path: Path) -> None:
    server.sha256 = "0" * 64
    with pytest.raises(LocalCloudError, match="SHA-256"):
        make_video(Api(server.url, "k"), Order(), tmp_path)


def test_nobody_listening_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_video(Api("http://127.0.0.1:9", "k"), Order(), tmp_path) == 1
    assert "could not be reached" in capsys.readouterr().err


def test_orders() -> None:
    assert Order.from_environment({}) == Order.from_environment({"PROMPT": " ", "SCENES": ""})
    with pytest.raises(LocalCloudError, match="SCENES"):
        Order.from_environment({"SCENES": "six"})
    with pytest.raises(LocalCloudError, match="IMAGE"):
        Order.from_environment({"IMAGE": "/no/such/picture.png"})


def test_a_picture_travels_as_data_uri_and_is_cut_short_in_what_is_shown(tmp_path: Path) -> None:
    picture = tmp_path / "fox.png"
    picture.write_bytes(b"\x89PNG" + bytes(200))
    order = Order.from_environment({"IMAGE": str(picture)})
    assert order.body()["image"].startswith("data:image/png;base64,iVBORw")
    assert len(order.shown_body()) < 400


def test_cost_line() -> None:
    cost = {"actual": "0.10", "estimated": "0.12", "currency": "USD"}
    assert cost_line({"cost": cost}) == "0.10 USD (estimated: 0.12)"
    assert cost_line({"cost": {"actual": "0.00", "currency": "USD"}}) == "0.00 USD"


def test_checks_name_the_broken_promise(film: Path, tmp_path: Path) -> None:
    data = film.read_bytes()
    names = boxes(data)
    assert names[0] == "ftyp"
    assert names.index("moov") < names.index("mdat")
    late = tmp_path / "late.mp4"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(film), "-c", "copy"]
    subprocess.run([*command, str(late)], check=True)
    with pytest.raises(LocalCloudError, match="before it has loaded"):
        check(late)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(LocalCloudError, match=str(cut)):
        check(cut)
    with pytest.raises(LocalCloudError, match=r"lasts 1\.00 s"):
        check(film, duration=5.0)
    with pytest.raises(LocalCloudError, match="bytes"):
        check_video(film, size_bytes=1, sha256="")
    text = tmp_path / "text.mp4"
    text.write_text("not a video at all")
    with pytest.raises(LocalCloudError, match="not an MP4"):
        check(text)


def check(path: Path, duration: float | None = None) -> None:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    check_video(path, size_bytes=len(data), sha256=digest, duration_seconds=duration)
