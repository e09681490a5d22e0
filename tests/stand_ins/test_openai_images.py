"""Image endpoints of the OpenAI stand-in, called by OpenAI's SDK with strict validation."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

from tests.stand_ins import openai as openai_stand_in
from tests.stand_ins import pictures, vectors
from tests.stand_ins.process import StandIn

PNG = ("hero.png", pictures.draw((256, 256), "hero"), "image/png")
FLARE, SUNBURST, LUNA = "gpt-image-2.5-flare", "gpt-image-2.5-sunburst", "gpt-6-luna"


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai_stand_in.serve(tmp_path_factory.mktemp("book")) as stand_in:
        yield stand_in


@pytest.fixture
def vendor(stand_in: StandIn) -> Iterator[StandIn]:
    yield stand_in
    stand_in.clear()
    stand_in.set(images_per_minute=None)


@pytest.fixture(scope="module")
def client(stand_in: StandIn) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=stand_in.base_url,
        api_key=stand_in.api_key,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


def decode(result: Any) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(result.data[0].b64_json)))


@pytest.mark.parametrize("size", ["1280x720", "720x1280", "1104x832", "960x960", "1584x672"])
def test_openai_image_has_requested_size(client: openai.OpenAI, size: str) -> None:
    response = client.images.generate(model=FLARE, prompt="A fox", size=size, quality="medium")
    image = decode(response)
    assert f"{image.width}x{image.height}" == size == response.size
    assert image.format == "PNG"


@pytest.mark.parametrize(("quality", "usd"), [("low", 0.0032), ("high", 0.0284), ("max", 0.1136)])
def test_openai_image_price_matches_published_table(
    vendor: StandIn, client: openai.OpenAI, quality: Any, usd: float
) -> None:
    client.images.generate(model=FLARE, prompt="A fox", size="1280x720", quality=quality)
    assert float(vendor.charges()[-1].amount) == pytest.approx(usd, abs=0.0001)


def test_openai_images_differ_by_prompt_and_inputs(client: openai.OpenAI) -> None:
    other = ("room.webp", pictures.draw((256, 256), "room", form="webp"), "image/webp")

    def edit(prompt: str, *files: tuple[str, bytes, str]) -> str:
        response = client.images.edit(model=SUNBURST, image=list(files), prompt=prompt)
        assert response.data
        return response.data[0].b64_json or ""

    images = {edit("a", PNG), edit("b", PNG), edit("a", PNG, other), edit("a", other, PNG)}
    assert len(images) == 4


def test_openai_image_edit_counts_input_tokens(client: openai.OpenAI) -> None:
    usage = client.images.edit(model=SUNBURST, image=[PNG, PNG], prompt="a").usage
    assert usage is not None
    # Scaled up twofold, each has 16 x 16 patches of 32 pixels.
    assert usage.input_tokens_details.image_tokens == 2 * 256


def test_openai_image_errors_match_vectors(client: openai.OpenAI) -> None:
    text = ("a.png", b"no picture", "image/png")
    cases: dict[str, Any] = {
        "400_unknown_parameter": lambda: client.images.generate(
            model=FLARE, prompt="a", response_format="b64_json"
        ),
        "400_unsupported_mimetype": lambda: client.images.edit(
            model=SUNBURST, prompt="a", image=[PNG[1]]
        ),
        "400_invalid_size": lambda: client.images.generate(
            model=FLARE, prompt="a", size="1920x1080"
        ),
        "400_invalid_image": lambda: client.images.edit(model=SUNBURST, prompt="a", image=text),
        "404_model": lambda: client.images.generate(model="gpt-image-9", prompt="a"),
    }
    for name, call in cases.items():
        with pytest.raises(openai.APIStatusError) as raised:
            call()
        vector = vectors.load(f"openai_error_{name}")
        assert raised.value.body == vector["body"]["error"], name
        assert raised.value.status_code == vector["http_status"]


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"model": "gpt-image-1"}, "model"),
        ({"model": LUNA}, "model"),
        ({"size": "1280x728"}, "size"),
        ({"size": "640x640"}, "size"),
        ({"size": "3840x1264"}, "size"),
        ({"size": "4096x2048"}, "size"),
        ({"quality": "standard"}, "quality"),
        ({"quality": "max", "model": "gpt-image-2"}, "quality"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 32_001}, "prompt"),
        ({"n": 11}, "n"),
        ({"style": "vivid"}, "style"),
        ({"output_format": "svg"}, "output_format"),
        ({"background": "transparent", "output_format": "jpeg"}, "background"),
    ],
)
def test_openai_image_generation_is_validated(
    client: openai.OpenAI, more: dict[str, Any], param: str
) -> None:
    with pytest.raises(openai.APIStatusError) as raised:
        client.images.generate(**{"model": FLARE, "prompt": "a", **more})
    assert raised.value.param == param


def test_openai_image_edit_is_validated(client: openai.OpenAI) -> None:
    def rejected_param(**more: Any) -> str | None:
        with pytest.raises(openai.BadRequestError) as raised:
            client.images.edit(**{"model": SUNBURST, "prompt": "a", "image": [PNG], **more})
        return raised.value.param

    assert rejected_param(input_fidelity="high") == "input_fidelity"
    assert rejected_param(image=[PNG] * 17) == "image"
    assert rejected_param(image=[("a.gif", PNG[1], "image/gif")]) == "image[0]"
    assert rejected_param(image=[("a.jpg", PNG[1], "image/jpeg")]) == "image"
    assert rejected_param(mask=PNG) == "mask"
    assert rejected_param(extra_body={"moderation": "low"}) == "moderation"


def test_openai_image_edit_accepts_mask_with_alpha(client: openai.OpenAI) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (256, 256)).save(out, "PNG")
    mask = ("mask.png", out.getvalue(), "image/png")
    assert client.images.edit(model=SUNBURST, prompt="a", image=PNG, mask=mask).data


def test_openai_scripted_unusable_images_are_charged(
    vendor: StandIn, client: openai.OpenAI
) -> None:
    def respond(mode: str) -> Any:
        vendor.fault("images.generations", mode)
        return client.images.generate(model=FLARE, prompt="a", size="1280x720")

    before = len(vendor.charges())
    assert respond("empty_data").data == []
    assert respond("null_data").data is None
    assert respond("null_b64").data[0].b64_json is None
    assert decode(respond("wrong_size")).size == (1264, 720)
    assert base64.b64decode(respond("not_a_picture").data[0].b64_json) == b"not a picture"
    assert len(vendor.charges()) == before + 5


def test_openai_image_stream_returns_image(client: openai.OpenAI) -> None:
    events = list(client.images.generate(model=FLARE, prompt="a", size="1280x720", stream=True))
    assert [event.type for event in events] == ["image_generation.completed"]
    assert pictures.look(base64.b64decode(events[0].b64_json)) == ("image/png", 1280, 720)


def test_openai_images_per_minute_rate_limit(vendor: StandIn, client: openai.OpenAI) -> None:
    vendor.advance(60)
    vendor.set(images_per_minute=5)
    client.images.edit(model=SUNBURST, image=[PNG] * 3, prompt="a")
    client.images.generate(model=FLARE, prompt="a")
    with pytest.raises(openai.RateLimitError) as raised:
        client.images.edit(model=SUNBURST, image=[PNG] * 3, prompt="a")
    error = raised.value
    assert (error.code, error.type) == ("rate_limit_exceeded", "input-images")
    assert "Limit 5, Used 4, Requested 3" in error.message
    wait = int(error.response.headers["retry-after"])
    assert 55 <= wait <= 60
    vendor.advance(wait)
    client.images.edit(model=SUNBURST, image=[PNG] * 3, prompt="a")
