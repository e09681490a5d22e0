"""Text and account endpoints of the OpenAI stand-in, called by OpenAI's SDK with validation."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from pydantic import BaseModel, Field

from tests.stand_ins import openai as openai_stand_in
from tests.stand_ins.process import StandIn

LUNA = "gpt-6-luna"


class Scene(BaseModel):
    index: int
    picture: str = Field(max_length=60)
    motion: str
    mood: str | None


class Story(BaseModel):
    title: str
    scenes: list[Scene]


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai_stand_in.serve(tmp_path_factory.mktemp("book")) as stand_in:
        yield stand_in


@pytest.fixture
def vendor(stand_in: StandIn) -> Iterator[StandIn]:
    yield stand_in
    stand_in.clear()
    stand_in.set(organization_verified=True)


@pytest.fixture(scope="module")
def client(stand_in: StandIn) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=stand_in.base_url,
        api_key=stand_in.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def story(client: openai.OpenAI, text: str, **more: Any) -> Any:
    arguments = {"reasoning": {"effort": "low"}, "max_output_tokens": 4000, **more}
    return client.responses.parse(
        model=LUNA,
        input=[{"role": "system", "content": "Write."}, {"role": "user", "content": text}],
        text_format=Story,
        store=False,
        **arguments,
    )


# -- text ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "scenes"),
    [
        ("A cat. 1 scene.", 1),
        ("Tell it in exactly 4 scenes, each 5 seconds long.", 4),
        ("Scenes: exactly 7, each 5 seconds long", 7),
        ("A fox in a 5-second scene; make five short scenes", 5),
    ],
)
def test_openai_story_matches_schema_and_request(
    client: openai.OpenAI, text: str, scenes: int
) -> None:
    response = story(client, text)
    assert response._request_id.startswith("req_")
    assert [scene.index for scene in response.output_parsed.scenes] == list(range(1, scenes + 1))
    assert all(0 < len(scene.picture) <= 60 for scene in response.output_parsed.scenes)
    assert len({scene.motion for scene in response.output_parsed.scenes}) > 1 or scenes == 1


def test_openai_charge_matches_usage(vendor: StandIn, client: openai.OpenAI) -> None:
    response = story(client, "Two scenes", metadata={"attempt": "att_1"})
    charge = vendor.charges()[-1]
    assert charge.kind == "responses"
    assert charge.marker == '{"attempt": "att_1"}'
    assert charge.job == response.id
    assert "Two scenes" in charge.prompt
    expected = (
        Decimal("0.1") * response.usage.input_tokens + Decimal("0.5") * response.usage.output_tokens
    )
    assert charge.amount == expected / 1_000_000


def test_openai_scripted_outcomes(vendor: StandIn, client: openai.OpenAI) -> None:
    def respond(mode: str) -> Any:
        vendor.fault("responses", mode)
        return client.responses.create(model=LUNA, input="3 scenes", reasoning={"effort": "low"})

    assert respond("refusal").output[-1].content[0].type == "refusal"
    assert respond("truncation").incomplete_details.reason == "max_output_tokens"
    assert [item.type for item in respond("reasoning_only").output] == ["reasoning"]
    assert respond("content_filter").incomplete_details.reason == "content_filter"
    before = len(vendor.charges())
    assert respond("failed").error.code == "server_error"
    assert len(vendor.charges()) == before
    phases = [getattr(item, "phase", None) for item in respond("commentary").output]
    assert phases == [None, "commentary", "final_answer"]


def test_openai_scripted_invalid_stories(vendor: StandIn, client: openai.OpenAI) -> None:
    vendor.fault("responses", "one_scene_less")
    assert len(story(client, "3 scenes").output_parsed.scenes) == 2
    vendor.fault("responses", "links")
    assert "https://" in story(client, "3 scenes").output_parsed.scenes[0].motion


def test_openai_small_max_output_tokens_truncates(client: openai.OpenAI) -> None:
    response = client.responses.create(
        model=LUNA, input="Tell me", reasoning={"effort": "low"}, max_output_tokens=32
    )
    assert (response.status, [item.type for item in response.output]) == (
        "incomplete",
        ["reasoning"],
    )
    response = client.responses.create(
        model=LUNA, input="Tell me", reasoning={"effort": "low"}, max_output_tokens=66
    )
    assert (response.status, response.output[-1].type) == ("incomplete", "message")


@pytest.mark.parametrize(
    ("more", "status", "code", "param"),
    [
        ({"bogus": 1}, 400, "unknown_parameter", "bogus"),
        ({"model": "gpt-9"}, 404, "model_not_found", "model"),
        ({"model": "o4-mini"}, 404, "model_not_found", "model"),
        ({"temperature": 1}, 400, "unsupported_parameter", "temperature"),
        ({"reasoning": {"effort": "huge"}}, 400, "invalid_value", "reasoning.effort"),
        ({"max_output_tokens": 3}, 400, "integer_below_min_value", "max_output_tokens"),
        ({"input": []}, 400, "invalid_type", "input"),
    ],
)
def test_openai_text_request_is_validated(
    vendor: StandIn, client: openai.OpenAI, more: dict[str, Any], status: int, code: str, param: str
) -> None:
    before = len(vendor.charges())
    with pytest.raises(openai.APIStatusError) as raised:
        client.responses.create(model=LUNA, input="x", extra_body=more)
    error = raised.value
    assert (error.status_code, error.code, error.param) == (status, code, param)
    assert len(vendor.charges()) == before


def test_openai_schema_must_be_strict(client: openai.OpenAI) -> None:
    loose = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}
    for schema in (loose, {**loose, "additionalProperties": False, "required": []}):
        form = {"type": "json_schema", "name": "Story", "strict": True, "schema": schema}
        with pytest.raises(openai.BadRequestError) as raised:
            client.responses.create(model=LUNA, input="x", extra_body={"text": {"format": form}})
        assert raised.value.code == "invalid_json_schema"


# -- the account -----------------------------------------------------------------------------------
def test_openai_models_have_shutdown_dates(client: openai.OpenAI) -> None:
    ends = {model.id: model.shutdown_date for model in client.models.list()}
    assert ends[LUNA] is None
    assert ends["gpt-4o-mini"] == "2027-01-14"
    assert client.models.retrieve(LUNA).id == LUNA
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("dall-e-3")


def test_openai_rejects_wrong_key_without_revealing_it(vendor: StandIn) -> None:
    with openai.OpenAI(base_url=vendor.base_url, api_key="sk-wrong-and-secret-abcd") as client:
        with pytest.raises(openai.AuthenticationError) as raised:
            client.responses.create(model=LUNA, input="x")
        assert raised.value.code == "invalid_api_key"
        assert "secret" not in str(raised.value)
        assert vendor.leaks() == []


def test_openai_account_errors_are_not_charged(vendor: StandIn, client: openai.OpenAI) -> None:
    before = len(vendor.charges())
    vendor.set(organization_verified=False)
    with pytest.raises(openai.PermissionDeniedError):
        client.images.generate(model="gpt-image-2.5-flare", prompt="a")
    vendor.fault("responses", "quota")
    with pytest.raises(openai.RateLimitError) as raised:
        client.responses.create(model=LUNA, input="x")
    assert raised.value.code == "credit_balance_exhausted"
    assert len(vendor.charges()) == before


def test_openai_responses_have_vendor_headers(client: openai.OpenAI) -> None:
    headers = client.models.with_raw_response.list().headers
    for name in ("openai-processing-ms", "openai-version", "x-ratelimit-remaining-requests"):
        assert name in headers


def test_charge_book_survives_restart(tmp_path: Path) -> None:
    with (
        openai_stand_in.serve(tmp_path) as vendor,
        openai.OpenAI(base_url=vendor.base_url, api_key=vendor.api_key) as client,
    ):
        client.responses.create(model=LUNA, input="x")
    with openai_stand_in.serve(tmp_path, api_key="sk-other") as restarted:
        assert len(restarted.charges()) == 1
        assert restarted.api_key == "sk-other"
