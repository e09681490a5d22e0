"""Orchestration: how close a run comes to the time that its providers alone would take.

The deployed local stack gets providers of fixed latency (`timed.py`). The ideal is the critical
path: the story, the anchor picture, then a picture and a clip, with all scenes side by side. The
other way is one step after the other, and a merge that plays the video in real time.
"""

import io
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra import function_sources
from infra.local.cloud import running_cloud
from infra.local.connection import Connection
from infra.operator import keys
from tests.benchmarks import timed
from tests.benchmarks.report import table
from tests.e2e.client import Client

SCENES, SECONDS, GOAL = 6, 5, 1.25
LATENCY, SHORT = timed.Latency(2, 5, 20), timed.Latency(0.1, 0.1, 1)
_FUNCTIONS = ("api", "story", "image", "clip", "finish")


def main() -> None:
    """Print the run's time against the ideal, and against one step after the other."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running_cloud(Path(folder) / "cloud", report=lambda _: None) as cloud:
            measure_on(cloud.connection)


def measure_on(link: Connection, *, smallest: bool = False) -> None:
    """The same of a stack that is deployed already; it is left as it was."""
    count, latency = (1, SHORT) if smallest else (SCENES, LATENCY)
    with _timed_providers(link, latency):
        client = Client(link.base_url, keys.mint_key(link, "bench", per_minute=6000))
        if not smallest:
            client.wait(_create(client, scenes=1), seconds=200)  # warm functions, as in use
        started = time.perf_counter()
        video = client.wait(_create(client, scenes=count), seconds=300)
        took = time.perf_counter() - started
    if video["status"] != "succeeded":
        raise RuntimeError(f"the run failed: {video['error']}")
    ideal = latency.story + latency.image * min(count, 2) + latency.clip
    in_turn = latency.story + count * (latency.image + latency.clip + SECONDS)
    table(
        f"Orchestration: {count} scenes, story {latency.story:g} s, "
        f"picture {latency.image:g} s, clip {latency.clip} s",
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


@contextmanager
def _timed_providers(link: Connection, latency: timed.Latency) -> Iterator[None]:
    """Add the timed providers to the deployed functions, choose them, and take them away again."""
    client = link.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    deployed = {
        variables["POWERTOOLS_SERVICE_NAME"]: (entry["FunctionName"], variables)
        for page in pages
        for entry in page["Functions"]
        if "POWERTOOLS_SERVICE_NAME" in (variables := _variables(entry))
    }
    chosen = {f"{kind}_PROVIDER": "timed" for kind in ("TEXT", "IMAGE", "VIDEO")}

    def update(latency: timed.Latency | None, chosen: Mapping[str, str]) -> None:
        for name in _FUNCTIONS:
            function, variables = deployed[name]
            client.update_function_code(FunctionName=function, ZipFile=_code(name, latency))
            client.update_function_configuration(
                FunctionName=function,
                Environment={"Variables": {**variables, **(chosen if name == "api" else {})}},
            )

    update(latency, chosen)
    try:
        yield
    finally:
        update(None, {})


def _variables(function: Mapping[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = function.get("Environment", {}).get("Variables", {})
    return variables


def _code(name: str, latency: timed.Latency | None) -> bytes:
    """Zip the function's sources, with the timed providers if there are any."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path in function_sources.files(name):
            target = path.relative_to(function_sources.FUNCTIONS).as_posix()
            content = path.read_bytes()
            if latency and target == "common/domain/models.toml":
                content += timed.MODELS.encode()
            archive.writestr(target, content)
        for kind, source in (latency.modules() if latency else {}).items():
            archive.writestr(f"common/providers/{kind}/timed.py", source)
    return out.getvalue()
