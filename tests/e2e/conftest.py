"""Fixtures of the deployed stack: a local cloud, started once for all tests of this tier.

Tests marked `deployed` also run on a stage in AWS (`make verify`). There they use only the API, and
everything they created is removed at the end.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.cloud import Cloud, running_cloud
from infra.local.connection import Connection
from infra.operator import keys
from tests.e2e.client import RECEIVED, RUNNING, Client, StackAccess
from tests.e2e.stage import Stage
from tests.support.answers import OPERATIONS

STAGE = Stage.from_environment()


@pytest.fixture(scope="session", autouse=True)
def _assert_every_operation_succeeds(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Assert after the whole tier that each documented operation succeeded at least once.

    With several test processes, the last one to end checks the responses of all.
    """
    yield
    folder, count = Path(__file__).parent, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ran = {item.path for item in request.session.items if item.path.parent == folder}
    if ran != {*folder.glob("test_*.py")}:
        return
    base = tmp_path_factory.getbasetemp()
    shared = base if count == 1 else base.parent
    succeeded = [[method, path] for method, path, status in RECEIVED if status < 400]
    (shared / f"good-{os.getpid()}.json").write_text(json.dumps(succeeded))
    reports = [json.loads(file.read_text()) for file in shared.glob("good-*.json")]
    if len(reports) == count:
        used = {(method, path) for report in reports for method, path in report}
        unused = sorted({(operation.method, operation.path) for operation in OPERATIONS} - used)
        assert not unused, f"documented operations that no test of this tier uses: {unused}"


@pytest.fixture(scope="session")
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """The local cloud with the deployed stack."""
    if RUNNING in request.config.stash:
        yield request.config.stash[RUNNING]
        return
    if STAGE is not None:
        pytest.fail("a test marked `deployed` must use only the API, and this one needs the stack")
    root = tmp_path_factory.mktemp("cloud")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o755)  # PostgreSQL does not run as root, and pytest's folders are private
    with running_cloud(Path(root)) as running:
        yield running


@pytest.fixture(scope="session")
def link(cloud: Cloud) -> Connection:
    """The connection to the deployed stack."""
    return cloud.connection


@pytest.fixture(scope="session")
def base_url(request: pytest.FixtureRequest) -> str:
    """The URL of the deployed API."""
    if STAGE is not None:
        return STAGE.base_url
    link: Connection = request.getfixturevalue("link")
    return link.base_url


@pytest.fixture(scope="session")
def as_user(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Client]]:
    """Return a function that creates a client with a new key of a user."""
    if STAGE is not None:
        yield STAGE.client
        STAGE.remove_everything()
        return
    link: Connection = request.getfixturevalue("link")

    def client(user_id: str) -> Client:
        # Limits that no test reaches by accident; tests of limits mint their own keys.
        key = keys.mint_key(link, "test", user_id=user_id, per_minute=6000, maxConcurrentRuns=500)
        return Client(link.base_url, key)

    yield client


@pytest.fixture(scope="session")
def alice(as_user: Callable[[str], Client]) -> Client:
    """A client of the user alice."""
    return as_user("alice")


@pytest.fixture(scope="session")
def operator(link: Connection) -> Client:
    """A client with the operator's key."""
    return Client(link.base_url, keys.operator_key(link))


@pytest.fixture(scope="session")
def stack(link: Connection) -> StackAccess:
    """Operator access to the stack."""
    return StackAccess(link)
