"""Clips shared by many tests."""

from pathlib import Path

import pytest

from tests.media import coded

SCENES = 3


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Matching clips of the scenes 1, 2 and 3: 1.5 s, 320 x 180, with audio."""
    folder = tmp_path_factory.mktemp("plain")
    return {scene: coded.clip(folder, scene) for scene in range(1, SCENES + 1)}
