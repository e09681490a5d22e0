"""The real adapters on the deployed stack, against stand-ins that speak the vendors' wire."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from common.media import ffmpeg
from infra.local.connection import Connection
from tests.e2e.client import Backstage, Client
from tests.e2e.vendors import PAID, serve
from tests.stand_ins.process import StandIn


@pytest.fixture(scope="module")
def vendors(
    link: Connection, backstage: Backstage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[StandIn, StandIn]]:
    """Both vendors, called by the deployed stack."""
    with serve(link, backstage, Path(tmp_path_factory.mktemp("vendors"))) as both:
        yield both.openai, both.runway


def make(client: Client, **wish: Any) -> dict[str, Any]:
    accepted = client.create(
        **{"prompt": "A heron sails at dawn", "scenes": 2, "seconds": 2, "models": PAID, **wish}
    )
    return client.wait(accepted["id"])


def test_a_paid_video_costs_what_the_vendors_book_says(
    vendors: tuple[StandIn, StandIn],
    as_user: Callable[[str], Client],
    backstage: Backstage,
    tmp_path: Path,
) -> None:
    text, film = vendors
    client = as_user("payer")
    usable = {
        (m["kind"], m["provider"])
        for m in client.call("GET", "/v1/models").json()["data"]
        if m["usable"]
    }
    assert {("text", "openai"), ("image", "openai"), ("video", "runway")} <= usable

    video = make(client)
    assert video["status"] == "succeeded", video["error"]

    # The file is real: two clips of two seconds, every picture decoded.
    path = tmp_path / "final.mp4"
    path.write_bytes(requests.get(video["output"]["url"], timeout=60).content)
    facts = ffmpeg.decode(path)
    assert (facts.width, facts.height, facts.frames) == (1280, 720, 96)

    # One call for each step, in the vendors' own books and in our ledger.
    assert len(text.charges()) == 3
    assert len(film.charges()) == 2
    calls = backstage.rows(
        "SELECT state, units FROM provider_jobs WHERE session_id = %s", video["id"]
    )
    assert [call["state"] for call in calls] == ["succeeded"] * 5
    dollars = sum(float(charge.amount) for charge in text.charges())
    cents = sum(float(charge.amount) for charge in film.charges())  # a credit is a cent
    assert float(video["cost"]["actual"]) == pytest.approx(dollars + cents / 100, abs=0.0002)
    assert video["scenes"][0]["clip"]["cost"]["units"] == {"amount": "10", "unit": "credit"}
    assert (text.leaks(), film.leaks()) == ([], [])


def test_a_paid_narration_costs_what_the_vendors_book_says(
    vendors: tuple[StandIn, StandIn], as_user: Callable[[str], Client]
) -> None:
    text, _ = vendors
    before = len(text.charges())
    models = {**PAID, "speech": {"provider": "openai"}}
    video = make(as_user("teller"), models=models, scenes=1, seconds=5, output={"narration": {}})
    assert video["status"] == "succeeded", video["error"]
    assert len(text.charges()) - before == 3  # the story, the picture, the narration
    assert requests.get(video["scenes"][0]["narration"]["url"], timeout=60).status_code == 200


def test_no_credit_stops_the_run_and_resuming_pays_for_what_is_missing(
    vendors: tuple[StandIn, StandIn], as_user: Callable[[str], Client]
) -> None:
    text, film = vendors
    client = as_user("broke")
    pictures, clips = len(text.charges()), len(film.charges())
    film.fault("image_to_video", "no_credits", times=None)
    video = make(client)
    assert video["status"] == "failed"
    assert video["error"]["code"] == "provider.credits"
    assert video["error"]["billed"] is False
    film.clear()
    resumed = client.call("POST", video["links"]["resume"])
    assert resumed.status_code == 202
    ended = client.wait(video["id"])
    assert ended["status"] == "succeeded", ended["error"]
    # The story and both pictures of the first run were not bought again.
    assert len(text.charges()) - pictures == 3
    assert len(film.charges()) - clips == 2
    assert client.call("POST", video["links"]["resume"]).status_code == 409


def test_a_limit_below_the_estimate_is_refused(
    vendors: tuple[StandIn, StandIn], as_user: Callable[[str], Client]
) -> None:
    client = as_user("careful")
    wish = {"prompt": "x", "scenes": 2, "seconds": 2, "models": PAID}
    estimate = client.call("POST", "/v1/estimates", wish).json()
    assert float(estimate["total"]) == pytest.approx(0.23, abs=0.03)
    refused = client.call("POST", "/v1/videos", {**wish, "max_cost": "0.05"})
    assert (refused.status_code, refused.json()["code"]) == (402, "budget.exceeded")
    assert client.call("GET", "/v1/videos").json()["data"] == []
