"""OpenAI images, against a stand-in that records charges."""

import io
from collections.abc import Iterator

import pytest
from PIL import Image

from common.domain import models
from common.domain.errors import (
    InvalidInput,
    MediaError,
    OutcomeUnknown,
    PermanentError,
    ProviderRefused,
)
from common.domain.video import RATIOS, EncodedImage
from common.providers import ImageProvider, image_provider
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.support import vendors
from tests.support.vendors import VendorSession


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def session(openai_stand_in: StandIn) -> VendorSession:
    return VendorSession(openai_stand_in)


@pytest.fixture
def provider(openai_stand_in: StandIn) -> ImageProvider:
    return image_provider("openai", vendors.context(openai=openai_stand_in))


@pytest.mark.parametrize(
    ("ratio", "references"), [*((ratio, 1) for ratio in RATIOS), ("720:1280", 0), ("1584:672", 2)]
)
def test_openai_image_has_requested_size_and_cost_matches_charge(
    ratio: str, references: int, session: VendorSession, provider: ImageProvider
) -> None:
    sample = vendors.sample_image(ratio)
    request = vendors.image_request(
        ratio=ratio,
        anchor=sample if references else None,
        reference=sample if references == 2 else None,
    )
    result = provider.generate_image(request)
    with Image.open(io.BytesIO(result.picture.data)) as image:
        assert (image.format, image.size) == ("PNG", RATIOS[ratio])
    (charge,) = session.charges()
    assert charge.kind == ("images.edits" if references else "images.generations")
    assert charge.amount == result.cost.usd
    estimate = models.find("image", "openai").image_usd(
        ratio, anchor=references > 0, reference=references == 2
    )
    assert result.cost.usd <= estimate


@pytest.mark.parametrize("model", ["gpt-image-2.5-flare", "gpt-image-2"])
def test_openai_image_cost_matches_charge_for_other_models(
    model: str, session: VendorSession, provider: ImageProvider
) -> None:
    result = provider.generate_image(vendors.image_request(model=model))
    assert [charge.amount for charge in session.charges()] == [result.cost.usd]


def test_openai_image_prompt_numbers_references_in_order(
    session: VendorSession, provider: ImageProvider
) -> None:
    sample = vendors.sample_image()
    provider.generate_image(vendors.image_request(reference=sample, anchor=sample))
    provider.generate_image(vendors.image_request(anchor=sample))
    provider.generate_image(vendors.image_request())
    both, anchor, none = (charge.prompt for charge in session.charges())
    assert both.index("Image 1 is the user's own picture") < both.index("Image 2 is the first")
    assert "Image 1 is the first picture" in anchor
    assert "Image 1" not in none


def test_openai_image_sends_reference_before_first_image(provider: ImageProvider) -> None:
    """The stand-in draws thumbnails of the received images, in order, along its top edge."""
    red, blue = (255, 0, 0), (0, 0, 255)
    request = vendors.image_request(reference=_solid_image(red), anchor=_solid_image(blue))
    with Image.open(io.BytesIO(provider.generate_image(request).picture.data)) as image:
        assert [image.getpixel(position) for position in ((30, 30), (200, 30))] == [red, blue]


def test_openai_image_downscales_reference_to_output_size(
    session: VendorSession, provider: ImageProvider
) -> None:
    """The stand-in counts tokens by the pixels it receives."""
    out = io.BytesIO()
    Image.new("RGB", (2048, 2048), "teal").save(out, "PNG")
    result = provider.generate_image(vendors.image_request(reference=EncodedImage(out.getvalue())))
    estimate = models.find("image", "openai").image_usd("1280:720", reference=True)
    assert session.charges()[0].amount == result.cost.usd <= estimate


@pytest.mark.parametrize(
    "size", [(960, 960), (512, 512), (4000, 90), (90, 4000), (3000, 1000), (1, 1), (64, 4000)]
)
@pytest.mark.parametrize("ratio", ["1280:720", "1584:672", "832:1104", "960:960"])
def test_openai_image_reference_cost_stays_within_estimate(
    size: tuple[int, int], ratio: str, session: VendorSession, provider: ImageProvider
) -> None:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, "PNG")
    request = vendors.image_request(ratio=ratio, reference=EncodedImage(out.getvalue()))
    estimate = models.find("image", "openai").image_usd(ratio, reference=True)
    assert provider.generate_image(request).cost.usd == session.spent() <= estimate


@pytest.mark.parametrize(
    ("mode", "kind", "code"),
    [
        ("wrong_size", MediaError, "image.unusable"),
        ("not_a_picture", MediaError, "image.unusable"),
        ("empty_data", ProviderRefused, "provider.output"),
        ("null_data", ProviderRefused, "provider.output"),
        ("null_b64", ProviderRefused, "provider.output"),
    ],
)
def test_openai_unusable_image_error_carries_cost(
    mode: str,
    kind: type[PermanentError],
    code: str,
    session: VendorSession,
    provider: ImageProvider,
) -> None:
    session.vendor.fault("images.generations", mode)
    with pytest.raises(kind) as caught:
        provider.generate_image(vendors.image_request())
    error = caught.value
    assert (error.error_code, error.billed) == (code, True)
    assert error.cost is not None
    assert error.cost.usd == session.spent()


@pytest.mark.parametrize(
    "vector", ["openai_images_response_empty", "openai_images_response_null_b64"]
)
def test_openai_response_without_image_or_usage_costs_estimate(
    vector: str, session: VendorSession, provider: ImageProvider
) -> None:
    session.vendor.fault("images.generations", f"vector:{vector}")
    with pytest.raises(ProviderRefused) as caught:
        provider.generate_image(vendors.image_request())
    error = caught.value
    assert (error.error_code, error.billed, error.retryable) == ("provider.output", True, True)
    assert error.cost is not None
    assert error.cost.usd == models.find("image", "openai").image_usd("1280:720") > 0


@pytest.mark.parametrize("vector", ["openai_chat_completed", "openai_models_list"])
def test_openai_image_unexpected_response_leaves_outcome_unknown(
    vector: str, session: VendorSession, provider: ImageProvider
) -> None:
    session.vendor.fault("images.generations", f"vector:{vector}")
    with pytest.raises(OutcomeUnknown):
        provider.generate_image(vendors.image_request())


def test_openai_image_rejects_unsupported_size_before_call(
    session: VendorSession, provider: ImageProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RATIOS, "100:100", (100, 100))
    with pytest.raises(InvalidInput) as caught:
        provider.generate_image(vendors.image_request(ratio="100:100"))
    assert caught.value.allowed == [ratio for ratio in RATIOS if ratio != "100:100"]
    assert session.calls("images.generations") == 0


def test_openai_image_prompt_is_truncated_to_model_limit(
    session: VendorSession, provider: ImageProvider
) -> None:
    provider.generate_image(vendors.image_request(prompt="a cat " * 9000))
    assert 31_900 < len(session.charges()[0].prompt) <= 32_000


def _solid_image(colour: tuple[int, int, int]) -> EncodedImage:
    out = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(out, "PNG")
    return EncodedImage(out.getvalue())
