"""Validation, uploads and account endpoints of the Runway stand-in."""

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
from tests.stand_ins.test_runway import CLIP, create_task, uri

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
        create_task(client, **more)
    return raised.value.body


def test_runway_validation_errors_match_vectors(vendor: StandIn, client: runwayml.RunwayML) -> None:
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


def test_runway_prompt_length_counts_utf16_units(client: runwayml.RunwayML) -> None:
    assert create_task(client, prompt_text="🦊" * 500).id


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
def test_runway_validation_issues_match_zod(
    client: runwayml.RunwayML, more: dict[str, Any], path: list[Any], code: str
) -> None:
    issues = refusal(client, **more)["issues"]
    assert [(issue["path"], issue["code"]) for issue in issues] == [(path, code)]


def test_runway_unknown_fields_are_rejected_only_by_veo(client: runwayml.RunwayML) -> None:
    assert create_task(client, extra_body={"bogus": 1}).id
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
def test_runway_price_per_second(
    client: runwayml.RunwayML, model: str, more: dict[str, Any], price: int
) -> None:
    assert create_task(client, model=model, **more).estimated_cost.credits == price


def test_runway_image_url_requires_matching_content_type(
    vendor: StandIn, client: runwayml.RunwayML
) -> None:
    png = pictures.draw((1280, 720), "a")
    runway.put_asset(vendor, f"{CDN}/s3.png", png, "binary/octet-stream")
    runway.put_asset(vendor, f"{CDN}/jpeg.png", png, "image/jpeg")
    runway.put_asset(vendor, f"{CDN}/right.png", png)
    message = refusal(client, prompt_image=f"{CDN}/s3.png")["issues"][0]["message"]
    assert message == 'Unsupported Content-Type response header: "binary/octet-stream".'
    assert "match" in refusal(client, prompt_image=f"{CDN}/jpeg.png")["issues"][0]["message"]
    assert (
        "domain" in refusal(client, prompt_image="https://192.0.2.1/a.png")["issues"][0]["message"]
    )
    assert create_task(client, prompt_image=f"{CDN}/right.png").id


# -- uploads ---------------------------------------------------------------------------------------
def test_runway_upload_expires_after_a_day(vendor: StandIn, client: runwayml.RunwayML) -> None:
    png = pictures.draw((1280, 720), "upload")
    uri_ = client.uploads.create_ephemeral(file=("scene.png", png, "image/png")).uri
    assert uri_.startswith("runway://")
    assert create_task(client, prompt_image=uri_).id
    vendor.advance(25 * 3600)
    assert "expired" in refusal(client, prompt_image=uri_)["issues"][0]["message"]
    assert vendor.leaks() == []


def test_runway_upload_form_is_validated(vendor: StandIn, client: runwayml.RunwayML) -> None:
    headers = {"authorization": f"Bearer {vendor.api_key}", "x-runway-version": runway.VERSION}

    body, begin = {"filename": "a.png", "type": "ephemeral"}, f"{vendor.url}/v1/uploads"
    upload = requests.post(begin, json=body, headers=headers, timeout=5).json()

    def post_file(fields: dict[str, str], data: bytes, **more: Any) -> int:
        files = {"file": ("a.png", data, "image/png")}
        response = requests.post(upload["uploadUrl"], data=fields, files=files, timeout=5, **more)
        return response.status_code

    png = pictures.draw((64, 64), "a").ljust(600, b"\0")
    assert post_file({**upload["fields"], "policy": "other"}, png) == 403
    assert post_file(upload["fields"], b"small") == 400
    assert post_file(upload["fields"], png, headers=headers) == 400
    assert vendor.leaks()[-1]["place"] == "authorization"
    assert post_file(upload["fields"], png) == 204
    with pytest.raises(runwayml.BadRequestError):
        client.post("/v1/uploads", cast_to=object, body={"filename": "a.png", "type": "kept"})


# -- the account -----------------------------------------------------------------------------------
def test_runway_insufficient_credits(vendor: StandIn, client: runwayml.RunwayML) -> None:
    remaining = client.organization.retrieve().credit_balance
    vendor.set(credits=10_000 - remaining + 9)
    assert refusal(client) == vectors.load("runway_error_400_insufficient_credits")["body"]
    vendor.set(credits=10_000)
    vendor.fault("image_to_video", "no_credits")
    assert "issues" not in refusal(client)


def test_runway_daily_limit_returns_429(vendor: StandIn, client: runwayml.RunwayML) -> None:
    create_task(client)
    used = client.organization.retrieve().usage.models["gen4_turbo"].daily_generations
    vendor.set(daily_generations=used)
    with pytest.raises(runwayml.RateLimitError) as raised:
        create_task(client)
    assert raised.value.body == vectors.load("runway_error_429_daily")["body"]
    vendor.advance(25 * 3600)
    assert create_task(client).id
    vendor.set(daily_generations=None)


def test_runway_usage_by_day_and_model(vendor: StandIn, client: runwayml.RunwayML) -> None:
    vendor.advance(25 * 3600)
    create_task(client, duration=4)
    day = datetime.fromtimestamp(vendor.charges()[-1].at, UTC).date()
    usage = client.organization.retrieve_usage(start_date=day, before_date=day + timedelta(days=1))
    assert [(row.date, row.used_credits[0].amount) for row in usage.results] == [(day, 20)]
    # Without dates it is the thirty days before today, as the SDK documents.
    assert day not in [row.date for row in client.organization.retrieve_usage().results]
    with pytest.raises(runwayml.BadRequestError):
        client.organization.retrieve_usage(start_date="2026-01-01", before_date="2026-11-01")


def test_runway_requires_headers(vendor: StandIn) -> None:
    url = f"{vendor.url}/v1/organization"
    valid_headers = {
        "authorization": f"Bearer {vendor.api_key}",
        "x-runway-version": runway.VERSION,
    }
    assert requests.get(url, headers=valid_headers, timeout=5).status_code == 200
    for name, status in (("authorization", 401), ("x-runway-version", 400)):
        for headers in (
            {**valid_headers, name: "other"},
            {k: v for k, v in valid_headers.items() if k != name},
        ):
            assert requests.get(url, headers=headers, timeout=5).status_code == status
    assert requests.put(url, headers=valid_headers, timeout=5).status_code == 405
    assert (
        requests.post(
            f"{vendor.url}/v1/image_to_video", data=b"{", headers=valid_headers, timeout=5
        ).status_code
        == 400
    )


def test_runway_too_large_body_returns_413(vendor: StandIn, client: runwayml.RunwayML) -> None:
    with pytest.raises(runwayml.APIStatusError) as raised:
        create_task(client, prompt_image="data:image/png;base64," + "A" * 11_000_000)
    assert raised.value.status_code == 413


def test_runway_maximum_aspect_is_configurable() -> None:
    wide = base64.b64encode(pictures.draw((1584, 672), "wide")).decode()
    data_uri = f"data:image/png;base64,{wide}"
    with pytest.raises(Invalid):
        Assets().fetch(("promptImage",), data_uri, 0, 2.0)
    assert Assets().fetch(("promptImage",), data_uri, 0, 2.4)
    assert CLIP["prompt_image"].startswith("data:image/png;base64,")
