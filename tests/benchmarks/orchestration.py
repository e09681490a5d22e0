"""Orchestration: the time of a run compared with the time of its providers alone.

The deployed local stack gets providers with fixed latency (`timed.py`). The ideal is the critical
path: the story, the first image, then an image and a clip, with all scenes in parallel. The
alternative is sequential steps, and a merge in real time.
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
    """Print the run's time relative to the ideal and to sequential steps."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        with running_cloud(Path(folder) / "cloud", report=lambda _: None) as cloud:
            measure_on(cloud.connection)


def measure_on(link: Connection, *, smallest: bool = False) -> None:
    """Measure on a deployed stack; restore it afterwards."""
    count, latency = (1, SHORT) if smallest else (SCENES, LATENCY)
    with _timed_providers(link, latency):
        client = Client(link.base_url, keys.mint_key(link, "bench", per_minute=6000))
        if not smallest:
            client.wait(_create(client, scenes=1), seconds=200)  # warm up the functions
        started = time.perf_counter()
        video = client.wait(_create(client, scenes=count), seconds=300)
        elapsed = time.perf_counter() - started
    if video["status"] != "succeeded":
        raise RuntimeError(f"the run failed: {video['error']}")
    ideal = latency.story + latency.image * min(count, 2) + latency.clip
    sequential = latency.story + count * (latency.image + latency.clip + SECONDS)
    table(
        f"Orchestration: {count} scenes, story {latency.story:g} s, "
        f"picture {latency.image:g} s, clip {latency.clip} s",
        ["", "seconds", "run / this", "goal"],
        [
            ["run", f"{elapsed:.1f}", "", ""],
            ["critical path", f"{ideal:.1f}", f"{elapsed / ideal:.2f}", f"<= {GOAL}"],
            ["sequential steps", f"{sequential:.1f}", f"{elapsed / sequential:.2f}", ""],
        ],
    )
    print(f"  {sequential / elapsed:.1f} times faster than sequential steps")


def _create(client: Client, scenes: int) -> str:
    video_id: str = client.create(prompt="A benchmark", scenes=scenes, seconds=SECONDS)["id"]
    return video_id


@contextmanager
def _timed_providers(link: Connection, latency: timed.Latency) -> Iterator[None]:
    """Install and select the timed providers in the deployed functions; undo it at the end."""
    client = link.client("lambda")
    pages = client.get_paginator("list_functions").paginate()
    deployed = {
        variables["POWERTOOLS_SERVICE_NAME"]: (entry["FunctionName"], variables)
        for page in pages
        for entry in page["Functions"]
        if "POWERTOOLS_SERVICE_NAME" in (variables := _variables(entry))
    }
    selection = {f"{kind}_PROVIDER": "timed" for kind in ("TEXT", "IMAGE", "VIDEO")}

    def update(latency: timed.Latency | None, selection: Mapping[str, str]) -> None:
        for name in _FUNCTIONS:
            function, variables = deployed[name]
            client.update_function_code(FunctionName=function, ZipFile=_code(name, latency))
            client.update_function_configuration(
                FunctionName=function,
                Environment={"Variables": {**variables, **(selection if name == "api" else {})}},
            )

    update(latency, selection)
    try:
        yield
    finally:
        update(None, {})


def _variables(function: Mapping[str, Any]) -> dict[str, str]:
    variables: dict[str, str] = function.get("Environment", {}).get("Variables", {})
    return variables


def _code(name: str, latency: timed.Latency | None) -> bytes:
    """Zip the function's sources, with the timed providers if `latency` is given."""
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
