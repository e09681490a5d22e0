"""A paid video under a cap, by the real vendors (`make verify PAID=1`) or by stand-ins."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest
import requests

from common.media import ffmpeg
from tests.e2e.client import Client
from tests.e2e.conftest import STAGE
from tests.e2e.vendors import PAID, serve

_CAP = "0.50"


@pytest.fixture
def payer(
    request: pytest.FixtureRequest, as_user: Callable[[str], Client], tmp_path: Path
) -> Iterator[tuple[Client, str]]:
    """A client with paid providers, and the cap of a video in US dollars."""
    if STAGE is None:
        link, stack = (request.getfixturevalue(name) for name in ("link", "stack"))
        with serve(link, stack, tmp_path):
            yield as_user("payer-of-one"), _CAP
    elif STAGE.max_cost is None:
        pytest.skip("costs money: make verify PAID=1 MAX_COST=0.50")
    else:
        cap = STAGE.max_cost
        yield STAGE.client("payer", test=False, dailyCapUsd=cap), cap


@pytest.mark.deployed
def test_paid_video_costs_less_than_cap(payer: tuple[Client, str], tmp_path: Path) -> None:
    client, cap = payer
    request = {"prompt": "A paper boat in the rain", "scenes": 1, "seconds": 2, "models": PAID}
    accepted = client.create(**request, max_cost=cap)
    video = client.wait(accepted["id"], seconds=1800)
    assert video["status"] == "succeeded", video["error"]
    assert 0 < Decimal(video["cost"]["actual"]) <= Decimal(cap)
    assert "offline" not in video["models"]["video"]["label"].lower()
    path = tmp_path / "paid.mp4"
    path.write_bytes(requests.get(video["output"]["url"], timeout=120).content)
    assert ffmpeg.decode(path).seconds == pytest.approx(2, abs=0.2)
