"""`make demo`: a client of the deployed API that makes a video and downloads it.

Like any client, it needs only a base URL and an API key.
"""

import json
import re
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from infra.local import api_client
from infra.local.api_client import Api
from infra.local.connection import Connection
from infra.local.errors import LocalCloudError
from infra.local.state import PROJECT, write_atomically
from infra.local.video_check import check_video
from infra.operator import keys

OUTPUT = PROJECT / "out"
DEFAULT_PROMPT = (
    "A small red fox finds an old sailing boat at the edge of a birch forest, "
    "repairs it with the help of a heron, and sails to the lighthouse at dawn"
)
# Paid providers take minutes per clip and limit concurrency.
TIMEOUT_SECONDS, TIMEOUT_SECONDS_PER_SCENE = 30 * 60.0, 3 * 60.0
# Twice API Gateway's timeout (29 s), because the authorizer and the API may both start cold.
MINT_SECONDS = 60.0
KEY_FILE = "key"
Show = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class VideoOptions:
    """Options of the requested video; None leaves the choice to the API."""

    prompt: str = DEFAULT_PROMPT
    scenes: int = 6
    seconds: int = 5
    ratio: str = "1280:720"
    style: str | None = None
    mood: str | None = None
    image: Path | None = None
    max_cost: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "VideoOptions":
        """Read PROMPT, SCENES, SECONDS, RATIO, STYLE, MOOD, IMAGE and MAX_COST.

        Empty variables count as unset.
        """

        def text(name: str) -> str | None:
            return environment.get(name, "").strip() or None

        def integer(name: str, default: int) -> int:
            value = text(name)
            if value is None:
                return default
            if not value.isdigit():
                raise LocalCloudError(f"{name} must be an integer, not {value!r}.")
            return int(value)

        image = text("IMAGE")
        if image is not None and not Path(image).is_file():
            raise LocalCloudError(f"IMAGE: no such file: {image}")
        return cls(
            prompt=text("PROMPT") or DEFAULT_PROMPT,
            scenes=integer("SCENES", 6),
            seconds=integer("SECONDS", 5),
            ratio=text("RATIO") or "1280:720",
            style=text("STYLE"),
            mood=text("MOOD"),
            image=Path(image) if image else None,
            max_cost=text("MAX_COST"),
        )

    def body(self) -> dict[str, Any]:
        """Return the body of `POST /v1/videos`."""
        return api_client.create_body(
            prompt=self.prompt,
            scenes=self.scenes,
            seconds=self.seconds,
            ratio=self.ratio,
            style=self.style,
            mood=self.mood,
            image=self.image,
            max_cost=self.max_cost,
        )

    def printable_body(self) -> str:
        """Return the body as JSON for a terminal, with the image truncated."""
        body = self.body()
        if "image" in body:
            body["image"] = f"{body['image'][:40]}..."
        return json.dumps(body)


def mint_key(link: Connection, directory: Path, timeout: float = MINT_SECONDS) -> str | None:
    """Return a new API key for the local cloud, or else the last one, or else None.

    The key is stored in `directory`, the clone's state, and stays valid across restarts. A failure
    to mint is printed as a warning, because the cloud and its runs do not need a new key.
    """
    key_file = directory / KEY_FILE
    try:
        key = keys.mint_key(link, "demo", timeout=timeout)
    except keys.MintError as error:
        last = key_file.read_text() if key_file.exists() else None
        advice = "The last key is used instead." if last else "`make key` tries again."
        print(f"Warning: {error} {advice}", file=sys.stderr, flush=True)
        return last
    write_atomically(key_file, key)
    return key


def make_video(api: Api, options: VideoOptions, output: Path = OUTPUT) -> int:
    """Make and download a video, print its path or the API's error, and return the exit status."""
    try:
        if not _confirm(api.estimate(options.body())):
            print("Canceled. Nothing was created or charged.")
            return 1
        started = time.monotonic()
        video = api.create(options.body())
        print(f"Video {video['id']} is accepted: {api.base_url}/v1/videos/{video['id']}")
        with _display(options.scenes) as show:
            video = _follow(api, video, show, options.scenes)
        if video["status"] != "succeeded":
            print(_failed(video), file=sys.stderr)
            return 1
        seconds = time.monotonic() - started
        link = api.download_link(video["id"])
        path = output / f"{_file_name(video)}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        api.download(link, path)
    except api_client.ApiError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except requests.RequestException as error:
        print(f"error: the API could not be reached: {error}", file=sys.stderr)
        return 1
    facts = check_video(
        path,
        size_bytes=link["size_bytes"],
        sha256=link["sha256"],
        duration_seconds=(video.get("output") or {}).get("duration_seconds"),
    )
    print(f"\nYour video: {path}")
    print(f"Length:     {facts.duration_seconds:.2f} s, {facts.frames} frames, all decoded")
    print(f"Size:       {facts.size_bytes / 1e6:.2f} MB, SHA-256 verified")
    for kind, origin in (video.get("models") or {}).items():
        print(f"{kind.capitalize() + ':':<11} {origin['label']}")
    print(f"Cost:       {cost_line(video)}")
    print(f"Made in:    {seconds:.1f} s\n\nWith curl:")
    for line in curl_lines(api.base_url, api.key, options.printable_body(), video["id"]):
        print(f"  {line}")
    return 0


def cost_line(video: Mapping[str, Any]) -> str:
    """Return the cost of the video; if it was free, also the price at paid providers."""
    cost = video.get("cost") or {}
    actual, currency = cost.get("actual") or "0.00", cost.get("currency", "USD")
    if float(actual):
        return f"{actual} {currency} (estimated: {cost.get('estimated', '?')})"
    line = f"{actual} {currency}"
    equivalent = cost.get("equivalent")
    if equivalent:
        models = ", ".join(equivalent.get("models", []))
        amount = f"{equivalent['amount']} {equivalent.get('currency', 'USD')}"
        line += (
            f" (with {models}: about {amount})"
            if models
            else f" (about {amount} at paid providers)"
        )
    return line


def _confirm(estimate: Mapping[str, Any]) -> bool:
    """Print the estimated cost of a paid video; on a terminal, ask for confirmation."""
    if not float(estimate["total"]):
        return True
    scenes = estimate["scenes"]
    images, clips = (sum(float(scene[kind]) for scene in scenes) for kind in ("image", "clip"))
    print(f"Estimated cost at list prices: {estimate['total']} {estimate['currency']}")
    print(f"  story {estimate['story']}, images {images:.4f}, clips {clips:.4f}")
    print(f"  models: {', '.join(origin['label'] for origin in estimate['models'].values())}")
    if not sys.stdin.isatty():
        return True
    return input("Continue? [y/N] ").strip().lower() in ("y", "yes")


def curl_lines(base_url: str, key: str, body: str, video_id: str) -> list[str]:
    """Return curl commands that create, read and download a video."""
    header = f"-H 'Authorization: Bearer {key}'"
    video = f"{base_url}/v1/videos/{video_id}"
    send = f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return [
        f"curl {header} {send} {base_url}/v1/videos",
        f"curl {header} {video}",
        f"curl {header} {video}/download",
    ]


def _follow(api: Api, video: dict[str, Any], show: Show, scenes: int) -> dict[str, Any]:
    timeout = TIMEOUT_SECONDS + scenes * TIMEOUT_SECONDS_PER_SCENE
    deadline = time.monotonic() + timeout
    while video["status"] in ("queued", "running"):
        if time.monotonic() > deadline:
            raise LocalCloudError(
                f"The video {video['id']} is still {video['status']} after "
                f"{timeout / 60:.0f} minutes. The run continues; check the video again later."
            )
        show(video)
        video, pause = api.read(video["id"])
        if video["status"] in ("queued", "running"):
            time.sleep(pause)
    show(video)
    return video


def _failed(video: Mapping[str, Any]) -> str:
    error = video.get("error") or {}
    scene = f", scene {error['scene']}" if error.get("scene") is not None else ""
    return (
        f"error: the video failed at stage {error.get('stage', '?')}{scene}: "
        f"{error.get('detail', 'no reason was given')} [{error.get('code', '?')}]"
    )


def _file_name(video: Mapping[str, Any]) -> str:
    words = re.findall(r"[a-z0-9]+", str(video.get("title") or "").lower())
    return "-".join(words)[:80].strip("-") or str(video["id"])


def _scenes_done(video: Mapping[str, Any]) -> int:
    return sum(scene.get("status") == "succeeded" for scene in video.get("scenes") or [])


def _waiting(video: Mapping[str, Any]) -> str:
    waiting = video.get("waiting")
    return f"; {waiting['stage']} waits: {waiting['detail']}" if waiting else ""


@contextmanager
def _display(scenes: int) -> Iterator[Show]:
    """Yield a function that shows a video's progress: a bar on a terminal, otherwise lines."""
    if not sys.stdout.isatty():
        yield _plain_lines(scenes)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[clips]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console()) as progress:
        task = progress.add_task("queued", total=100, clips="")

        def show(video: Mapping[str, Any]) -> None:
            total = len(video.get("scenes") or []) or scenes
            progress.update(
                task,
                description=str(video.get("stage") or video["status"]),
                completed=float(video.get("progress") or 0),
                clips=f"{_scenes_done(video)} of {total} scenes{_waiting(video)}",
            )

        yield show


def _plain_lines(scenes: int) -> Show:
    started, last = time.monotonic(), ""

    def show(video: Mapping[str, Any]) -> None:
        nonlocal last
        total = len(video.get("scenes") or []) or scenes
        stage = video.get("stage") or video["status"]
        done = f"{_scenes_done(video)} of {total} scenes, {video.get('progress') or 0} %"
        line = f"{stage}, {done}{_waiting(video)}"
        if line != last:
            print(f"[{time.monotonic() - started:6.1f} s] {line}", flush=True)
            last = line

    return show
