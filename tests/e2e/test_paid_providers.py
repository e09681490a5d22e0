"""The adapters of paid providers on the deployed stack, against stand-ins of the vendors."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from common.media import ffmpeg
from infra.local.connection import Connection
from tests.e2e.client import Client, StackAccess
from tests.e2e.vendors import PAID, serve
from tests.stand_ins.process import StandIn


@pytest.fixture(scope="module")
def vendors(
    link: Connection, stack: StackAccess, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[StandIn, StandIn]]:
    """Both vendors, called by the deployed stack."""
    with serve(link, stack, Path(tmp_path_factory.mktemp("vendors"))) as both:
        yield both.openai, both.runway


def make(client: Client, **fields: Any) -> dict[str, Any]:
    accepted = client.create(
        **{"prompt": "A heron sails at dawn", "scenes": 2, "seconds": 2, "models": PAID, **fields}
    )
    return client.wait(accepted["id"])


def test_paid_video_cost_matches_vendor_charges(
    vendors: tuple[StandIn, StandIn],
    as_user: Callable[[str], Client],
    stack: StackAccess,
    tmp_path: Path,
) -> None:
    text, video_vendor = vendors
    client = as_user("payer")
    usable = {
        (m["kind"], m["provider"])
        for m in client.call("GET", "/v1/models").json()["data"]
        if m["usable"]
    }
    assert {("text", "openai"), ("image", "openai"), ("video", "runway")} <= usable

    video = make(client)
    assert video["status"] == "succeeded", video["error"]

    # Two clips of two seconds, every frame decoded.
    path = tmp_path / "final.mp4"
    path.write_bytes(requests.get(video["output"]["url"], timeout=60).content)
    facts = ffmpeg.decode(path)
    assert (facts.width, facts.height, facts.frames) == (1280, 720, 96)

    # One charge for each step at the vendors, and one attempt each in the ledger.
    assert len(text.charges()) == 3
    assert len(video_vendor.charges()) == 2
    calls = stack.rows("SELECT state, units FROM provider_jobs WHERE session_id = %s", video["id"])
    assert [call["state"] for call in calls] == ["succeeded"] * 5
    dollars = sum(float(charge.amount) for charge in text.charges())
    cents = sum(float(charge.amount) for charge in video_vendor.charges())  # a credit is a cent
    assert float(video["cost"]["actual"]) == pytest.approx(dollars + cents / 100, abs=0.0002)
    assert video["scenes"][0]["clip"]["cost"]["units"] == {"amount": "10", "unit": "credit"}
    assert (text.leaks(), video_vendor.leaks()) == ([], [])


def test_paid_narration_makes_one_charge(
    vendors: tuple[StandIn, StandIn], as_user: Callable[[str], Client]
) -> None:
    text, _ = vendors
    before = len(text.charges())
    models = {**PAID, "speech": {"provider": "openai"}}
    video = make(as_user("teller"), models=models, scenes=1, seconds=5, output={"narration": {}})
    assert video["status"] == "succeeded", video["error"]
    assert len(text.charges()) - before == 3  # story, image, narration
    assert requests.get(video["scenes"][0]["narration"]["url"], timeout=60).status_code == 200


def test_resume_after_missing_credits_pays_only_for_missing_steps(
    vendors: tuple[StandIn, StandIn], as_user: Callable[[str], Client]
) -> None:
    text, video_vendor = vendors
    client = as_user("broke")
    charges, clips = len(text.charges()), len(video_vendor.charges())
    video_vendor.fault("image_to_video", "no_credits", times=None)
    video = make(client)
    assert video["status"] == "failed"
    assert video["error"]["code"] == "provider.credits"
    assert video["error"]["billed"] is False
    video_vendor.clear()
    resumed = client.call("POST", video["links"]["resume"])
    assert resumed.status_code == 202
    ended = client.wait(video["id"])
    assert ended["status"] == "succeeded", ended["error"]
    # The resume did not pay again for the story and both images of the first run.
    assert len(text.charges()) - charges == 3
    assert len(video_vendor.charges()) - clips == 2
    assert client.call("POST", video["links"]["resume"]).status_code == 409


def test_max_cost_below_estimate_is_rejected(
    vendors: tuple[StandIn, StandIn], as_user: Callable[[str], Client]
) -> None:
    client = as_user("careful")
    request = {"prompt": "x", "scenes": 2, "seconds": 2, "models": PAID}
    estimate = client.call("POST", "/v1/estimates", request).json()
    assert float(estimate["total"]) == pytest.approx(0.23, abs=0.03)
    refused = client.call("POST", "/v1/videos", {**request, "max_cost": "0.05"})
    assert (refused.status_code, refused.json()["code"]) == (402, "budget.exceeded")
    assert client.call("GET", "/v1/videos").json()["data"] == []
