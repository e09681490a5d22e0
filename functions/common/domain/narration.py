"""How long words take to say, and how many fit into a scene. Touches nothing outside.

A narration is written for its scene, so it is fitted before it is spoken. What is spoken all the
same takes as long as it takes: up to FASTEST times the scene's room it is quickened when the sound
is mixed (pitch kept), beyond that it is refused.
"""

import re
import unicodedata
from collections.abc import Iterator


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


FASTEST = 2.0
NOTICED = 1.25
"""From which pace on a voice is heard to hurry."""
MAX_CHARACTERS = 1200
# A breath before and after, so that no scene begins or ends in the middle of a sound.
_PAUSE_SECONDS = 0.25
# A syllable is written with two or three letters of an alphabet, or with one of these.
_SYLLABIC = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_LETTER_SECONDS, _SYLLABLE_SECONDS, _DIGIT_SECONDS = 0.062, 0.2, 0.2
_ENDS = ".!?…。！？؟۔।॥።။។։"
_STOP_SECONDS, _CLAUSE_SECONDS, _SPACE_SECONDS = 0.35, 0.2, 0.1
_CLAUSES = ",;:–—،؛、，；："
_CLOSERS = "\"'“”’»›)]}」』）】"
# A stop ends a sentence where a space follows; scripts without spaces have stops of their own.
_SENTENCE = re.compile(
    rf"(?:[{re.escape(_ENDS)}]+[{re.escape(_CLOSERS)}]*(?=\s|$)|[。！？]+[{re.escape(_CLOSERS)}]*)"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[^\W\d_]|[^\W\d_](?:\.[^\W\d_])+|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|Nr|Hr|Fr|Sra?|Mme"
    r"|bzw|etc|approx)\.$"
)
# A voice is hurried by a little rather than stopped in the middle of a sentence.
_HURRIED = 1.4
# No text ends with one of these: articles, prepositions and conjunctions lead on to a noun.
_LEADING_WORDS = _set(
    """
    a an the this that these those my your his her its our their and or but nor so yet as if than
    because while when where which who whose of to in on at by for from with without into onto
    over under above below between through across toward towards near behind beside beyond along
    around after before until since during about against is are was were be been has have had will
    would can could may might must should do does did not no very never always der die das den dem
    des ein eine einen einem einer eines und oder aber denn sondern weil dass wenn als wie von zu
    zum zur mit ohne im am auf aus bei beim nach vor hinter über unter durch für gegen um bis seit
    während ist sind war waren hat haben wird werden nicht sehr sein ihr le la les un une du de et
    ou mais donc car que qui dont où à au aux en dans sur sous avec sans pour par vers chez est
    sont ne pas très el los las una unos unas y e o u pero del al con sin por para sobre entre
    hacia desde hasta es son se lo su sus muy il gli i uno della dello degli delle nel nella sul
    sulla che di da per tra fra non molto ed os uma uns umas dos na nos nas ao com sem mas não het
    een maar van te op met naar uit voor door bij om niet и а но или что как в во на с со к ко у о
    об от до из за под над для без при не oraz lub ale że w we z ze od po dla bez przy nie się और
    या के की का में से को पर ने एक अपने अपनी و في من إلى على عن أو ثم
    """
)


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


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, each with its stop and without spaces around it."""
    return [text[start:end].strip() for start, end in _spans(text)]


def clause_ends(sentence: str) -> list[int]:
    """Return the places in a sentence after the signs at which a voice pauses."""
    return [place + 1 for place, sign in enumerate(sentence[:-1]) if sign in _CLAUSES]


def fit(text: str, seconds: float) -> str:
    """Return the beginning of the text that fits into a scene: whole sentences if possible.

    A first sentence that is a little too long is kept whole, and quickened when it is spoken. A
    longer one ends where a clause ends, or else after a word that can stand last. At least one
    word stays, however short the scene.
    """
    text = " ".join(text.split())
    most = room(seconds)
    spans = list(_spans(text))
    fitting = [end for _, end in spans if seconds_to_say(text[:end]) <= most]
    if fitting:
        return text[: fitting[-1]].strip()
    first = text[: spans[0][1]].strip() if spans else ""
    return first if seconds_to_say(first) <= most * _HURRIED else _beginning(first, most)


def _beginning(sentence: str, most: float) -> str:
    """Return the beginning of a sentence that can be said within so many seconds, with a stop."""
    hurried = most * _HURRIED
    clauses = [end for end in clause_ends(sentence) if seconds_to_say(sentence[:end]) <= hurried]
    if clauses and seconds_to_say(sentence[: clauses[-1]]) >= hurried / 2:
        return _stopped(sentence[: clauses[-1]])
    words = sentence.split()
    while len(words) > 1 and seconds_to_say(" ".join(words)) > hurried:
        words.pop()
    while len(words) > 1 and words[-1].strip(_CLAUSES + _CLOSERS).casefold() in _LEADING_WORDS:
        words.pop()
    short = " ".join(words)
    while len(short) > 1 and seconds_to_say(short) > hurried:
        short = short[:-1]  # one long word, or a script without spaces
        while len(short) > 1 and unicodedata.category(sentence[len(short)]).startswith("M"):
            short = short[:-1]  # a letter keeps its marks
    return _stopped(short)


def _stopped(text: str) -> str:
    """Return the text with the stop of its script at its end."""
    text = text.rstrip(" -" + _CLAUSES)
    if not text or text[-1] in _ENDS:
        return text
    last = next((name for c in reversed(text) if c.isalpha() and (name := _script(c))), "")
    if last in ("CJK", "HIRAGANA", "KATAKANA"):
        return f"{text}。"
    if last in ("DEVANAGARI", "BENGALI"):
        return f"{text}।"
    return text if last in ("THAI", "LAO") else f"{text}."


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where each sentence begins and ends."""
    begin = 0
    for match in _SENTENCE.finditer(text):
        said = text[begin : match.end()]
        if match[0] == "." and (_ABBREVIATION.search(said) or _goes_on(text, match.end())):
            continue
        if said.strip():
            yield begin, match.end()
        begin = match.end()
    if text[begin:].strip():
        yield begin, len(text)


def _goes_on(text: str, place: int) -> bool:
    """Say whether the next word has a small letter, so that the stop was an abbreviation's."""
    return text[place:].lstrip()[:1].islower()


def _script(character: str) -> str:
    return unicodedata.name(character, "").split(" ")[0].split("-")[0]


def _seconds_of(character: str) -> float:
    if character.isspace():
        return _SPACE_SECONDS
    if character in _ENDS:
        return _STOP_SECONDS
    if character in _CLAUSES:
        return _CLAUSE_SECONDS
    if character.isdigit():
        return _DIGIT_SECONDS
    if not character.isalnum():
        return 0.0
    return _SYLLABLE_SECONDS if _script(character) in _SYLLABIC else _LETTER_SECONDS
