"""Fixtures of every tier: a clean environment and the pinned ffmpeg on PATH."""

import os
from pathlib import Path

import imageio_ffmpeg
import pytest

# Powertools reads its settings when it is imported, which the plugin does.
os.environ.setdefault("POWERTOOLS_TRACE_DISABLED", "true")
os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "test")
os.environ.setdefault("POWERTOOLS_METRICS_NAMESPACE", "test")
pytest_plugins = ["tests.support.fixtures"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tools: Path) -> None:
    """Remove the developer's cloud and provider settings from the environment."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "OPENAI_", "RUNWAY", "POWERTOOLS_", "LAMBDA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "test")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--fuzz CASES`, the number of random requests; by default each run sends the same few."""
    parser.addoption("--fuzz", type=int, default=None, metavar="CASES")


@pytest.fixture(scope="session")
def fuzz_cases(pytestconfig: pytest.Config) -> int | None:
    """Return the number of random requests; None for the fixed few."""
    cases: int | None = pytestconfig.getoption("--fuzz")
    return cases


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the `ffmpeg` program of the layer."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return folder
