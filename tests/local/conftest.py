"""Fixtures: a small stack on its own local cloud, and an unpatched emulator."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.cloud import running_cloud
from infra.local.connection import Connection
from infra.local.emulator import Emulator
from infra.local.state import State
from tests.local import small_stack

psutil: Any = importlib.import_module("psutil")  # untyped


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exclude loopback from the proxy settings of the developer's machine."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of `small`."""
    return tmp_path_factory.mktemp("small") / ".local"


@pytest.fixture(scope="session")
def small(root: Path) -> Iterator[Connection]:
    """The small stack, deployed by the code of `make up`."""
    with running_cloud(root, build=small_stack.build) as cloud:
        yield cloud.connection


@pytest.fixture(scope="session")
def stock_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state directory of `stock`."""
    return tmp_path_factory.mktemp("stock") / ".local"


@pytest.fixture(scope="session")
def stock(stock_root: Path) -> Iterator[Connection]:
    """An unpatched MiniStack with the same settings."""
    state = State.open(stock_root)
    emulator = Emulator(state, patched=False)
    emulator.start("")
    try:
        yield Connection(emulator.url, emulator.access_key_id, emulator.secret_access_key)
    finally:
        emulator.stop()


def invoke(link: Connection, event: dict[str, Any], name: str | None = None) -> Any:
    """Invoke the small stack's function; return its result or its error object."""
    response = link.client("lambda").invoke(
        FunctionName=name or link.outputs["LookName"], Payload=json.dumps(event)
    )
    return json.loads(response["Payload"].read())


def belongs(process: Any, root: Path) -> bool:
    """Return whether a process (with `cmdline` and `environ`) uses this state directory."""
    strings = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
    return any(str(root) in text for text in strings)
