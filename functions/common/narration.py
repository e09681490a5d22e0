"""How long words take to say, and how many fit into a scene. Touches nothing outside.

A narration is written for its scene, so it is fitted before it is spoken. What is spoken all the
same takes as long as it takes: up to FASTEST times the scene's room it is quickened when the sound
is mixed (pitch kept), beyond that it is refused.
"""

import unicodedata
from collections.abc import Iterator

FASTEST = 2.0
MAX_CHARACTERS = 1200
# A breath before and after, so that no scene begins or ends in the middle of a sound.
_PAUSE_SECONDS = 0.25
# A syllable is written with two or three letters of an alphabet, or with one of these.
_SYLLABIC = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_LETTER_SECONDS, _SYLLABLE_SECONDS = 0.062, 0.2
_STOPS = {".": 0.35, "!": 0.35, "?": 0.35, "…": 0.35, "。": 0.35, ",": 0.18, ";": 0.2, ":": 0.2}
_SPACE_SECONDS = 0.1
_ENDS = ".!?。！？…"


def room(seconds: float) -> float:
    """Return the seconds of a scene in which somebody may speak."""
    return max(seconds - 2 * _PAUSE_SECONDS, 0.5)


def starts_at() -> float:
    """Return the seconds after the beginning of a scene at which its narration begins."""
    return _PAUSE_SECONDS


def words_for(seconds: float) -> int:
    """Return about how many words of English fit into a scene."""
    return max(2, round(room(seconds) * 2.4))


def seconds_to_say(text: str) -> float:
    """Return about how long an unhurried voice takes for the text."""
    return sum(_seconds_of(character) for character in text)


def fit(text: str, seconds: float) -> str:
    """Return the beginning of the text that fits into a scene: whole sentences, else words.

    At least one word stays, however short the scene.
    """
    most = room(seconds)
    sentences = list(_sentences(" ".join(text.split())))
    kept = ""
    for sentence in sentences:
        longer = f"{kept} {sentence}".strip()
        if seconds_to_say(longer) > most:
            break
        kept = longer
    return kept or _words(sentences[0] if sentences else "", most)


def _words(sentence: str, most: float) -> str:
    words = sentence.split()
    while len(words) > 1 and seconds_to_say(" ".join(words)) > most:
        words.pop()
    short = " ".join(words)
    while len(short) > 1 and seconds_to_say(short) > most:
        short = short[:-1]  # one long word, or a script without spaces
    short = short.rstrip(" ,;:-–—")
    return f"{short}." if short and short[-1] not in _ENDS else short


def _sentences(text: str) -> Iterator[str]:
    begin = 0
    for place, character in enumerate(text):
        following = text[place + 1 : place + 2]
        if character in _ENDS and (not following or following == " " or ord(character) > 0x2FFF):
            yield text[begin : place + 1].strip()
            begin = place + 1
    if text[begin:].strip():
        yield text[begin:].strip()


def _seconds_of(character: str) -> float:
    if character.isspace():
        return _SPACE_SECONDS
    if character in _STOPS:
        return _STOPS[character]
    if not character.isalnum():
        return 0.0
    if unicodedata.name(character, "").startswith(_SYLLABIC):
        return _SYLLABLE_SECONDS
    return _LETTER_SECONDS
