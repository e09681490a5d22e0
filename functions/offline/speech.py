"""Offline speech provider: eSpeak NG on this machine, free and without AI."""

from common.domain.narration import speech_seconds
from common.domain.video import FREE
from common.providers import ProviderContext, SpeechRequest, SpeechResult
from offline.tts import language, program

# Words per minute: the normal rate, and the highest that is still intelligible.
_NORMAL_WPM, _MAX_WPM = 160, 320


def create(_context: ProviderContext) -> "OfflineVoice":
    """Return the provider, which needs no configuration."""
    return OfflineVoice()


class OfflineVoice:
    """A deterministic speech provider: equal requests give equal samples."""

    def synthesize(self, request: SpeechRequest) -> SpeechResult:
        """Synthesize the text, at a higher rate if it would exceed its scene.

        Raises MediaError if the synthesizer fails.
        """
        voice = language.voice(request.text, request.language, request.voice)
        sound = program.speak(request.text, voice, _NORMAL_WPM)
        ratio = sound.seconds / speech_seconds(request.seconds)
        rate = _NORMAL_WPM
        if ratio > 1:
            # 8 % above the ratio, because pauses do not shorten with the words.
            rate = min(round(_NORMAL_WPM * ratio * 1.08), _MAX_WPM)
            sound = program.speak(request.text, voice, rate)
        warnings = language.warnings(request.text, request.language)
        return SpeechResult(sound, FREE, warnings, rate / _NORMAL_WPM)
