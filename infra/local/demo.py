"""A client of the deployed API: one request, live progress, the finished file on this disk.

It knows nothing of the local cloud but a base URL and a key, as any client would.
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
# Providers that are paid take minutes for a clip, and few at a time.
TIMEOUT_SECONDS, TIMEOUT_SECONDS_PER_SCENE = 30 * 60.0, 3 * 60.0
# Longer than API Gateway waits for a function (29 s), twice: its answer comes first, and both
# functions start cold.
MINT_SECONDS = 60.0
KEY_FILE = "key"
Show = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Order:
    """What to ask for; None leaves the choice to the API."""

    prompt: str = DEFAULT_PROMPT
    scenes: int = 6
    seconds: int = 5
    ratio: str = "1280:720"
    style: str | None = None
    mood: str | None = None
    image: Path | None = None
    max_cost: str | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "Order":
        """Read PROMPT, SCENES, SECONDS, RATIO, STYLE, MOOD, IMAGE and MAX_COST.

        What is empty counts as unset.
        """

        def text(name: str) -> str | None:
            return environment.get(name, "").strip() or None

        def whole(name: str, default: int) -> int:
            value = text(name)
            if value is None:
                return default
            if not value.isdigit():
                raise LocalCloudError(f"{name} must be a whole number, not {value!r}.")
            return int(value)

        image = text("IMAGE")
        if image is not None and not Path(image).is_file():
            raise LocalCloudError(f"IMAGE: there is no file {image}.")
        return cls(
            prompt=text("PROMPT") or DEFAULT_PROMPT,
            scenes=whole("SCENES", 6),
            seconds=whole("SECONDS", 5),
            ratio=text("RATIO") or "1280:720",
            style=text("STYLE"),
            mood=text("MOOD"),
            image=Path(image) if image else None,
            max_cost=text("MAX_COST"),
        )

    def body(self) -> dict[str, Any]:
        """The JSON of `POST /v1/videos`."""
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

    def shown_body(self) -> str:
        """The same as text for a terminal, with a long picture cut short."""
        body = self.body()
        if "image" in body:
            body["image"] = f"{body['image'][:40]}..."
        return json.dumps(body)


def mint_key(link: Connection, directory: Path, timeout: float = MINT_SECONDS) -> str | None:
    """Return a new API key of the local cloud, else the last one that was kept, else None.

    The key is kept in `directory`, the clone's state: it stays valid across restarts. A failure to
    mint is printed as a warning, because the cloud and the runs in it need no new key.
    """
    kept = directory / KEY_FILE
    try:
        key = keys.mint_key(link, "demo", timeout=timeout)
    except keys.MintError as error:
        last = kept.read_text() if kept.exists() else None
        advice = "The last key is used instead." if last else "`make key` tries again."
        print(f"Warning: {error} {advice}", file=sys.stderr, flush=True)
        return last
    write_atomically(kept, key)
    return key


def make_video(api: Api, order: Order, output: Path = OUTPUT) -> int:
    """One video through `api`; 0 and the file's path, or 1 and what the API said was wrong."""
    try:
        if not _agreed(api.estimate(order.body())):
            print("Nothing was made and nothing was spent.")
            return 1
        started = time.monotonic()
        video = api.create(order.body())
        print(f"Video {video['id']} is accepted: {api.base_url}/v1/videos/{video['id']}")
        with _display(order.scenes) as show:
            video = _follow(api, video, show, order.scenes)
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
    print(f"Size:       {facts.size_bytes / 1e6:.2f} MB, SHA-256 as the API said")
    for kind, origin in (video.get("models") or {}).items():
        print(f"{kind.capitalize() + ':':<11} {origin['label']}")
    print(f"Cost:       {cost_line(video)}")
    print(f"Made in:    {seconds:.1f} s\n\nThe same with curl:")
    for line in curl_lines(api.base_url, api.key, order.shown_body(), video["id"]):
        print(f"  {line}")
    return 0


def cost_line(video: Mapping[str, Any]) -> str:
    """What the video cost; of one that cost nothing, what real providers would have charged."""
    cost = video.get("cost") or {}
    actual, currency = cost.get("actual") or "0.00", cost.get("currency", "USD")
    if float(actual):
        return f"{actual} {currency} (estimated: {cost.get('estimated', '?')})"
    line = f"{actual} {currency}"
    equivalent = cost.get("equivalent")
    if equivalent:
        models = ", ".join(equivalent.get("models", []))
        amount = f"{equivalent['amount']} {equivalent.get('currency', 'USD')}"
        line += f" (with {models}: about {amount})" if models else f" (else about {amount})"
    return line


def _agreed(estimate: Mapping[str, Any]) -> bool:
    """Say what the video will cost, before it does; ask, where there is somebody to ask."""
    if not float(estimate["total"]):
        return True
    scenes = estimate["scenes"]
    pictures, clips = (sum(float(scene[kind]) for scene in scenes) for kind in ("image", "clip"))
    print(f"This will cost about {estimate['total']} {estimate['currency']} at list prices:")
    print(f"  story {estimate['story']}, pictures {pictures:.4f}, clips {clips:.4f}")
    print(f"  by {', '.join(origin['label'] for origin in estimate['models'].values())}")
    if not sys.stdin.isatty():
        return True
    return input("Go on? [y/N] ").strip().lower() in ("y", "yes")


def curl_lines(base_url: str, key: str, body: str, video_id: str) -> list[str]:
    """Create, read and download, ready to paste into a shell."""
    header = f"-H 'Authorization: Bearer {key}'"
    video = f"{base_url}/v1/videos/{video_id}"
    send = f"-H 'Content-Type: application/json' -d {shlex.quote(body)}"
    return [
        f"curl {header} {send} {base_url}/v1/videos",
        f"curl {header} {video}",
        f"curl {header} {video}/download",
    ]


def _follow(api: Api, video: dict[str, Any], show: Show, scenes: int) -> dict[str, Any]:
    patience = TIMEOUT_SECONDS + scenes * TIMEOUT_SECONDS_PER_SCENE
    deadline = time.monotonic() + patience
    while video["status"] in ("queued", "running"):
        if time.monotonic() > deadline:
            raise LocalCloudError(
                f"The video {video['id']} is still {video['status']} after "
                f"{patience / 60:.0f} minutes. It goes on; ask for it again later."
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
    """Shows a video object: a live bar on a terminal, one line per change elsewhere."""
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
