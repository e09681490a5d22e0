"""What every image provider promises, whoever it is; each is reached over its stand-in.

A new provider is picked up by its file. It needs an entry in `DOORS` here that opens it, with a
stand-in behind it where it speaks to somebody.
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

Door = Callable[[pytest.FixtureRequest], ImageProvider]


@pytest.fixture(scope="module")
def openai_stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with openai.serve(tmp_path_factory.mktemp("openai")) as vendor:
        yield vendor


def _openai(request: pytest.FixtureRequest) -> ImageProvider:
    vendor: StandIn = request.getfixturevalue("openai_stand_in")
    vendor.clear()
    return image_provider("openai", vendors.context(openai=vendor))


DOORS: dict[str, Door] = {
    "offline": lambda _request: image_provider("offline", vendors.context()),
    "openai": _openai,
}


@pytest.fixture(params=names("image"))
def name(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    if found not in DOORS:
        pytest.fail(f"No way to reach the image provider '{found}': add it to DOORS in {__file__}.")
    return found


@pytest.fixture
def painter(name: str, request: pytest.FixtureRequest) -> ImageProvider:
    return DOORS[name](request)


def wish(
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


def test_every_ratio_of_the_registry_is_painted_at_its_exact_size(
    name: str, painter: ImageProvider
) -> None:
    for ratio in models.find("image", name).ratios:
        picture = painter.generate_image(wish(name, ratio)).picture
        with Image.open(io.BytesIO(picture.data)) as image:
            image.load()
            assert (image.format, image.size) == ("PNG", RATIOS[ratio])
        assert picture.media_type == "image/png"


def test_pictures_to_follow_are_taken(name: str, painter: ImageProvider) -> None:
    anchor = painter.generate_image(wish(name)).picture
    reference = vendors.picture("720:1280")
    for request in (
        wish(name, scene=2, reference=reference),
        wish(name, scene=2, anchor=anchor),
        wish(name, scene=2, reference=reference, anchor=anchor),
    ):
        result = painter.generate_image(request)
        with Image.open(io.BytesIO(result.picture.data)) as image:
            assert image.size == (1280, 720)


def test_the_price_is_the_registrys(name: str, painter: ImageProvider) -> None:
    cost = painter.generate_image(wish(name)).cost
    assert (cost.usd > 0) == models.find("image", name).is_paid
