"""The offline voice as a speech provider: eSpeak NG on this machine, by rule, no AI, free."""

from common.domain.narration import room
from common.domain.video import FREE
from common.providers import ProviderContext, SpeechRequest, SpeechResult
from offline.tts import language, program

# Words a minute: unhurried, and the fastest that is still understood.
_UNHURRIED, _FASTEST = 160, 320


def create(_context: ProviderContext) -> "OfflineVoice":
    """Return the provider; it needs nothing."""
    return OfflineVoice()


class OfflineVoice:
    """Speaks; the same request gives the same samples."""

    def synthesize(self, request: SpeechRequest) -> SpeechResult:
        """Return the text as spoken, faster if it would not fit into its scene.

        Raises MediaError when the synthesizer fails.
        """
        voice = language.voice(request.text, request.language, request.voice)
        sound = program.speak(request.text, voice, _UNHURRIED)
        hurry = sound.seconds / room(request.seconds)
        pace = _UNHURRIED
        if hurry > 1:
            # A little more than the ratio asks for: pauses do not shorten with the words.
            pace = min(round(_UNHURRIED * hurry * 1.08), _FASTEST)
            sound = program.speak(request.text, voice, pace)
        warnings = language.warnings(request.text, request.language)
        return SpeechResult(sound, FREE, warnings, pace / _UNHURRIED)
