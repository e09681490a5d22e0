"""OpenAI's models as of November 2026: kinds, prices and shutdown dates.

Prices: US dollars per million tokens, (input, output), standard tier. The stand-in has its own
list, because tests compare the product's list with it. Other models return 404, as retired ones do
(gpt-image-1, dall-e-3, o4-mini ...).
"""

from dataclasses import dataclass
from decimal import Decimal

from tests.stand_ins.openai_errors import Refused

_CREATED = 1786500000
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Model:
    """A model. `free_size`: images of any WIDTHxHEIGHT within limits, not only three sizes."""

    kind: str
    input_usd: str
    output_usd: str
    shutdown: str | None = None
    free_size: bool = False
    qualities: tuple[str, ...] = ("low", "medium", "high")
    audio_usd: str = "0"

    def price(self, input_tokens: int, output_tokens: int) -> Decimal:
        """Return the price of text tokens in US dollars."""
        return (
            Decimal(self.input_usd) * input_tokens + Decimal(self.output_usd) * output_tokens
        ) / _MILLION

    def audio_price(self, input_tokens: int, output_tokens: int, audio_tokens: int) -> Decimal:
        """Return the price of text and audio tokens in US dollars."""
        spoken = Decimal(self.audio_usd) * audio_tokens / _MILLION
        return self.price(input_tokens, output_tokens) + spoken


_FINE = ("low", "medium", "high", "xhigh", "max")
_25 = Model("image", "5", "30", None, True, _FINE)
_2 = Model("image", "5", "30", None, True)

MODELS: dict[str, Model] = {
    "gpt-6-luna": Model("text", "0.10", "0.50"),
    "gpt-6.1-sol": Model("text", "2.00", "10.00"),
    "gpt-6-astra": Model("text", "10", "50"),
    "gpt-5.4-nano": Model("text", "0.20", "1.25", "2027-04-01"),
    "gpt-5-mini": Model("text", "0.25", "2.00", "2026-12-11"),
    "gpt-4o-mini": Model("text", "0.15", "0.60", "2027-01-14"),
    "gpt-audio-1.5": Model("audio", "2.50", "10", audio_usd="64"),
    "gpt-4o-mini-tts": Model("tts", "0.60", "0", "2027-01-06", audio_usd="12"),
    "gpt-image-2.5-sunburst": _25,
    "gpt-image-2.5-sunburst-2026-09-08": _25,
    "gpt-image-2.5-flare": _25,
    "gpt-image-2.5-flare-2026-09-08": _25,
    "gpt-image-2": _2,
    "gpt-image-2-2026-04-21": _2,
    "gpt-image-1.5": Model("image", "5", "30"),
    "gpt-image-1-mini": Model("image", "5", "30"),
}
NOT_REASONING = frozenset({"gpt-4o-mini"})


def find(name: object, kind: str) -> Model:
    """Return the model. Raises Refused if it is missing, retired, unknown or of another kind."""
    if not isinstance(name, str) or not name:
        raise Refused(
            400,
            "Missing required parameter: 'model'.",
            code="missing_required_parameter",
            param="model",
        )
    model = MODELS.get(name)
    if model is None:
        raise Refused(
            404,
            f"The model `{name}` does not exist or you do not have access to it.",
            code="model_not_found",
            param="model",
        )
    if model.kind != kind:
        raise Refused(
            400,
            f"Invalid value: '{name}'. The model is not supported by this endpoint.",
            code="invalid_value",
            param="model",
        )
    return model


def listing() -> dict[str, object]:
    """Return the response of GET /v1/models."""
    return {
        "object": "list",
        "data": [
            {
                "id": name,
                "object": "model",
                "created": _CREATED,
                "owned_by": "openai",
                "shutdown_date": model.shutdown,
            }
            for name, model in MODELS.items()
        ],
    }
