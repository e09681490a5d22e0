"""The deployed stack: the local cloud, started once for all tests of this tier.

Tests that are marked `deployed` also run on a stage in AWS (`make verify`), whose API is the only
way in: there is no look behind it, and what they made is removed at the end.
"""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.local.cloud import Cloud, running_cloud
from infra.local.connection import Connection
from infra.operator import keys
from tests.e2e.client import RUNNING, SEEN, Backstage, Client
from tests.e2e.stage import Stage
from tests.support.answers import OPERATIONS

STAGE = Stage.from_environment()


@pytest.fixture(scope="session", autouse=True)
def every_operation_answers_well(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """After the whole tier: each operation did what it is for, once at least.

    Of several processes that share the tests, the last to end looks at what all have seen.
    """
    yield
    here, count = Path(__file__).parent, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ran = {item.path for item in request.session.items if item.path.parent == here}
    if ran != {*here.glob("test_*.py")}:
        return
    base = tmp_path_factory.getbasetemp()
    shared = base if count == 1 else base.parent
    good = [[method, path] for method, path, status in SEEN if status < 400]
    (shared / f"good-{os.getpid()}.json").write_text(json.dumps(good))
    told = [json.loads(file.read_text()) for file in shared.glob("good-*.json")]
    if len(told) == count:
        used = {(method, path) for each in told for method, path in each}
        never = sorted({(one.method, one.path) for one in OPERATIONS} - used)
        assert not never, f"documented, and not used in any test of this tier: {never}"


@pytest.fixture(scope="session")
def cloud(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    """The local cloud with the stack."""
    if RUNNING in request.config.stash:
        yield request.config.stash[RUNNING]
        return
    if STAGE is not None:
        pytest.fail("marked `deployed`, and looks behind the API, which no stage in AWS allows")
    root = tmp_path_factory.mktemp("cloud")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o755)  # PostgreSQL does not run as root; pytest's folders are private
    with running_cloud(Path(root)) as running:
        yield running


@pytest.fixture(scope="session")
def link(cloud: Cloud) -> Connection:
    """How to reach the deployed stack."""
    return cloud.connection


@pytest.fixture(scope="session")
def base_url(request: pytest.FixtureRequest) -> str:
    """Where the deployed API answers."""
    if STAGE is not None:
        return STAGE.base_url
    link: Connection = request.getfixturevalue("link")
    return link.base_url


@pytest.fixture(scope="session")
def as_user(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Client]]:
    """Make a client with a new key of that user."""
    if STAGE is not None:
        yield STAGE.client
        STAGE.leave_nothing_behind()
        return
    link: Connection = request.getfixturevalue("link")

    def client(user_id: str) -> Client:
        # Limits that no test meets by accident; those of limits mint keys of their own.
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
def backstage(link: Connection) -> Backstage:
    """A look behind the API."""
    return Backstage(link)
