"""Speech by POST /v1/chat/completions: audio, its transcript, and the tokens used.

The model is made for conversation. The prompt instructs it to read the text aloud, and the
transcript is compared with the text.
"""

import base64
import binascii
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from common.domain.errors import MediaError
from common.domain.models import Model
from common.domain.narration import MAX_PACE
from common.domain.video import Cost
from common.providers import SpeechRequest, SpeechResult, _openai, prompts, vendor_errors
from common.providers.speech import _speech_checks

if TYPE_CHECKING:
    from openai import OpenAI
    from openai._legacy_response import LegacyAPIResponse

# Below the 110 s of the function `speech`.
_SECONDS = 90.0
_MILLION = Decimal(1_000_000)


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Audio(_Loose):
    data: str
    transcript: str


class _Message(_Loose):
    audio: _Audio | None = None
    refusal: str | None = None


class _Choice(_Loose):
    finish_reason: str
    message: _Message


class _Completion(_Loose):
    choices: list[_Choice]


def speak(client: _openai.Client, model: Model, voice: str, request: SpeechRequest) -> SpeechResult:
    """Return the text as speech; makes exactly one paid call.

    Raises MediaError (`speech.unusable`, `speech.too_long`, `speech.not_the_text`), NotAccepted,
    ProviderRefused or OutcomeUnknown.
    """

    def make(sdk: "OpenAI") -> "LegacyAPIResponse[Any]":
        return sdk.chat.completions.with_raw_response.create(
            model=model.model,
            modalities=["text", "audio"],
            audio={"voice": voice, "format": "wav"},
            messages=[
                {
                    "role": "system",
                    "content": prompts.speech_by_chat(request.mood, request.language),
                },
                {"role": "user", "content": request.text},
            ],
            max_completion_tokens=_max_tokens(model, request),
            store=False,
        )

    body = client.call(_SECONDS, make)
    cost = _cost(model, body.get("usage")) or Cost(usd=model.narration_usd(request.seconds))
    audio = _audio(body, cost)
    try:
        data = base64.b64decode(audio.data, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    sound = _speech_checks.checked(data, request, cost)
    if not _speech_checks.is_the_text(audio.transcript, request.text):
        raise MediaError(
            "The narration that OpenAI generated differs from the text. It was charged.",
            code="speech.not_the_text",
            billed=True,
            cost=cost,
            retryable=True,
        )
    return SpeechResult(sound, cost)


def _max_tokens(model: Model, request: SpeechRequest) -> int:
    """Return the number of tokens of the longest usable speech, as a limit on its cost."""
    audio_tokens = request.seconds * MAX_PACE * model.audio_tokens_per_second
    return math.ceil(audio_tokens) + 16 + len(request.text)  # the latter for the transcript


def _audio(body: dict[str, Any], cost: Cost) -> _Audio:
    """Return the audio of the response.

    Without audio, raises ProviderRefused, OutcomeUnknown or MediaError (`speech.too_long`).
    """
    try:
        choices = _Completion.model_validate(body).choices
    except ValidationError:
        choices = []
    if not choices:
        raise vendor_errors.unknown(_openai.VENDOR)
    choice = choices[0]
    if choice.finish_reason == "content_filter":
        vendor_errors.log_vendor_error(_openai.VENDOR, 200, choice.finish_reason, body.get("id"))
        raise vendor_errors.refused(_openai.VENDOR, "safety.output", billed=True, cost=cost)
    if choice.message.refusal:
        raise vendor_errors.refused(_openai.VENDOR, "safety.input", billed=True, cost=cost)
    if choice.finish_reason == "length":
        raise _speech_checks.too_long(cost)
    if choice.message.audio is None:
        raise vendor_errors.refused(_openai.VENDOR, "provider.output", billed=True, cost=cost)
    return choice.message.audio


def _cost(model: Model, usage: Any) -> Cost | None:
    """Return the cost of the tokens, audio at its own price; None without a usable `usage`."""
    if not isinstance(usage, Mapping):
        return None
    input_tokens, output_tokens = usage.get("prompt_tokens"), usage.get("completion_tokens")
    details = usage.get("completion_tokens_details")
    audio_tokens = details.get("audio_tokens") if isinstance(details, Mapping) else None
    if not (
        isinstance(input_tokens, int)
        and isinstance(output_tokens, int)
        and isinstance(audio_tokens, int)
    ):
        return None
    usd = (
        input_tokens * model.usd_per_million_input_tokens
        + audio_tokens * model.usd_per_million_audio_output_tokens
        + (output_tokens - audio_tokens) * model.usd_per_million_output_tokens
    ) / _MILLION
    return Cost(usd=usd, units=Decimal(input_tokens + output_tokens), unit="token")
