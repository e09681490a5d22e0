"""The small stack on a local cloud of its own, and an emulator without any patch."""

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

psutil: Any = importlib.import_module("psutil")  # carries no types


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the developer's machine has no part in calls to loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State directory of `small`."""
    return tmp_path_factory.mktemp("small") / ".local"


@pytest.fixture(scope="session")
def small(root: Path) -> Iterator[Connection]:
    """The small stack, deployed by everything that `make up` uses."""
    with running_cloud(root, build=small_stack.build) as cloud:
        yield cloud.connection


@pytest.fixture(scope="session")
def stock_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """State directory of `stock`."""
    return tmp_path_factory.mktemp("stock") / ".local"


@pytest.fixture(scope="session")
def stock(stock_root: Path) -> Iterator[Connection]:
    """MiniStack as it comes, with the same settings."""
    state = State.open(stock_root)
    emulator = Emulator(state, patched=False)
    emulator.start("")
    try:
        yield Connection(emulator.url, emulator.access_key_id, emulator.secret_access_key)
    finally:
        emulator.stop()


def invoke(link: Connection, event: dict[str, Any], name: str | None = None) -> Any:
    """Call the small stack's function; its answer, or its error object."""
    answer = link.client("lambda").invoke(
        FunctionName=name or link.outputs["LookName"], Payload=json.dumps(event)
    )
    return json.loads(answer["Payload"].read())


def belongs(process: Any, root: Path) -> bool:
    """Whether a process, iterated with `cmdline` and `environ`, works in this state directory."""
    facts = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
    return any(str(root) in fact for fact in facts)
