"""The deployed stack: the local cloud, started once for all tests of this tier."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra import keys
from infra.local.cloud import Cloud, running_cloud
from infra.local.connection import Connection
from tests.e2e.client import Backstage, Client


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The local cloud with the stack."""
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
def as_user(link: Connection) -> Callable[[str], Client]:
    """Make a client with a new key of that user."""

    def client(user_id: str) -> Client:
        # Limits that no test meets by accident; those of limits mint keys of their own.
        key = keys.mint_key(link, "test", user_id=user_id, per_minute=6000, maxConcurrentRuns=500)
        return Client(link.base_url, key)

    return client


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
