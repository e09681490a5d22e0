"""What the Runway stand-in refuses, and the words with which it does so."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
import runwayml

from tests.stand_ins import pictures, runway, vectors
from tests.stand_ins.process import StandIn
from tests.stand_ins.runway_assets import Assets
from tests.stand_ins.runway_rules import Invalid
from tests.stand_ins.test_runway import CLIP, made, uri

CDN = "https://cdn.example.com"


@pytest.fixture(scope="module")
def vendor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with runway.serve(tmp_path_factory.mktemp("book")) as vendor:
        yield vendor


@pytest.fixture(scope="module")
def client(vendor: StandIn) -> Iterator[runwayml.RunwayML]:
    with runwayml.RunwayML(
        base_url=vendor.base_url, api_key=vendor.api_key, max_retries=0
    ) as client:
        yield client


def refusal(client: runwayml.RunwayML, **more: Any) -> Any:
    with pytest.raises(runwayml.BadRequestError) as raised:
        made(client, **more)
    return raised.value.body


def test_refusals_equal_the_vectors(vendor: StandIn, client: runwayml.RunwayML) -> None:
    big = pictures.draw((1280, 720), "a").ljust(17 * 2**20, b"\0")
    runway.put_asset(vendor, f"{CDN}/big.png", big)
    cases: dict[str, dict[str, Any]] = {
        "asset_aspect": {"prompt_image": uri((462, 1000))},
        "asset_fetch_404": {"prompt_image": f"{CDN}/unknown.png"},
        "asset_too_big": {"prompt_image": f"{CDN}/big.png"},
        "prompt_too_long": {"prompt_text": "🦊" * 500 + "x"},
        "validation_missing_model": {"model": runwayml.omit},
        "validation_ratio": {"ratio": "1280:768"},
    }
    for name, more in cases.items():
        expected = vectors.load(f"runway_error_400_{name}")["body"]
        assert refusal(client, **more) == expected, name
    assert vendor.charges() == []


def test_utf16_units_are_counted(client: runwayml.RunwayML) -> None:
    assert made(client, prompt_text="🦊" * 500).id


@pytest.mark.parametrize(
    ("more", "path", "code"),
    [
        ({"model": "gen3a_turbo"}, ["model"], "invalid_union"),
        ({"model": "gen4.5", "prompt_text": runwayml.omit}, ["promptText"], "invalid_type"),
        ({"model": "gen4.5", "duration": runwayml.omit}, ["duration"], "invalid_type"),
        ({"duration": 11}, ["duration"], "too_big"),
        ({"duration": 1}, ["duration"], "too_small"),
        ({"duration": 2.5}, ["duration"], "invalid_type"),
        ({"duration": "5"}, ["duration"], "invalid_type"),
        ({"prompt_text": ""}, ["promptText"], "too_small"),
        ({"seed": -1}, ["seed"], "too_small"),
        ({"seed": 2**32}, ["seed"], "too_big"),
        ({"prompt_image": runwayml.omit}, ["promptImage"], "invalid_type"),
        ({"prompt_image": 7}, ["promptImage"], "invalid_union"),
        ({"prompt_image": []}, ["promptImage"], "too_small"),
        (
            {"prompt_image": [{"uri": uri(), "position": "last"}]},
            ["promptImage", 0, "position"],
            "invalid_value",
        ),
        ({"prompt_image": "http://cdn.example.com/a.png"}, ["promptImage"], "custom"),
        ({"prompt_image": f"{CDN}/{'x' * 2048}"}, ["promptImage"], "too_big"),
        ({"prompt_image": f"data:image/png;base64,{'A' * 5_242_880}"}, ["promptImage"], "too_big"),
        ({"prompt_image": "data:image/png;base64,!!!!"}, ["promptImage"], "custom"),
        ({"prompt_image": uri((64, 64), form="gif")}, ["promptImage"], "custom"),
        ({"prompt_image": uri((1000, 480))}, ["promptImage"], "custom"),
        ({"prompt_image": uri((8016, 4400))}, ["promptImage"], "custom"),
        ({"prompt_image": "runway://nothing-there"}, ["promptImage"], "custom"),
        (
            {"content_moderation": {"public_figure_threshold": "none"}},
            ["contentModeration", "publicFigureThreshold"],
            "invalid_value",
        ),
        (
            {"model": "veo3.1", "duration": 5, "seed": runwayml.omit},
            ["duration"],
            "invalid_value",
        ),
    ],
)
def test_validation_is_zods(
    client: runwayml.RunwayML, more: dict[str, Any], path: list[Any], code: str
) -> None:
    issues = refusal(client, **more)["issues"]
    assert [(issue["path"], issue["code"]) for issue in issues] == [(path, code)]


def test_unknown_fields_are_refused_by_veo_only(client: runwayml.RunwayML) -> None:
    assert made(client, extra_body={"bogus": 1}).id
    body = refusal(client, model="veo3.1_fast", duration=4, extra_body={"bogus": 1})
    assert body["issues"][0]["code"] == "unrecognized_keys"


@pytest.mark.parametrize(
    ("model", "more", "price"),
    [
        ("gen4_turbo", {}, 10),
        ("gen4.5", {}, 24),
        ("veo3.1_fast", {"duration": 4, "audio": False}, 40),
        ("veo3.1_fast", {"duration": 4, "audio": True}, 60),
    ],
)
def test_price_is_by_the_second(
    client: runwayml.RunwayML, model: str, more: dict[str, Any], price: int
) -> None:
    assert made(client, model=model, **more).estimated_cost.credits == price


def test_picture_at_an_address_needs_its_type(vendor: StandIn, client: runwayml.RunwayML) -> None:
    png = pictures.draw((1280, 720), "a")
    runway.put_asset(vendor, f"{CDN}/s3.png", png, "binary/octet-stream")
    runway.put_asset(vendor, f"{CDN}/jpeg.png", png, "image/jpeg")
    runway.put_asset(vendor, f"{CDN}/right.png", png)
    said = refusal(client, prompt_image=f"{CDN}/s3.png")["issues"][0]["message"]
    assert said == 'Unsupported Content-Type response header: "binary/octet-stream".'
    assert "match" in refusal(client, prompt_image=f"{CDN}/jpeg.png")["issues"][0]["message"]
    assert (
        "domain" in refusal(client, prompt_image="https://192.0.2.1/a.png")["issues"][0]["message"]
    )
    assert made(client, prompt_image=f"{CDN}/right.png").id


# -- uploads ---------------------------------------------------------------------------------------
def test_upload_is_used_for_a_day(vendor: StandIn, client: runwayml.RunwayML) -> None:
    png = pictures.draw((1280, 720), "upload")
    address = client.uploads.create_ephemeral(file=("scene.png", png, "image/png")).uri
    assert address.startswith("runway://")
    assert made(client, prompt_image=address).id
    vendor.advance(25 * 3600)
    assert "expired" in refusal(client, prompt_image=address)["issues"][0]["message"]
    assert vendor.leaks() == []


def test_upload_form_is_checked(vendor: StandIn, client: runwayml.RunwayML) -> None:
    headers = {"authorization": f"Bearer {vendor.api_key}", "x-runway-version": runway.VERSION}

    body, begin = {"filename": "a.png", "type": "ephemeral"}, f"{vendor.url}/v1/uploads"
    told = requests.post(begin, json=body, headers=headers, timeout=5).json()

    def sent(fields: dict[str, str], data: bytes, **more: Any) -> int:
        files = {"file": ("a.png", data, "image/png")}
        answer = requests.post(told["uploadUrl"], data=fields, files=files, timeout=5, **more)
        return answer.status_code

    png = pictures.draw((64, 64), "a").ljust(600, b"\0")
    assert sent({**told["fields"], "policy": "other"}, png) == 403
    assert sent(told["fields"], b"small") == 400
    assert sent(told["fields"], png, headers=headers) == 400
    assert vendor.leaks()[-1]["place"] == "authorization"
    assert sent(told["fields"], png) == 204
    with pytest.raises(runwayml.BadRequestError):
        client.post("/v1/uploads", cast_to=object, body={"filename": "a.png", "type": "kept"})


# -- the account -----------------------------------------------------------------------------------
def test_credits_run_out(vendor: StandIn, client: runwayml.RunwayML) -> None:
    left = client.organization.retrieve().credit_balance
    vendor.set(credits=10_000 - left + 9)
    assert refusal(client) == vectors.load("runway_error_400_insufficient_credits")["body"]
    vendor.set(credits=10_000)
    vendor.fault("image_to_video", "no_credits")
    assert "issues" not in refusal(client)


def test_daily_limit_is_429(vendor: StandIn, client: runwayml.RunwayML) -> None:
    made(client)
    used = client.organization.retrieve().usage.models["gen4_turbo"].daily_generations
    vendor.set(daily_generations=used)
    with pytest.raises(runwayml.RateLimitError) as raised:
        made(client)
    assert raised.value.body == vectors.load("runway_error_429_daily")["body"]
    vendor.advance(25 * 3600)
    assert made(client).id
    vendor.set(daily_generations=None)


def test_usage_is_by_day_and_model(vendor: StandIn, client: runwayml.RunwayML) -> None:
    vendor.advance(25 * 3600)
    made(client, duration=4)
    day = datetime.fromtimestamp(vendor.charges()[-1].at, UTC).date()
    told = client.organization.retrieve_usage(start_date=day, before_date=day + timedelta(days=1))
    assert [(row.date, row.used_credits[0].amount) for row in told.results] == [(day, 20)]
    # Without dates it is the thirty days before today, as the SDK's own words have it.
    assert day not in [row.date for row in client.organization.retrieve_usage().results]
    with pytest.raises(runwayml.BadRequestError):
        client.organization.retrieve_usage(start_date="2026-01-01", before_date="2026-11-01")


def test_headers_are_needed(vendor: StandIn) -> None:
    url = f"{vendor.url}/v1/organization"
    right = {"authorization": f"Bearer {vendor.api_key}", "x-runway-version": runway.VERSION}
    assert requests.get(url, headers=right, timeout=5).status_code == 200
    for name, status in (("authorization", 401), ("x-runway-version", 400)):
        for headers in ({**right, name: "other"}, {k: v for k, v in right.items() if k != name}):
            assert requests.get(url, headers=headers, timeout=5).status_code == status
    assert requests.put(url, headers=right, timeout=5).status_code == 405
    assert (
        requests.post(
            f"{vendor.url}/v1/image_to_video", data=b"{", headers=right, timeout=5
        ).status_code
        == 400
    )


def test_body_that_is_far_too_large_is_413(vendor: StandIn, client: runwayml.RunwayML) -> None:
    with pytest.raises(runwayml.APIStatusError) as raised:
        made(client, prompt_image="data:image/png;base64," + "A" * 11_000_000)
    assert raised.value.status_code == 413


def test_upper_bound_of_the_aspect_is_an_option() -> None:
    wide = base64.b64encode(pictures.draw((1584, 672), "wide")).decode()
    given = f"data:image/png;base64,{wide}"
    with pytest.raises(Invalid):
        Assets().fetch(("promptImage",), given, 0, 2.0)
    assert Assets().fetch(("promptImage",), given, 0, 2.4)
    assert CLIP["prompt_image"].startswith("data:image/png;base64,")
