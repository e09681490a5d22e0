"""Speech by OpenAI: by a chat model with audio output, or by the older speech endpoint."""

from common.domain import models
from common.domain.errors import InvalidInput
from common.domain.models import Model
from common.providers import ProviderContext, SpeechRequest, SpeechResult, _openai
from common.providers.speech import _openai_chat, _openai_speech


def create(context: ProviderContext) -> "OpenAISpeech":
    """Return the provider."""
    return OpenAISpeech(context)


_ENDPOINTS = {
    "chat/completions": _openai_chat.speak,
    "audio/speech": _openai_speech.speak,
}
_RESOURCES = ("chat.completions", "audio.speech")


class OpenAISpeech:
    """The speech provider `openai`."""

    def __init__(self, context: ProviderContext) -> None:
        self._client = _openai.Client(context, *_RESOURCES)

    def synthesize(self, request: SpeechRequest) -> SpeechResult:
        """Return the text as speech, word for word; makes exactly one paid call.

        Raises MediaError (`speech.unusable`, `speech.too_long`, `speech.not_the_text`), which
        carries the cost.
        """
        model = models.find("speech", "openai", request.model)
        voice = request.voice or model.voices[0]
        _check(model, request, voice)
        return _ENDPOINTS[model.endpoint or ""](self._client, model, voice, request)


def _check(model: Model, request: SpeechRequest, voice: str) -> None:
    """Raise InvalidInput before anything is sent, so that a rejected request costs nothing."""
    if voice not in model.voices:
        raise InvalidInput(
            f"{model.model} has no voice '{voice}'. Nothing was charged.",
            field="voice",
            allowed=list(model.voices),
            billed=False,
        )
    if model.prompt_characters and len(request.text) > model.prompt_characters:
        raise InvalidInput(
            f"{model.model} accepts at most {model.prompt_characters} characters of text. Nothing "
            "was charged.",
            field="text",
            allowed=model.prompt_characters,
            billed=False,
        )
