"""The model registry: what it refuses, and what it estimates."""

from dataclasses import replace
from decimal import Decimal

import pytest

from common import providers
from common.domain import models
from common.domain.errors import InvalidInput


def test_there_is_exactly_one_default_for_each_kind_and_provider() -> None:
    defaults = [(m.kind, m.provider) for m in models.models() if m.default]
    assert len(defaults) == len(set(defaults))
    assert set(defaults) == {(m.kind, m.provider) for m in models.models()}


@pytest.mark.parametrize(
    ("ratio", "usd"),
    # OpenAI's published table for gpt-image-2.5 at medium quality.
    [("1280:720", "0.0074"), ("720:1280", "0.0074")],
)
def test_a_picture_costs_what_openais_table_says(ratio: str, usd: str) -> None:
    model = replace(models.paid().image, tokens_per_call=(0, 0))  # without the prompt
    assert model.image_usd(ratio).quantize(Decimal("0.0001")) == Decimal(usd)


@pytest.mark.parametrize(
    ("size", "tokens"),
    [
        ((1280, 720), 920),
        ((720, 1280), 920),
        ((960, 960), 1024),
        ((1584, 672), 1050),
        ((512, 512), 1024),
        ((100, 100), 49),
        ((2048, 2048), 1536),
        ((3000, 100), 1536),
        ((1024, 64), 352),
        ((1, 1), 1),
    ],
)
def test_an_input_picture_counts_by_its_patches(size: tuple[int, int], tokens: int) -> None:
    assert models.input_picture_tokens(*size) == tokens


def test_a_clip_costs_what_runways_example_says() -> None:
    assert models.paid().video.clip_usd(5) == Decimal("0.25")


def test_the_estimate_is_the_sum_of_its_parts() -> None:
    choice = models.paid()
    total = choice.estimate_usd(scenes=3, seconds=5, ratio="1280:720", reference=True)
    assert total == (
        choice.text.story_usd(3)
        + choice.image.image_usd("1280:720", reference=True)
        + 2 * choice.image.image_usd("1280:720", anchor=True, reference=True)
        + 3 * choice.video.clip_usd(5)
    )


def test_a_narration_costs_what_its_seconds_do() -> None:
    """20 tokens for a second at 64 dollars a million, for somewhat more than the scene."""
    silent, spoken = models.paid(), models.paid(narrated=True)
    assert spoken.speech is not None
    assert spoken.speech.speech_usd(60) - spoken.speech.speech_usd(0) == Decimal("0.0768")
    more = [
        choice.estimate_usd(scenes=3, seconds=5, ratio="1280:720", reference=False)
        for choice in (silent, spoken)
    ]
    assert more[1] - more[0] == 3 * spoken.narration_usd(5) > 0


def test_offline_costs_nothing() -> None:
    choice = models.offline()
    assert not any(m.is_paid for m in (choice.text, choice.image, choice.video))
    assert choice.estimate_usd(scenes=60, seconds=10, ratio="960:960", reference=True) == 0


def test_what_is_not_there_is_refused_with_what_is() -> None:
    with pytest.raises(InvalidInput) as provider:
        models.find("video", "sora")
    assert provider.value.allowed == ["luma", "offline", "runway"]
    with pytest.raises(InvalidInput) as model:
        models.find("image", "openai", "gpt-image-1")
    assert model.value.allowed == [
        "gpt-image-2.5-sunburst",
        "gpt-image-2.5-flare",
        "gpt-image-2",
    ]


def test_the_folder_is_the_registry() -> None:
    for kind in ("text", "image", "video", "speech"):
        assert "offline" in providers.names(kind)
