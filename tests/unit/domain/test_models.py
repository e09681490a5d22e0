"""The model registry: look-ups and price estimates."""

from dataclasses import replace
from decimal import Decimal

import pytest

from common import providers
from common.domain import models
from common.domain.errors import InvalidInput


def test_registry_has_one_default_per_kind_and_provider() -> None:
    defaults = [(m.kind, m.provider) for m in models.models() if m.default]
    assert len(defaults) == len(set(defaults))
    assert set(defaults) == {(m.kind, m.provider) for m in models.models()}


@pytest.mark.parametrize(
    ("ratio", "usd"),
    # OpenAI's published table for gpt-image-2.5 at medium quality.
    [("1280:720", "0.0074"), ("720:1280", "0.0074")],
)
def test_image_price_matches_openais_table(ratio: str, usd: str) -> None:
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
def test_input_image_tokens_are_counted_in_patches(size: tuple[int, int], tokens: int) -> None:
    assert models.input_image_tokens(*size) == tokens


def test_clip_price_matches_runways_example() -> None:
    assert models.paid().video.clip_usd(5) == Decimal("0.25")


def test_estimate_is_the_sum_of_its_calls() -> None:
    selection = models.paid()
    total = selection.estimate_usd(scenes=3, seconds=5, ratio="1280:720", reference=True)
    assert total == (
        selection.text.story_usd(3)
        + selection.image.image_usd("1280:720", reference=True)
        + 2 * selection.image.image_usd("1280:720", anchor=True, reference=True)
        + 3 * selection.video.clip_usd(5)
    )


def test_narration_price_is_proportional_to_its_seconds() -> None:
    """20 tokens per second at 64 dollars per million tokens, with a margin over the scene."""
    silent, narrated = models.paid(), models.paid(narrated=True)
    assert narrated.speech is not None
    assert narrated.speech.speech_usd(60) - narrated.speech.speech_usd(0) == Decimal("0.0768")
    estimates = [
        selection.estimate_usd(scenes=3, seconds=5, ratio="1280:720", reference=False)
        for selection in (silent, narrated)
    ]
    assert estimates[1] - estimates[0] == 3 * narrated.narration_usd(5) > 0


def test_offline_estimate_is_zero() -> None:
    selection = models.offline()
    assert not any(m.is_paid for m in (selection.text, selection.image, selection.video))
    assert selection.estimate_usd(scenes=60, seconds=10, ratio="960:960", reference=True) == 0


def test_unknown_model_is_rejected_with_alternatives() -> None:
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


def test_offline_provider_exists_for_every_kind() -> None:
    for kind in ("text", "image", "video", "speech"):
        assert "offline" in providers.names(kind)
