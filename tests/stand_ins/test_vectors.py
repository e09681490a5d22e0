"""The vendors' SDKs, with strict validation, read every vector as documented."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
import runwayml
from openai.types.responses import Response
from runwayml.resources.uploads import _RunwayUploadStartedResponse

from tests.stand_ins import openai as openai_stand_in
from tests.stand_ins import pictures, runway, vectors
from tests.stand_ins.charge_book import fingerprint
from tests.stand_ins.process import StandIn

NAMES = vectors.names("response", "sse", "error")
TASK = "17f20503-6c24-4c16-946b-35dbbce2af2f"
TEXT: dict[str, Any] = {"model": "gpt-6-luna", "input": "A cat. 1 scene."}
PICTURE: dict[str, Any] = {"model": "gpt-image-2.5-flare", "prompt": "A cat"}
CLIP: dict[str, Any] = {
    "model": "gen4_turbo",
    "prompt_image": "https://cdn.example.com/scene1.png",
    "ratio": "1280:720",
}
Openai = openai.OpenAI
Call = Callable[[Any], Any]


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, StandIn]]:
    folder = tmp_path_factory.mktemp("books")
    with openai_stand_in.serve(folder) as openai_vendor, runway.serve(folder) as runway_vendor:
        for name in ("scene1", "a", "b"):
            address = f"https://cdn.example.com/{name}.png"
            runway.put_asset(runway_vendor, address, pictures.draw((1280, 720), name))
        runway.put_asset(
            runway_vendor, "runway://eyJhbGciOi.token", pictures.draw((1280, 720), "c")
        )
        yield {"openai": openai_vendor, "runway": runway_vendor}


@pytest.fixture(scope="module")
def openai_client(stand_ins: dict[str, StandIn]) -> Iterator[Openai]:
    vendor = stand_ins["openai"]
    with openai.OpenAI(
        base_url=vendor.base_url,
        api_key=vendor.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


@pytest.fixture(scope="module")
def runway_client(stand_ins: dict[str, StandIn]) -> Iterator[runwayml.RunwayML]:
    vendor = stand_ins["runway"]
    with runwayml.RunwayML(
        base_url=vendor.base_url,
        api_key=vendor.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


# Prefix of a vector's name -> (endpoint, SDK call); the longest prefix wins.
CALLS: dict[str, tuple[str, Call]] = {
    "openai_responses": ("responses", lambda c: c.responses.create(**TEXT)),
    "openai_chat": (
        "chat.completions",
        lambda c: c.chat.completions.create(
            model="gpt-6-luna", messages=[{"role": "user", "content": "A cat"}]
        ),
    ),
    "openai_images_response": ("images.generations", lambda c: c.images.generate(**PICTURE)),
    "openai_models": ("models", lambda c: c.models.list()),
    "openai_error": ("images.generations", lambda c: c.images.generate(**PICTURE)),
    "openai_error_400_unsupported": ("images.edits", lambda c: _edit(c)),
    "openai_error_400_invalid_image": ("images.edits", lambda c: _edit(c)),
    "openai_error_429_rate_limit_tokens": ("responses", lambda c: c.responses.create(**TEXT)),
    "runway_error": ("image_to_video", lambda c: c.image_to_video.create(**CLIP)),
    "runway_error_404": ("tasks.get", lambda c: c.tasks.retrieve(TASK)),
    "runway_task": ("tasks.get", lambda c: c.tasks.retrieve(TASK)),
    "runway_task_created": ("image_to_video", lambda c: c.image_to_video.create(**CLIP)),
    "runway_organization": ("organization", lambda c: c.organization.retrieve()),
    "runway_organization_usage": (
        "organization.usage",
        lambda c: c.organization.retrieve_usage(),
    ),
    # Only the first of two calls: the upload would go to the vector's URL.
    "runway_uploads": (
        "uploads",
        lambda c: c.post(
            "/v1/uploads",
            cast_to=_RunwayUploadStartedResponse,
            body={"filename": "scene1.png", "type": "ephemeral"},
        ),
    ),
}


def _edit(client: Openai, **more: Any) -> Any:
    file = ("hero.png", pictures.draw((64, 64), "hero"), "image/png")
    return client.images.edit(image=file, **PICTURE, **more)


def _call(name: str) -> tuple[str, Call]:
    return CALLS[max((prefix for prefix in CALLS if name.startswith(prefix)), key=len)]


@pytest.fixture
def serve(stand_ins: dict[str, StandIn], request: pytest.FixtureRequest) -> Callable[[str], Any]:
    """Return a function that makes a call to which the stand-in responds with a vector."""

    def call_vector(name: str, sdk_call: tuple[str, Call] | None = None) -> Any:
        vendor = name.partition("_")[0]
        client = request.getfixturevalue(f"{vendor}_client")
        endpoint, call = sdk_call or _call(name)
        stand_ins[vendor].fault(endpoint, f"vector:{name}")
        try:
            return call(client)
        finally:
            assert stand_ins[vendor].waiting() == 0

    return call_vector


@pytest.mark.parametrize("name", [name for name in NAMES if vectors.load(name)["kind"] == "error"])
def test_sdk_raises_exception_of_error_vector(
    name: str, serve: Callable[[str], Any], request: pytest.FixtureRequest
) -> None:
    vector = vectors.load(name)
    sdk: Any = {"openai": openai, "runwayml": runwayml}[vector["sdk"]]
    with pytest.raises(getattr(sdk, vector["sdk_exception"])) as raised:
        serve(name)
    error: Any = raised.value
    assert type(error).__name__ == vector["sdk_exception"]
    assert error.status_code == vector["http_status"]
    client = request.getfixturevalue(f"{name.partition('_')[0]}_client")
    assert client._should_retry(error.response) is vector["sdk_retries_by_default"]
    body = vector["body"]
    if vector["sdk"] == "openai" and isinstance(body, dict):
        body = body["error"]
        assert (error.code, error.type, error.param) == (body["code"], body["type"], body["param"])
        assert error.request_id == vector["headers"]["x-request-id"]
    assert error.body == body
    for header, value in vector["headers"].items():
        assert error.response.headers[header] == value


@pytest.mark.parametrize(
    "name", [name for name in NAMES if vectors.load(name)["kind"] == "response"]
)
def test_sdk_parses_response_vector(name: str, serve: Callable[[str], Any]) -> None:
    body, response = vectors.load(name)["body"], serve(name)
    sent = json.loads(response.to_json(exclude_unset=True, use_api_names=True))
    for key, expected in body.items():
        if key not in ("createdAt", "results"):  # dates have another format
            assert sent[key] == expected, key


@pytest.mark.parametrize("name", [name for name in NAMES if vectors.load(name)["kind"] == "sse"])
def test_sdk_parses_stream_vector(name: str, serve: Callable[..., Any]) -> None:
    sdk_call: tuple[str, Call] = (
        ("images.edits", lambda c: list(_edit(c, stream=True)))
        if "edit" in name
        else ("images.generations", lambda c: list(c.images.generate(**PICTURE, stream=True)))
    )
    events = serve(name, sdk_call)
    assert [json.loads(event.to_json()) for event in events] == [
        event["data"] for event in vectors.load(name)["body"]
    ]


def test_sdk_calls_cover_every_vector() -> None:
    kinds = {vectors.load(name)["kind"] for name in NAMES}
    assert kinds == {"error", "response", "sse"}
    assert len(NAMES) == 69
    for name in NAMES:
        if vectors.load(name)["kind"] != "sse":
            _call(name)


def test_sdk_structured_parsing_handles_vectors(serve: Callable[..., Any]) -> None:
    from pydantic import BaseModel, ValidationError

    class Story(BaseModel):
        title: str

    parse = ("responses", lambda c: c.responses.parse(**TEXT, text_format=Story))
    with pytest.raises(ValidationError):
        serve("openai_responses_incomplete_max_tokens", parse)
    assert serve("openai_responses_refusal", parse).output_parsed is None
    assert serve("openai_responses_incomplete_reasoning_only", parse).output_parsed is None
    response = serve("openai_responses_commentary_then_final", parse)
    assert response.output_parsed.title == "The Lighthouse Cat"
    chat = (
        "chat.completions",
        lambda c: c.chat.completions.parse(
            model="gpt-6-luna",
            messages=[{"role": "user", "content": "A cat"}],
            response_format=Story,
        ),
    )
    with pytest.raises(openai.LengthFinishReasonError):
        serve("openai_chat_length", chat)
    with pytest.raises(openai.ContentFilterFinishReasonError):
        serve("openai_chat_content_filter", chat)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in vectors.names("request", vendor="runway")
        if "image_to_video" in name or "text_to_video" in name
    ],
)
def test_runway_accepts_request_vector_of_sdk(
    name: str, stand_ins: dict[str, StandIn], runway_client: runwayml.RunwayML
) -> None:
    vector = vectors.load(name)
    (where, arguments), endpoint = vector["sdk_call"], vector["path"].removeprefix("/v1/")
    resource: Any = getattr(runway_client, where.partition(".")[0])
    assert resource.create(**arguments).id
    charge = stand_ins["runway"].charges()[-1]
    assert charge.fingerprint == fingerprint(endpoint, vector["body"])
    assert charge.seed == arguments.get("seed")


@pytest.mark.parametrize(
    ("name", "endpoint"),
    [
        ("openai_responses_request", "responses"),
        ("openai_chat_request", "chat.completions"),
        ("openai_images_generate_request", "images.generations"),
    ],
)
def test_openai_accepts_request_vector(
    name: str, endpoint: str, stand_ins: dict[str, StandIn], openai_client: Openai
) -> None:
    vector = vectors.load(name)
    kinds: dict[str, Any] = {
        "responses": Response,
        "chat.completions": openai.types.chat.ChatCompletion,
        "images.generations": openai.types.ImagesResponse,
    }
    path = vector["path"].removeprefix("/v1")
    assert openai_client.post(path, cast_to=kinds[endpoint], body=vector["body"])
    charge = stand_ins["openai"].charges()[-1]
    assert charge.fingerprint == fingerprint(endpoint, vector["body"])


def test_openai_accepts_image_edit_vector(openai_client: Openai) -> None:
    sent = vectors.load("openai_images_edit_multipart_request")["body"]
    files = [
        (file["filename"], pictures.draw((64, 64), file["filename"]), file["content_type"])
        for file in sent["files"]
    ]
    fields = {**sent["fields"], "n": int(sent["fields"]["n"])}
    response = openai_client.images.edit(image=files, **fields)
    assert response.size == "1536x1024"
