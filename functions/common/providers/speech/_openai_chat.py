"""POST /v1/chat/completions with sound as the answer: sound, its transcript, and the tokens.

The model is one to talk with. It is told to read aloud, and held to it: what it says that it said
must be the text.
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
from common.domain.narration import FASTEST
from common.domain.video import Cost
from common.providers import SpeechRequest, SpeechResult, _openai, prompts, vendor_errors
from common.providers.speech import _spoken

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
    """Make the call and hold the answer to the text."""

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
            max_completion_tokens=_most_tokens(model, request),
            store=False,
        )

    body = client.call(_SECONDS, make)
    told = _cost(model, body.get("usage"))
    cost = told or Cost(usd=model.narration_usd(request.seconds))
    audio = _audio(body, cost)
    try:
        data = base64.b64decode(audio.data, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    sound = _spoken.checked(data, request, cost)
    if not _spoken.is_the_text(audio.transcript, request.text):
        raise MediaError(
            "OpenAI's voice did not say the text word for word. It was charged.",
            code="speech.not_the_text",
            billed=True,
            cost=cost,
            retryable=True,
        )
    return SpeechResult(sound, cost)


def _most_tokens(model: Model, request: SpeechRequest) -> int:
    """Return what the longest speech that could be used takes: more would be paid for nothing."""
    spoken = request.seconds * FASTEST * model.audio_tokens_per_second
    return math.ceil(spoken) + 16 + len(request.text)  # and its transcript


def _audio(body: dict[str, Any], cost: Cost) -> _Audio:
    """Return the spoken answer; raises ProviderRefused or OutcomeUnknown without one."""
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
        raise _spoken.too_long(cost)
    if choice.message.audio is None:
        raise vendor_errors.refused(_openai.VENDOR, "provider.output", billed=True, cost=cost)
    return choice.message.audio


def _cost(model: Model, usage: Any) -> Cost | None:
    """Return what the tokens cost; None when the answer does not tell. Sound has its own price."""
    if not isinstance(usage, Mapping):
        return None
    read, written = usage.get("prompt_tokens"), usage.get("completion_tokens")
    details = usage.get("completion_tokens_details")
    audio = details.get("audio_tokens") if isinstance(details, Mapping) else None
    if not (isinstance(read, int) and isinstance(written, int) and isinstance(audio, int)):
        return None
    usd = (
        read * model.usd_per_million_input_tokens
        + audio * model.usd_per_million_audio_output_tokens
        + (written - audio) * model.usd_per_million_output_tokens
    ) / _MILLION
    return Cost(usd=usd, units=Decimal(read + written), unit="token")
