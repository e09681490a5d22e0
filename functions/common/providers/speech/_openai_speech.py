"""Speech by POST /v1/audio/speech: audio data without usage or cost."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from common.domain.models import Model
from common.domain.video import Cost
from common.providers import SpeechRequest, SpeechResult, _openai, prompts, vendor_errors
from common.providers.speech import _speech_checks

if TYPE_CHECKING:
    from openai import OpenAI
    from openai._legacy_response import LegacyAPIResponse

# Below the 110 s of the function `speech`.
_SECONDS = 90.0


def speak(client: _openai.Client, model: Model, voice: str, request: SpeechRequest) -> SpeechResult:
    """Return the text as speech; makes exactly one paid call.

    The cost is computed from the duration of the speech. Raises MediaError (`speech.unusable`,
    `speech.too_long`), NotAccepted, ProviderRefused or OutcomeUnknown.
    """

    def make(sdk: "OpenAI") -> "LegacyAPIResponse[Any]":
        return sdk.audio.speech.with_raw_response.create(
            model=model.model,
            voice=voice,
            input=request.text,
            instructions=prompts.speech(request.mood, request.language),
            response_format="wav",
        )

    data = client.call_for_bytes(_SECONDS, make)
    if not data.startswith(b"RIFF"):  # for example the page of a proxy
        raise vendor_errors.unknown(_openai.VENDOR)
    expected = Cost(usd=model.narration_usd(request.seconds))
    sound = _speech_checks.checked(data, request, expected)
    tokens = Decimal(round(sound.seconds * model.audio_tokens_per_second))
    return SpeechResult(
        sound, Cost(usd=model.speech_usd(sound.seconds), units=tokens, unit="token")
    )
