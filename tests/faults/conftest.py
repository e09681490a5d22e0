"""The lanes that run the cases of this tier."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import World, world


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The running environment."""
    root = tmp_path_factory.mktemp("faults")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o755)  # PostgreSQL does not run as root, and pytest's folders are private
    with world(Path(root)) as made:
        yield made
