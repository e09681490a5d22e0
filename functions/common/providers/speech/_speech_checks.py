"""Checks of synthesized speech: format, loudness, duration and transcript."""

import array
import difflib
import sys
import unicodedata

from common.domain.errors import MediaError
from common.domain.narration import MAX_PACE, speech_seconds
from common.domain.video import Cost
from common.media.wav import PcmAudio, read_wav
from common.providers import SpeechRequest

# Peak amplitude of 16-bit samples (maximum 32,768); the noise of a quiet recording is below it.
_SILENCE_PEAK = 200
# Minimum similarity. Numbers may be spelled out and punctuation omitted, but a missing or extra
# sentence makes a different text.
_MIN_SIMILARITY = 0.8


def checked(data: bytes, request: SpeechRequest, cost: Cost) -> PcmAudio:
    """Return the audio of a WAV file with speech that is audible and fits its scene.

    Raises MediaError (`speech.unusable`, `speech.too_long`), which carries the cost.
    """
    try:
        audio = read_wav(data)
    except MediaError:
        raise _unusable("is not a complete WAV file", cost) from None
    if audio.seconds < 0.1 or _peak(audio) < _SILENCE_PEAK:
        raise _unusable("is silent", cost)
    if audio.seconds > speech_seconds(request.seconds) * MAX_PACE:
        raise too_long(cost)
    return audio


def is_the_text(transcript: str, text: str) -> bool:
    """Return whether a transcript matches the text, comparing letters and digits only."""
    matcher = difflib.SequenceMatcher(None, _letters(transcript), _letters(text), autojunk=False)
    return matcher.ratio() >= _MIN_SIMILARITY


def too_long(cost: Cost) -> MediaError:
    """Return the error for speech that is too long for its scene at any speaking rate."""
    return MediaError(
        "The narration is more than twice as long as its scene. It was charged.",
        code="speech.too_long",
        billed=True,
        cost=cost,
        retryable=True,
    )


def _unusable(reason: str, cost: Cost) -> MediaError:
    return MediaError(
        f"The narration that OpenAI generated {reason}. It was charged.",
        code="speech.unusable",
        billed=True,
        cost=cost,
        retryable=True,
    )


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def _peak(audio: PcmAudio) -> int:
    samples = array.array("h", audio.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    return max(max(samples, default=0), -min(samples, default=0))
