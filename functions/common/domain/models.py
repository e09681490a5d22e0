"""The model registry: capabilities, prices and limits of the models, read from `models.toml`."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from common.domain.errors import InvalidInput
from common.domain.video import RATIOS, Cost

Kind = Literal["text", "image", "video", "speech"]

BY_KEY = "by_key"
"""A stage's setting instead of a provider: the provider with a key, otherwise the offline one."""

NEAR_DAYS = 90
"""Days before a model's shutdown from which responses contain a warning."""

_FILE = Path(__file__).parent / "models.toml"
_MILLION = Decimal(1_000_000)
# OpenAI does not publish the tokens of an input image. Measured by a user of gpt-image-2 over 100
# edits (community.openai.com/t/1382940): one token for each patch of 32 x 32 pixels, at most 1,536.
# A smaller image is enlarged first, at most by 2, until its longer side has 1,024 pixels. An image
# with a ratio above 3:1 counts like one of 3:1.
_PATCH_PIXELS, _MOST_PATCHES, _ENLARGED_PIXELS, _MOST_ENLARGED, _LONGEST = 32, 1536, 1024, 2, 3
# A narration is written for the duration of its scene, but the speech may be somewhat longer.
_MAX_SPEECH_RATIO = Decimal("1.3")


def api_key_in(secrets: Mapping[str, str], name: str) -> str | None:
    """Return the provider key of that name; None if it is not set or not valid in an HTTP header.

    The check whether a provider can be used calls this too, so both agree.
    """
    value = secrets.get(name, "").strip()
    return value if value and value.isascii() and value.isprintable() else None


@dataclass(frozen=True, slots=True)
class Model:
    """A model of a provider.

    `key` is the name of the provider key that it needs; a model without key and price is offline.
    `request` are fixed fields of every request for it, `endpoint` is its path if the provider has
    several. `regions` are the AWS regions that offer it; empty for all. The first of `voices` is
    the default. `calls_per_minute`, `images_per_minute` and `jobs_at_once` are the provider's
    limits for all runs together; None is no limit (`common.domain.provider_limits`).
    """

    kind: Kind
    provider: str
    model: str
    label: str
    default: bool = False
    key: str | None = None
    ratios: tuple[str, ...] = ()
    seconds: tuple[int, ...] = ()
    prompt_characters: int | None = None
    prompt_utf16_units: int | None = None
    quality: str | None = None
    quality_base: int = 0
    unit: str | None = None
    units_per_second: Decimal = Decimal(0)
    usd_per_unit: Decimal = Decimal(0)
    usd_per_million_input_tokens: Decimal = Decimal(0)
    usd_per_million_cached_input_tokens: Decimal | None = None
    usd_per_million_output_tokens: Decimal = Decimal(0)
    usd_per_million_image_input_tokens: Decimal = Decimal(0)
    tokens_per_call: tuple[int, int] = (0, 0)
    tokens_per_scene: tuple[int, int] = (0, 0)
    voices: tuple[str, ...] = ()
    usd_per_million_audio_output_tokens: Decimal = Decimal(0)
    audio_tokens_per_second: int = 0
    endpoint: str | None = None
    calls_per_minute: int | None = None
    images_per_minute: int | None = None
    jobs_at_once: int | None = None
    shutdown: str | None = None
    regions: tuple[str, ...] = ()
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_paid(self) -> bool:
        """Return whether calls of the model are charged."""
        return self.key is not None or self.usd_per_unit > 0

    def days_left(self, today: date) -> int | None:
        """Return the days until the provider shuts the model down; None if none are announced."""
        return None if self.shutdown is None else (date.fromisoformat(self.shutdown) - today).days

    def story_usd(self, scenes: int) -> Decimal:
        """Estimate the cost of a story with this number of scenes."""
        tokens_in = self.tokens_per_call[0] + scenes * self.tokens_per_scene[0]
        tokens_out = self.tokens_per_call[1] + scenes * self.tokens_per_scene[1]
        return (
            tokens_in * self.usd_per_million_input_tokens
            + tokens_out * self.usd_per_million_output_tokens
        ) / _MILLION

    def image_usd(self, ratio: str, *, anchor: bool = False, reference: bool = False) -> Decimal:
        """Estimate the cost of an image, by OpenAI's calculator, and of its input images.

        `anchor` is the first image of the video, which has the size of the output. The size of a
        user's `reference` image is not known, but it is never sent with more pixels than the output
        has.
        """
        width, height = RATIOS[ratio]
        side = math.isqrt(width * height)
        input_tokens = input_image_tokens(width, height) if anchor else 0
        if reference:
            input_tokens += max(
                input_image_tokens(*size) for size in ((width, height), (side, side))
            )
        short_units = round(self.quality_base / (max(width, height) / min(width, height)))
        tokens = math.ceil(
            self.quality_base * short_units * (2_000_000 + width * height) / 4_000_000
        )
        return (
            tokens * self.usd_per_million_output_tokens
            + self.tokens_per_call[0] * self.usd_per_million_input_tokens
            + input_tokens * self.usd_per_million_image_input_tokens
        ) / _MILLION

    def clip_usd(self, seconds: int) -> Decimal:
        """Estimate the cost of a clip of `seconds`."""
        return seconds * self.units_per_second * self.usd_per_unit

    def clip_cost(self, seconds: int) -> Cost:
        """Estimate the cost of a clip of `seconds`, in US dollars and in the provider's units."""
        return Cost(self.clip_usd(seconds), seconds * self.units_per_second, self.unit)

    def speech_usd(self, seconds: float | Decimal) -> Decimal:
        """Estimate the cost of `seconds` of speech."""
        audio = Decimal(seconds) * self.audio_tokens_per_second
        return (
            audio * self.usd_per_million_audio_output_tokens
            + self.tokens_per_call[0] * self.usd_per_million_input_tokens
            + self.tokens_per_call[1] * self.usd_per_million_output_tokens
        ) / _MILLION

    def narration_usd(self, scene_seconds: int) -> Decimal:
        """Estimate the cost of a scene's narration, before its text is known."""
        return self.speech_usd(scene_seconds * _MAX_SPEECH_RATIO)


@dataclass(frozen=True, slots=True)
class ModelSelection:
    """The models of a video; `speech` is None if it is not narrated."""

    text: Model
    image: Model
    video: Model
    speech: Model | None = None

    @property
    def is_paid(self) -> bool:
        """Return whether calls of any of the models are charged."""
        return any(model.is_paid for model in self.all())

    def all(self) -> tuple[Model, ...]:
        """Return the models in the order of the pipeline."""
        speech = (self.speech,) if self.speech else ()
        return (self.text, self.image, *speech, self.video)

    def ending(self, today: date) -> list[Model]:
        """Return the models that their providers shut down within `NEAR_DAYS`, or did already."""
        days_left = [(model, model.days_left(today)) for model in self.all()]
        return [model for model, days in days_left if days is not None and days <= NEAR_DAYS]

    def estimate_usd(self, *, scenes: int, seconds: int, ratio: str, reference: bool) -> Decimal:
        """Estimate the cost of the whole video: its story, images, clips and narrations."""
        images_usd = sum(self.scene_image_usd(n, ratio, reference) for n in range(1, scenes + 1))
        scene_usd = self.video.clip_usd(seconds) + self.narration_usd(seconds)
        return self.text.story_usd(scenes) + images_usd + scenes * scene_usd

    def narration_usd(self, seconds: int) -> Decimal:
        """Estimate the cost of one scene's narration; 0 if the video is not narrated."""
        return self.speech.narration_usd(seconds) if self.speech else Decimal(0)

    def scene_image_usd(self, scene: int, ratio: str, reference: bool) -> Decimal:
        """Estimate the cost of one scene's image.

        Images of all scenes except the first use the first image as an input, in addition to the
        user's reference image.
        """
        return self.image.image_usd(ratio, anchor=scene != 1, reference=reference)


def input_image_tokens(width: int, height: int) -> int:
    """Return the tokens of an input image of this size in pixels."""
    longer, shorter = max(width, height), min(width, height)
    factor = max(1, min(_MOST_ENLARGED, _ENLARGED_PIXELS / longer))
    longer, shorter = round(longer * factor), round(max(shorter, longer / _LONGEST) * factor)
    patches = math.ceil(longer / _PATCH_PIXELS) * math.ceil(shorter / _PATCH_PIXELS)
    return min(patches, _MOST_PATCHES)


@cache
def models() -> tuple[Model, ...]:
    """Return all models, in the order of the file."""
    with _FILE.open("rb") as file:
        return tuple(_model(entry) for entry in tomllib.load(file)["models"])


def find(kind: Kind, provider: str, model: str | None = None) -> Model:
    """Return the provider's model, or its default one; raises InvalidInput with allowed values."""
    of_kind = [m for m in models() if m.kind == kind]
    of_provider = [m for m in of_kind if m.provider == provider]
    if not of_provider:
        allowed = sorted({m.provider for m in of_kind})
        raise InvalidInput(
            f"There is no {kind} provider '{provider}'; allowed: {', '.join(allowed)}.",
            field=f"{kind}_provider",
            allowed=allowed,
        )
    for candidate in of_provider:
        if candidate.model == model or (model is None and candidate.default):
            return candidate
    allowed = [m.model for m in of_provider]
    raise InvalidInput(
        f"{provider} has no {kind} model '{model}'; allowed: {', '.join(allowed)}.",
        field=f"{kind}_model",
        allowed=allowed,
    )


def paid_providers(keys: Mapping[str, str]) -> dict[Kind, str]:
    """Return the paid provider of each kind of model, of those whose key is in `keys`."""
    return {
        model.kind: model.provider
        for model in models()
        if model.default and model.key and api_key_in(keys, model.key)
    }


@cache
def offline(*, narrated: bool = False) -> ModelSelection:
    """Return the offline models."""
    return ModelSelection(
        find("text", "offline"),
        find("image", "offline"),
        find("video", "offline"),
        find("speech", "offline") if narrated else None,
    )


@cache
def paid(*, narrated: bool = False) -> ModelSelection:
    """Return the default models of the paid providers."""
    return ModelSelection(
        find("text", "openai"),
        find("image", "openai"),
        find("video", "runway"),
        find("speech", "openai") if narrated else None,
    )


def _model(entry: dict[str, Any]) -> Model:
    decimals = {k: Decimal(v) for k, v in entry.items() if k.startswith(("usd_", "units_"))}
    tuples = {k: tuple(v) for k, v in entry.items() if isinstance(v, list)}
    return Model(**{**entry, **decimals, **tuples})
