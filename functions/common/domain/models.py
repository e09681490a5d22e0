"""The model registry: what each provider's models take and cost, read from `models.toml`."""

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
"""In the place of a stage's provider: the one whose key is set, else the offline one."""

NEAR_DAYS = 90
"""So long before a model is shut down, those who take it are warned."""

_FILE = Path(__file__).parent / "models.toml"
_MILLION = Decimal(1_000_000)
# OpenAI does not publish what an input picture of its image models counts. Measured by a user of
# gpt-image-2 over 100 edits (community.openai.com/t/1382940): patches of 32 x 32 pixels, at most
# 1,536; a smaller picture is enlarged first, up to twice, until its longer side has 1,024 pixels;
# one that is longer than 3:1 counts as if it were 3:1.
_PATCH_PIXELS, _MOST_PATCHES, _ENLARGED_PIXELS, _MOST_ENLARGED, _LONGEST = 32, 1536, 1024, 2, 3
# A narration is written for its scene, and may come out somewhat longer.
_SPOKEN_OVER_SCENE = Decimal("1.3")


def api_key_in(secrets: Mapping[str, str], name: str) -> str | None:
    """Return the API key of that name; None if it is not set, or cannot be one: no header holds it.

    Who decides whether a provider can be used asks here too.
    """
    value = secrets.get(name, "").strip()
    return value if value and value.isascii() and value.isprintable() else None


@dataclass(frozen=True, slots=True)
class Model:
    """One model. `key` names the secret it needs; one without key and price runs offline.

    `request` holds fields that every request for it carries; `endpoint` is the path that takes it,
    where the provider has several. What is per minute or at once is the provider's limit for all
    runs together; None is no limit (`common.domain.provider_limits`).
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
    voices: tuple[str, ...] = ()  # of speech; the first is taken when a request names none
    usd_per_million_audio_output_tokens: Decimal = Decimal(0)
    audio_tokens_per_second: int = 0
    endpoint: str | None = None
    calls_per_minute: int | None = None
    images_per_minute: int | None = None
    jobs_at_once: int | None = None
    shutdown: str | None = None
    regions: tuple[str, ...] = ()  # of AWS, where it is offered; empty: everywhere
    request: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_paid(self) -> bool:
        """Say whether a call to it is charged."""
        return self.key is not None or self.usd_per_unit > 0

    def days_left(self, today: date) -> int | None:
        """Return how many days there are until its provider shuts it down; None if unannounced."""
        return None if self.shutdown is None else (date.fromisoformat(self.shutdown) - today).days

    def story_usd(self, scenes: int) -> Decimal:
        """Estimate a story of so many scenes."""
        tokens_in = self.tokens_per_call[0] + scenes * self.tokens_per_scene[0]
        tokens_out = self.tokens_per_call[1] + scenes * self.tokens_per_scene[1]
        return (
            tokens_in * self.usd_per_million_input_tokens
            + tokens_out * self.usd_per_million_output_tokens
        ) / _MILLION

    def image_usd(self, ratio: str, *, anchor: bool = False, reference: bool = False) -> Decimal:
        """Estimate a picture by the formula of OpenAI's own calculator, and what is sent for it.

        The anchor has the picture's own size. The size of a user's reference is not known; none is
        sent with more pixels than the picture has.
        """
        width, height = RATIOS[ratio]
        side = math.isqrt(width * height)
        sent = input_picture_tokens(width, height) if anchor else 0
        if reference:
            sent += max(input_picture_tokens(*size) for size in ((width, height), (side, side)))
        short_units = round(self.quality_base / (max(width, height) / min(width, height)))
        tokens = math.ceil(
            self.quality_base * short_units * (2_000_000 + width * height) / 4_000_000
        )
        return (
            tokens * self.usd_per_million_output_tokens
            + self.tokens_per_call[0] * self.usd_per_million_input_tokens
            + sent * self.usd_per_million_image_input_tokens
        ) / _MILLION

    def clip_usd(self, seconds: int) -> Decimal:
        """Estimate a clip of so many seconds."""
        return seconds * self.units_per_second * self.usd_per_unit

    def clip_cost(self, seconds: int) -> Cost:
        """Return the same in the provider's units too."""
        return Cost(self.clip_usd(seconds), seconds * self.units_per_second, self.unit)

    def speech_usd(self, seconds: float | Decimal) -> Decimal:
        """Estimate so many seconds of speech."""
        audio = Decimal(seconds) * self.audio_tokens_per_second
        return (
            audio * self.usd_per_million_audio_output_tokens
            + self.tokens_per_call[0] * self.usd_per_million_input_tokens
            + self.tokens_per_call[1] * self.usd_per_million_output_tokens
        ) / _MILLION

    def narration_usd(self, scene_seconds: int) -> Decimal:
        """Estimate the narration of a scene, before its text is known."""
        return self.speech_usd(scene_seconds * _SPOKEN_OVER_SCENE)


@dataclass(frozen=True, slots=True)
class ModelSelection:
    """The models that make a video; `speech` where it is narrated."""

    text: Model
    image: Model
    video: Model
    speech: Model | None = None

    @property
    def is_paid(self) -> bool:
        """Say whether a call to one of them is charged."""
        return any(model.is_paid for model in self.all())

    def all(self) -> tuple[Model, ...]:
        """Return them in the order of the pipeline."""
        spoken = (self.speech,) if self.speech else ()
        return (self.text, self.image, *spoken, self.video)

    def ending(self, today: date) -> list[Model]:
        """Return those that their providers shut down within NEAR_DAYS, or have."""
        left = [(model, model.days_left(today)) for model in self.all()]
        return [model for model, days in left if days is not None and days <= NEAR_DAYS]

    def estimate_usd(self, *, scenes: int, seconds: int, ratio: str, reference: bool) -> Decimal:
        """Estimate the whole video: a story, and all that is made for each scene."""
        pictures = sum(self.picture_usd(n, ratio, reference) for n in range(1, scenes + 1))
        each = self.video.clip_usd(seconds) + self.narration_usd(seconds)
        return self.text.story_usd(scenes) + pictures + scenes * each

    def narration_usd(self, seconds: int) -> Decimal:
        """Estimate the narration of one scene; nothing where nobody speaks."""
        return self.speech.narration_usd(seconds) if self.speech else Decimal(0)

    def picture_usd(self, scene: int, ratio: str, reference: bool) -> Decimal:
        """Estimate one picture: all but the first follow the first, beside the user's own."""
        return self.image.image_usd(ratio, anchor=scene != 1, reference=reference)


def input_picture_tokens(width: int, height: int) -> int:
    """Return the tokens of a picture of so many pixels that is sent to an image model."""
    longer, shorter = max(width, height), min(width, height)
    factor = max(1, min(_MOST_ENLARGED, _ENLARGED_PIXELS / longer))
    longer, shorter = round(longer * factor), round(max(shorter, longer / _LONGEST) * factor)
    patches = math.ceil(longer / _PATCH_PIXELS) * math.ceil(shorter / _PATCH_PIXELS)
    return min(patches, _MOST_PATCHES)


@cache
def models() -> tuple[Model, ...]:
    """All models, in the order of the file."""
    with _FILE.open("rb") as file:
        return tuple(_model(entry) for entry in tomllib.load(file)["models"])


def find(kind: Kind, provider: str, model: str | None = None) -> Model:
    """Return the provider's model, or its default one; raises InvalidInput with what there is."""
    of_kind = [m for m in models() if m.kind == kind]
    of_provider = [m for m in of_kind if m.provider == provider]
    if not of_provider:
        known = sorted({m.provider for m in of_kind})
        raise InvalidInput(
            f"There is no {kind} provider '{provider}'; allowed: {', '.join(known)}.",
            field=f"{kind}_provider",
            allowed=known,
        )
    for candidate in of_provider:
        if candidate.model == model or (model is None and candidate.default):
            return candidate
    known = [m.model for m in of_provider]
    raise InvalidInput(
        f"{provider} has no {kind} model '{model}'; allowed: {', '.join(known)}.",
        field=f"{kind}_model",
        allowed=known,
    )


def with_a_key(keys: Mapping[str, str]) -> dict[Kind, str]:
    """Return the paid provider of each kind of work whose key is among the keys."""
    return {
        model.kind: model.provider
        for model in models()
        if model.default and model.key and api_key_in(keys, model.key)
    }


@cache
def offline(*, narrated: bool = False) -> ModelSelection:
    """The models that need no key."""
    return ModelSelection(
        find("text", "offline"),
        find("image", "offline"),
        find("video", "offline"),
        find("speech", "offline") if narrated else None,
    )


@cache
def paid(*, narrated: bool = False) -> ModelSelection:
    """The default models of the paid providers."""
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
