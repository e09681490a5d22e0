"""Pictures by OpenAI, over the wire of a stand-in that keeps its own book."""

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
from tests.support.vendors import Visit


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


@pytest.fixture
def visit(running: StandIn) -> Visit:
    return Visit(running)


@pytest.fixture
def painter(running: StandIn) -> ImageProvider:
    return image_provider("openai", vendors.context(openai=running))


@pytest.mark.parametrize(
    ("ratio", "references"), [*((ratio, 1) for ratio in RATIOS), ("720:1280", 0), ("1584:672", 2)]
)
def test_a_picture_has_the_videos_size_and_costs_what_the_book_says(
    ratio: str, references: int, visit: Visit, painter: ImageProvider
) -> None:
    still = vendors.picture(ratio)
    request = vendors.image_request(
        ratio=ratio,
        anchor=still if references else None,
        reference=still if references == 2 else None,
    )
    result = painter.generate_image(request)
    with Image.open(io.BytesIO(result.picture.data)) as image:
        assert (image.format, image.size) == ("PNG", RATIOS[ratio])
    (charge,) = visit.charges()
    assert charge.kind == ("images.edits" if references else "images.generations")
    assert charge.amount == result.cost.usd
    estimate = models.find("image", "openai").image_usd(
        ratio, anchor=references > 0, reference=references == 2
    )
    assert result.cost.usd <= estimate


@pytest.mark.parametrize("model", ["gpt-image-2.5-flare", "gpt-image-2"])
def test_other_models_cost_what_the_book_says_too(
    model: str, visit: Visit, painter: ImageProvider
) -> None:
    result = painter.generate_image(vendors.image_request(model=model))
    assert [charge.amount for charge in visit.charges()] == [result.cost.usd]


def test_the_prompt_names_what_is_sent_along_by_its_order(
    visit: Visit, painter: ImageProvider
) -> None:
    still = vendors.picture()
    painter.generate_image(vendors.image_request(reference=still, anchor=still))
    painter.generate_image(vendors.image_request(anchor=still))
    painter.generate_image(vendors.image_request())
    both, anchor, none = (charge.prompt for charge in visit.charges())
    assert both.index("Image 1 is the user's own picture") < both.index("Image 2 is the first")
    assert "Image 1 is the first picture" in anchor
    assert "Image 1" not in none


def test_the_reference_is_sent_before_the_anchor(painter: ImageProvider) -> None:
    """The stand-in puts what it got, small and in order, along the top of its picture."""
    red, blue = (255, 0, 0), (0, 0, 255)
    request = vendors.image_request(reference=_plain(red), anchor=_plain(blue))
    with Image.open(io.BytesIO(painter.generate_image(request).picture.data)) as image:
        assert [image.getpixel(place) for place in ((30, 30), (200, 30))] == [red, blue]


def test_a_reference_is_sent_no_larger_than_the_picture(
    visit: Visit, painter: ImageProvider
) -> None:
    """The book counts tokens by the pixels that arrive."""
    out = io.BytesIO()
    Image.new("RGB", (2048, 2048), "teal").save(out, "PNG")
    result = painter.generate_image(vendors.image_request(reference=EncodedImage(out.getvalue())))
    estimate = models.find("image", "openai").image_usd("1280:720", reference=True)
    assert visit.charges()[0].amount == result.cost.usd <= estimate


@pytest.mark.parametrize(
    "size", [(960, 960), (512, 512), (4000, 90), (90, 4000), (3000, 1000), (1, 1), (64, 4000)]
)
@pytest.mark.parametrize("ratio", ["1280:720", "1584:672", "832:1104", "960:960"])
def test_no_reference_costs_more_than_was_estimated(
    size: tuple[int, int], ratio: str, visit: Visit, painter: ImageProvider
) -> None:
    out = io.BytesIO()
    Image.new("RGB", size, "teal").save(out, "PNG")
    request = vendors.image_request(ratio=ratio, reference=EncodedImage(out.getvalue()))
    estimate = models.find("image", "openai").image_usd(ratio, reference=True)
    assert painter.generate_image(request).cost.usd == visit.spent() <= estimate


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
def test_what_cannot_be_used_carries_what_it_cost(
    mode: str, kind: type[PermanentError], code: str, visit: Visit, painter: ImageProvider
) -> None:
    visit.vendor.fault("images.generations", mode)
    with pytest.raises(kind) as caught:
        painter.generate_image(vendors.image_request())
    error = caught.value
    assert (error.error_code, error.billed) == (code, True)
    assert error.cost is not None
    assert error.cost.usd == visit.spent()


@pytest.mark.parametrize(
    "vector", ["openai_images_response_empty", "openai_images_response_null_b64"]
)
def test_an_answer_without_picture_and_without_bill_has_cost_what_was_expected(
    vector: str, visit: Visit, painter: ImageProvider
) -> None:
    visit.vendor.fault("images.generations", f"vector:{vector}")
    with pytest.raises(ProviderRefused) as caught:
        painter.generate_image(vendors.image_request())
    error = caught.value
    assert (error.error_code, error.billed, error.retryable) == ("provider.output", True, True)
    assert error.cost is not None
    assert error.cost.usd == models.find("image", "openai").image_usd("1280:720") > 0


@pytest.mark.parametrize("vector", ["openai_chat_completed", "openai_models_list"])
def test_an_answer_to_something_else_is_unknown(
    vector: str, visit: Visit, painter: ImageProvider
) -> None:
    visit.vendor.fault("images.generations", f"vector:{vector}")
    with pytest.raises(OutcomeUnknown):
        painter.generate_image(vendors.image_request())


def test_a_size_that_the_model_does_not_make_is_refused_before_the_call(
    visit: Visit, painter: ImageProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RATIOS, "100:100", (100, 100))
    with pytest.raises(InvalidInput) as caught:
        painter.generate_image(vendors.image_request(ratio="100:100"))
    assert caught.value.allowed == [ratio for ratio in RATIOS if ratio != "100:100"]
    assert visit.calls("images.generations") == 0


def test_the_longest_prompt_is_cut_to_what_the_model_takes(
    visit: Visit, painter: ImageProvider
) -> None:
    painter.generate_image(vendors.image_request(prompt="a cat " * 9000))
    assert 31_900 < len(visit.charges()[0].prompt) <= 32_000


def _plain(colour: tuple[int, int, int]) -> EncodedImage:
    out = io.BytesIO()
    Image.new("RGB", (320, 180), colour).save(out, "PNG")
    return EncodedImage(out.getvalue())
