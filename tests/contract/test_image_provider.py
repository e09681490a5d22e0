"""The contract of image providers, checked against the stand-in of each vendor.

Providers are discovered by their module. A new provider needs an entry in `PROVIDER_FACTORIES`,
with a stand-in if it calls a vendor.
"""

import io
from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from common.domain import models
from common.domain.styles import mood, style
from common.domain.video import RATIOS, EncodedImage
from common.providers import ImageProvider, ImageRequest, image_provider, names
from tests.stand_ins import openai
from tests.stand_ins.process import StandIn
from tests.support import vendors

ProviderFactory = Callable[[pytest.FixtureRequest], ImageProvider]


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


def _openai(request: pytest.FixtureRequest) -> ImageProvider:
    vendor: StandIn = request.getfixturevalue("openai_stand_in")
    vendor.clear()
    return image_provider("openai", vendors.context(openai=vendor))


PROVIDER_FACTORIES: dict[str, ProviderFactory] = {
    "offline": lambda _request: image_provider("offline", vendors.context()),
    "openai": _openai,
}


@pytest.fixture(params=names("image"))
def name(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name not in PROVIDER_FACTORIES:
        pytest.fail(f"Image provider '{name}' is missing from PROVIDER_FACTORIES in {__file__}.")
    return name


@pytest.fixture
def provider(name: str, request: pytest.FixtureRequest) -> ImageProvider:
    return PROVIDER_FACTORIES[name](request)


def image_request(
    name: str,
    ratio: str = "1280:720",
    *,
    scene: int = 1,
    reference: EncodedImage | None = None,
    anchor: EncodedImage | None = None,
) -> ImageRequest:
    return ImageRequest(
        prompt="A red fox in a snowy forest",
        size=RATIOS[ratio],
        scene=scene,
        scenes=3,
        style=style("Anime"),
        mood=mood("Calm"),
        model=models.find("image", name).model,
        seed=7,
        reference=reference,
        anchor=anchor,
    )


def test_image_provider_returns_exact_size_for_every_ratio(
    name: str, provider: ImageProvider
) -> None:
    for ratio in models.find("image", name).ratios:
        picture = provider.generate_image(image_request(name, ratio)).picture
        with Image.open(io.BytesIO(picture.data)) as image:
            image.load()
            assert (image.format, image.size) == ("PNG", RATIOS[ratio])
        assert picture.media_type == "image/png"


def test_image_provider_accepts_reference_and_first_image(
    name: str, provider: ImageProvider
) -> None:
    anchor = provider.generate_image(image_request(name)).picture
    reference = vendors.sample_image("720:1280")
    for request in (
        image_request(name, scene=2, reference=reference),
        image_request(name, scene=2, anchor=anchor),
        image_request(name, scene=2, reference=reference, anchor=anchor),
    ):
        result = provider.generate_image(request)
        with Image.open(io.BytesIO(result.picture.data)) as image:
            assert image.size == (1280, 720)


def test_image_provider_cost_is_positive_only_if_paid(name: str, provider: ImageProvider) -> None:
    cost = provider.generate_image(image_request(name)).cost
    assert (cost.usd > 0) == models.find("image", name).is_paid
