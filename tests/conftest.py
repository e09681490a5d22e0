"""Fixtures of every tier: a clean environment, and the pinned ffmpeg on PATH."""

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
    """Take away what the developer's machine says about clouds and providers."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "OPENAI_", "RUNWAY", "POWERTOOLS_", "LAMBDA_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "test")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "test")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How many cases `make fuzz` sends; without it every run sends the same few."""
    parser.addoption("--fuzz", type=int, default=None, metavar="CASES")


@pytest.fixture(scope="session")
def fuzz_cases(pytestconfig: pytest.Config) -> int | None:
    """How many requests to make up anew in all; None for the same few as always."""
    cases: int | None = pytestconfig.getoption("--fuzz")
    return cases


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the program `ffmpeg` of the ffmpeg layer."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "ffmpeg").symlink_to(imageio_ffmpeg.get_ffmpeg_exe())
    return folder
