"""Generated clients: a Python client makes a video and a TypeScript client is type-checked."""

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
TIMEOUT_SECONDS = 120  # seconds


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The package name of a Python client, generated without warnings."""
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
        [*command, *files], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield "generated_client"
    sys.path.remove(str(folder))
    for name in [name for name in sys.modules if name.startswith("generated_client")]:
        del sys.modules[name]


class Generated:
    """A generated client with an API key."""

    def __init__(self, package: str, client: Client) -> None:
        self.package = package
        self.models = importlib.import_module(f"{package}.models")
        self.client = importlib.import_module(package).AuthenticatedClient(
            base_url=client.base_url, token=client.key, timeout=httpx.Timeout(60)
        )

    def call(self, method: str, path: str, *arguments: Any, **options: Any) -> Any:
        """Call an operation; return the parsed response."""
        operation = DOCUMENT["paths"][path][method]
        name = snake_case(operation["operationId"])
        tag = snake_case(operation["tags"][0])
        module = importlib.import_module(f"{self.package}.api.{tag}.{name}")
        response = module.sync_detailed(*arguments, client=self.client, **options)
        assert response.status_code < 300, response.content
        return response.parsed


@pytest.fixture
def generated(package: str, alice: Client) -> Iterator[Generated]:
    client = Generated(package, alice)
    yield client
    client.client.get_httpx_client().close()


def test_generated_python_client_makes_video(generated: Generated) -> None:
    models = generated.models
    ratio = models.CreateVideoRequestRatio("960:960")
    body = models.CreateVideoRequest(prompt="A paper boat", scenes=1, seconds=2, ratio=ratio)
    video = generated.call("post", "/v1/videos", body=body)
    deadline = time.monotonic() + 120
    while video.status not in ("succeeded", "failed") and time.monotonic() < deadline:
        video = generated.call("get", "/v1/videos/{video_id}", video.id, prefer="wait=20")
    assert video.status == "succeeded"
    assert video.output.url
    download = generated.call("get", "/v1/videos/{video_id}/download", video.id)
    # The signed link redirects to S3.
    data = httpx.get(download.url, timeout=60, follow_redirects=True).content
    assert (data[4:8], len(data)) == (b"ftyp", download.size_bytes)
    assert video.id in [listed.id for listed in generated.call("get", "/v1/videos").data]


def test_generated_python_client_cancels_and_resumes_without_body(generated: Generated) -> None:
    body = generated.models.CreateVideoRequest(prompt="Stopped", scenes=12, seconds=4)
    video = generated.call("post", "/v1/videos", body=body)
    canceled = generated.call("post", "/v1/videos/{video_id}/cancel", video.id)
    assert canceled.video.status == "canceled"
    assert generated.call("post", "/v1/videos/{video_id}/resume", video.id).status == "queued"
    generated.call("post", "/v1/videos/{video_id}/cancel", video.id)


def test_generated_python_client_parses_legacy_responses(generated: Generated) -> None:
    body = generated.models.StoryRequest(prompt="A kite", frame_count=1)
    client = generated.call("post", "/api/generate_story", body=body)
    for _ in range(4):
        if isinstance(client, generated.models.GeneratedStory):
            break
        client = generated.call("get", "/api/runs/{run_id}", client.run_id, prefer="wait=20")
    assert client.success is True
    assert len(client.story.scenes) == 1


@pytest.fixture(scope="module")
def modules() -> Path:
    """The folder of the npm packages of the lock file."""
    return node.install(TYPESCRIPT) / "node_modules"


def test_generated_typescript_client_type_checks(modules: Path, tmp_path: Path) -> None:
    shutil.copy(TYPESCRIPT / "client.ts", tmp_path)
    node.run(
        modules / "openapi-typescript" / "bin" / "cli.js",
        PROJECT / "docs" / "openapi.json",
        # Without --default-non-nullable, a field with a default value must be sent.
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
