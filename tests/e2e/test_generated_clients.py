"""Clients that generators make of the OpenAPI document: one makes a video, one is type-checked."""

import importlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openapi_python_client.strings import snake_case

from tests.e2e.client import Client
from tests.support import node
from tests.support.answers import DOCUMENT

PROJECT = Path(__file__).parents[2]
TYPESCRIPT = Path(__file__).parent / "generated"
DOWNLOADED = 120  # seconds


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Python client, generated without a single warning; the name of its package."""
    folder = tmp_path_factory.mktemp("python")
    (folder / "config.yaml").write_text("post_hooks: []\n")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    files = [
        "--path",
        str(PROJECT / "docs" / "openapi.json"),
        "--config",
        "config.yaml",
        "--output-path",
        "generated_client",
        "--fail-on-warning",
    ]
    done = subprocess.run(
        [*command, *files], cwd=folder, capture_output=True, text=True, timeout=DOWNLOADED
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield "generated_client"
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.startswith("generated_client")]:
        del sys.modules[name]


class Generated:
    """The generated client, with one key."""

    def __init__(self, package: str, client: Client) -> None:
        self.package = package
        self.models = importlib.import_module(f"{package}.models")
        self.client = importlib.import_module(package).AuthenticatedClient(
            base_url=client.base_url, token=client.key, timeout=httpx.Timeout(60)
        )

    def call(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        """Call an operation; return the parsed answer."""
        operation = DOCUMENT["paths"][path][method]
        name = snake_case(operation["operationId"])
        tag = snake_case(operation["tags"][0])
        module = importlib.import_module(f"{self.package}.api.{tag}.{name}")
        answer = module.sync_detailed(*arguments, client=self.client, **options)
        assert answer.status_code < 300, answer.content
        return answer.parsed


@pytest.fixture
def generated(package: str, alice: Client) -> Iterator[Generated]:
    made = Generated(package, alice)
    yield made
    made.client.get_httpx_client().close()


def test_a_generated_client_makes_a_video(generated: Generated) -> None:
    models = generated.models
    ratio = models.CreateVideoRatio("960:960")
    body = models.CreateVideoRequest(prompt="A paper boat", scenes=1, seconds=2, ratio=ratio)
    video = generated.call("post", "/v1/videos", body=body)
    deadline = time.monotonic() + 120
    while video.status not in ("succeeded", "failed") and time.monotonic() < deadline:
        video = generated.call("get", "/v1/videos/{video_id}", video.id, prefer="wait=20")
    assert video.status == "succeeded"
    assert video.output.url
    download = generated.call("get", "/v1/videos/{video_id}/download", video.id)
    # The link leads through the API to the store.
    data = httpx.get(download.url, timeout=60, follow_redirects=True).content
    assert (data[4:8], len(data)) == (b"ftyp", download.size_bytes)
    assert video.id in [one.id for one in generated.call("get", "/v1/videos").data]


def test_a_generated_client_cancels_and_resumes_without_a_body(generated: Generated) -> None:
    body = generated.models.CreateVideoRequest(prompt="Stopped", scenes=12, seconds=4)
    video = generated.call("post", "/v1/videos", body=body)
    canceled = generated.call("post", "/v1/videos/{video_id}/cancel", video.id)
    assert canceled.video.status == "canceled"
    assert generated.call("post", "/v1/videos/{video_id}/resume", video.id).status == "queued"
    generated.call("post", "/v1/videos/{video_id}/cancel", video.id)


def test_a_generated_client_reads_the_answers_of_the_first_version(generated: Generated) -> None:
    body = generated.models.StoryRequest(prompt="A kite", frame_count=1)
    made = generated.call("post", "/api/generate_story", body=body)
    for _ in range(4):
        if isinstance(made, generated.models.GeneratedStory):
            break
        made = generated.call("get", "/api/runs/{run_id}", made.run_id, prefer="wait=20")
    assert made.success is True
    assert len(made.story.scenes) == 1


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder of the locked npm packages."""
    return node.install(TYPESCRIPT) / "node_modules"


def test_the_types_of_a_typescript_client_fit(modules: Path, tmp_path: Path) -> None:
    shutil.copy(TYPESCRIPT / "client.ts", tmp_path)
    node.run(
        modules / "openapi-typescript" / "bin" / "cli.js",
        PROJECT / "docs" / "openapi.json",
        # By default a field with a default value must be sent.
        "--output",
        tmp_path / "api.ts",
        "--default-non-nullable",
        "false",
        cwd=tmp_path,
    )
    tsc = modules / "typescript" / "bin" / "tsc"
    options = (
        "--noEmit",
        "--strict",
        "--target",
        "es2022",
        "--module",
        "esnext",
        "--moduleResolution",
        "bundler",
    )
    node.run(tsc, *options, "client.ts", cwd=tmp_path)
