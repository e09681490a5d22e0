"""What came back as speech: is it sound, does it fit, and is it the text."""

import array
import difflib
import sys
import unicodedata

from common.domain.errors import MediaError
from common.domain.narration import FASTEST, room
from common.domain.video import Cost
from common.media.wav import PcmAudio, read_wav
from common.providers import SpeechRequest

# Of 32,768; the noise of a quiet recording is below.
_SILENT = 200
# Numbers may be spelt out and signs left away; a sentence more or less is another text.
_LIKE = 0.8


def checked(data: bytes, request: SpeechRequest, cost: Cost) -> PcmAudio:
    """Return the sound of a WAV file that holds speech of a usable length.

    Raises MediaError (`speech.unusable`, `speech.too_long`), which carries what it cost.
    """
    try:
        sound = read_wav(data)
    except MediaError:
        raise _unusable("is not a whole WAV file", cost) from None
    if sound.seconds < 0.1 or _loudest(sound) < _SILENT:
        raise _unusable("is silent", cost)
    if sound.seconds > room(request.seconds) * FASTEST:
        raise too_long(cost)
    return sound


def is_the_text(transcript: str, text: str) -> bool:
    """Say whether a transcript is the text, letter by letter, but for its signs."""
    said, asked = _letters(transcript), _letters(text)
    return difflib.SequenceMatcher(None, said, asked, autojunk=False).ratio() >= _LIKE


def too_long(cost: Cost) -> MediaError:
    """Return that the speech is longer than its scene can take."""
    return MediaError(
        "The narration came out more than twice as long as its scene. It was charged.",
        code="speech.too_long",
        billed=True,
        cost=cost,
        retryable=True,
    )


def _unusable(how: str, cost: Cost) -> MediaError:
    return MediaError(
        f"The narration that OpenAI spoke {how}. It was charged.",
        code="speech.unusable",
        billed=True,
        cost=cost,
        retryable=True,
    )


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in plain if character.isalnum())


def _loudest(sound: PcmAudio) -> int:
    samples = array.array("h", sound.samples)
    if sys.byteorder == "big":
        samples.byteswap()
    return max(max(samples, default=0), -min(samples, default=0))
