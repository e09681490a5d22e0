"""The lanes that the cases of this tier are spread over."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import World, world


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A running world."""
    root = tmp_path_factory.mktemp("faults")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o755)  # PostgreSQL does not run as root; pytest's folders are private
    with world(Path(root)) as made:
        yield made
