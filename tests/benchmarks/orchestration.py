"""Orchestration: how close a run comes to the time that its providers alone would take.

The deployed local stack gets providers of fixed latency (`timed.py`). The ideal is the critical
path: the story, the anchor picture, then a picture and a clip, with all scenes side by side. The
other way is one step after the other, and a merge that plays the video in real time.
"""

import io
import tempfile
import time
import zipfile
from pathlib import Path

from infra import keys
from infra.local.cloud import running_cloud
from infra.local.connection import Connection
from infra.local.state import PROJECT
from tests.benchmarks import timed
from tests.benchmarks.report import table
from tests.e2e.client import Client

SCENES, SECONDS, GOAL = 6, 5, 1.25
_FUNCTIONS = ("api", "story", "image", "clip", "finish")


def main() -> None:
    """Print the run's time against the ideal, and against one step after the other."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running_cloud(Path(folder) / "cloud", report=lambda _: None) as cloud:
            _install(cloud.connection)
            client = Client(
                cloud.connection.base_url, keys.mint_key(cloud.connection, "bench", per_minute=6000)
            )
            client.wait(_create(client, scenes=1), seconds=200)  # warm functions, as in use
            started = time.perf_counter()
            video = client.wait(_create(client, scenes=SCENES), seconds=300)
            took = time.perf_counter() - started
    if video["status"] != "succeeded":
        raise RuntimeError(f"the run failed: {video['error']}")
    ideal = timed.STORY_SECONDS + timed.IMAGE_SECONDS * 2 + timed.CLIP_SECONDS
    in_turn = (
        timed.STORY_SECONDS + SCENES * (timed.IMAGE_SECONDS + timed.CLIP_SECONDS) + SCENES * SECONDS
    )
    table(
        f"Orchestration: {SCENES} scenes, story {timed.STORY_SECONDS:.0f} s, "
        f"picture {timed.IMAGE_SECONDS:.0f} s, clip {timed.CLIP_SECONDS:.0f} s",
        ["", "seconds", "run / this", "goal"],
        [
            ["run", f"{took:.1f}", "", ""],
            ["critical path", f"{ideal:.1f}", f"{took / ideal:.2f}", f"<= {GOAL}"],
            ["one after the other", f"{in_turn:.1f}", f"{took / in_turn:.2f}", ""],
        ],
    )
    print(f"  {in_turn / took:.1f} times faster than one step after the other")


def _create(client: Client, scenes: int) -> str:
    video_id: str = client.create(prompt="A benchmark", scenes=scenes, seconds=SECONDS)["id"]
    return video_id


def _install(link: Connection) -> None:
    """Add the timed providers to the deployed functions and choose them."""
    client = link.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    for found in (entry for page in pages for entry in page["Functions"]):
        variables = found.get("Environment", {}).get("Variables", {})
        name = variables.get("POWERTOOLS_SERVICE_NAME")
        if name not in _FUNCTIONS:
            continue
        chosen = {f"{kind}_PROVIDER": "timed" for kind in ("TEXT", "IMAGE", "VIDEO")}
        client.update_function_code(FunctionName=found["FunctionName"], ZipFile=_code(name))
        client.update_function_configuration(
            FunctionName=found["FunctionName"],
            Environment={"Variables": {**variables, **(chosen if name == "api" else {})}},
        )


def _code(name: str) -> bytes:
    """Zip the function's folder and `common`, with the timed providers."""
    out = io.BytesIO()
    root = PROJECT / "functions"
    with zipfile.ZipFile(out, "w") as archive:
        for folder in (root / name, root / "common"):
            for path in folder.rglob("*"):
                if path.is_file() and "__pycache__" not in path.parts:
                    place = path.relative_to(root).as_posix()
                    text = path.read_bytes()
                    if place == "common/providers/models.toml":
                        text += timed.MODELS.encode()
                    archive.writestr(place, text)
        for kind, source in (("text", timed.TEXT), ("image", timed.IMAGE), ("video", timed.VIDEO)):
            archive.writestr(f"common/providers/{kind}/timed.py", source)
    return out.getvalue()
