"""The estimated duration of spoken text, and the text that fits in a scene. Pure functions.

A narration is shortened to fit its scene before it is spoken. If the speech is longer than its
scene anyway, it is played faster in the audio mix, at the same pitch. Speech longer than `MAX_PACE`
times the available time is rejected.
"""

import re
import unicodedata
from collections.abc import Iterator


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


MAX_PACE = 2.0
NOTICEABLE_PACE = 1.25
"""The pace from which faster playback is noticeable."""
MAX_CHARACTERS = 1200
# Silence before and after the speech, so that no scene begins or ends in the middle of a sound.
_PAUSE_SECONDS = 0.25
# Scripts with one character for each syllable. Alphabets need two or three letters for one.
_SYLLABIC = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL")
_LETTER_SECONDS, _SYLLABLE_SECONDS, _DIGIT_SECONDS = 0.062, 0.2, 0.2
_ENDS = ".!?…。！？؟۔।॥።။។։"
_STOP_SECONDS, _CLAUSE_SECONDS, _SPACE_SECONDS = 0.35, 0.2, 0.1
_CLAUSES = ",;:–—،؛、，；："
_CLOSERS = "\"'“”’»›)]}」』）】"
# A full stop ends a sentence if a space follows. Scripts without spaces use other full stops.
_SENTENCE = re.compile(
    rf"(?:[{re.escape(_ENDS)}]+[{re.escape(_CLOSERS)}]*(?=\s|$)|[。！？]+[{re.escape(_CLOSERS)}]*)"
)
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:[^\W\d_]|[^\W\d_](?:\.[^\W\d_])+|Mr|Mrs|Ms|Dr|Prof|St|Jr|Sr|vs|Nr|Hr|Fr|Sra?|Mme"
    r"|bzw|etc|approx)\.$"
)
# Play a sentence up to this much faster rather than cut it off.
_MAX_SENTENCE_PACE = 1.4
# A shortened text must not end with one of these: articles, prepositions, conjunctions and others
# that need a following word.
_DANGLING_WORDS = _set(
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


def speech_seconds(seconds: float) -> float:
    """Return the seconds of a scene that are available for speech."""
    return max(seconds - 2 * _PAUSE_SECONDS, 0.5)


def speech_offset() -> float:
    """Return the offset of the narration from the start of its scene, in seconds."""
    return _PAUSE_SECONDS


def words_for(seconds: float) -> int:
    """Return the approximate number of English words that fit in a scene."""
    return max(2, round(speech_seconds(seconds) * 2.4))


def seconds_to_say(text: str) -> float:
    """Return the estimated seconds that a voice at a normal pace takes for the text."""
    return sum(_seconds_of(character) for character in text)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, with their full stops and without surrounding spaces."""
    return [text[start:end].strip() for start, end in _spans(text)]


def clause_ends(sentence: str) -> list[int]:
    """Return the indexes after the punctuation marks at which a voice pauses."""
    return [index + 1 for index, character in enumerate(sentence[:-1]) if character in _CLAUSES]


def fit(text: str, seconds: float) -> str:
    """Shorten a text to what fits in a scene of `seconds`, in whole sentences if possible.

    A first sentence that is slightly too long is kept and played faster. A longer one is cut at the
    end of a clause, or else after a word that can end a sentence. The result has at least one word,
    even if that does not fit.
    """
    text = " ".join(text.split())
    available = speech_seconds(seconds)
    spans = list(_spans(text))
    fitting = [end for _, end in spans if seconds_to_say(text[:end]) <= available]
    if fitting:
        return text[: fitting[-1]].strip()
    first = text[: spans[0][1]].strip() if spans else ""
    limit = available * _MAX_SENTENCE_PACE
    return first if seconds_to_say(first) <= limit else _shortened(first, limit)


def _shortened(sentence: str, limit: float) -> str:
    """Return the start of a sentence that takes at most `limit` seconds, with a full stop."""
    clauses = [end for end in clause_ends(sentence) if seconds_to_say(sentence[:end]) <= limit]
    if clauses and seconds_to_say(sentence[: clauses[-1]]) >= limit / 2:
        return _with_full_stop(sentence[: clauses[-1]])
    words = sentence.split()
    while len(words) > 1 and seconds_to_say(" ".join(words)) > limit:
        words.pop()
    while len(words) > 1 and words[-1].strip(_CLAUSES + _CLOSERS).casefold() in _DANGLING_WORDS:
        words.pop()
    short = " ".join(words)
    while len(short) > 1 and seconds_to_say(short) > limit:
        short = short[:-1]  # one long word, or a script without spaces
        while len(short) > 1 and unicodedata.category(sentence[len(short)]).startswith("M"):
            short = short[:-1]  # do not separate a letter from its combining marks
    return _with_full_stop(short)


def _with_full_stop(text: str) -> str:
    """Return the text with the full stop of its script, if it does not end with one."""
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
    """Yield the start and end index of each sentence."""
    begin = 0
    for match in _SENTENCE.finditer(text):
        sentence = text[begin : match.end()]
        if match[0] == "." and (_ABBREVIATION.search(sentence) or _continues(text, match.end())):
            continue
        if sentence.strip():
            yield begin, match.end()
        begin = match.end()
    if text[begin:].strip():
        yield begin, len(text)


def _continues(text: str, index: int) -> bool:
    """Return whether the next word is in lower case, so the stop belongs to an abbreviation."""
    return text[index:].lstrip()[:1].islower()


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
