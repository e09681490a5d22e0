"""Extraction of hero, companion, places and goal from an English prompt by rules.

Prompts in other languages are not parsed; stories quote their text.
"""

import re
from dataclasses import dataclass

_LONGEST_WORD = 40  # longer tokens are not words
_TOKEN = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*|[^\w\s]")
_REQUEST = re.compile(
    r"^\s*(?:please\s+)?(?:(?:can|could) you\s+)?"
    r"(?:make|create|generate|show|draw|animate|produce|tell|i want|i would like|i'd like)\b"
    r"(?:\s+(?:me|us|a|an|the|short|little|animated|to see|\w+ing))*"
    r"(?:\s+(?:video|film|movie|clip|animation|story|scene|cartoon)s?)?"
    r"\s+(?:of|about|with|where|showing|in which)\s+",
    re.IGNORECASE,
)


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_ARTICLES = _set("a an the this these those some")
_POSSESSIVES = _set("his her its their my our your")
_NUMBERS = _set("one two three four five six seven eight nine ten many several few")
_DETERMINERS = _ARTICLES | _POSSESSIVES | _NUMBERS
_NAMING = ("named", "called")
_WHERE = _set(
    "in on at by through across near under over along inside into toward towards between above"
    " down up along beneath beside behind around within among beyond past upon onto below"
    " underneath against"
)
_OTHER = _set("with without from to for during before after until since about like via")
_BREAKS = _set(
    "who that which where when while as because but or so then than if is are was were be been"
    " being has have had can could will would must should may might does do did not never always"
    " just again together finally suddenly slowly he she it they we i you him them us there here"
    " very too alone home away back"
)
_VERBS = _set(
    "cross find meet discover fly flies sail run walk ride drive climb search seek chase dance sing"
    " play travel wander explore watch build save help learn become live dream fall rise swim jump"
    " float drift grow lose lost found went came made met flew saw took gave ran rode swam sang"
    " drew wrote stood sat lay led left built caught sleep wake wait look looks go goes make makes"
    " open opens race fight hide follow return visit carry bring deliver paint cook bake hunt land"
    " crash escape begin start stop leave arrive reach enter pass gather celebrate share teach"
)
_ADJECTIVES = _set(
    "small big little tiny huge giant great old young new ancient red blue green yellow orange"
    " white black grey gray brown pink purple golden silver dark light bright warm cold hot deep"
    " high low long short wide far brave kind wild calm quiet lost last first lonely curious happy"
    " sad young secret hidden frozen broken wooden magic strange friendly clever gentle fat thin"
    " good bad busy tall fast slow round soft hard dry wet rich poor vast open empty full half"
)
_ADJECTIVE_ENDS = ("y", "ful", "ous", "ive", "al", "ic", "ern", "less", "ish", "ant", "ent")
_NOT_ADJECTIVES = _set(
    "boy city baby puppy kitty bunny pony lady fairy family party butterfly key day sky story"
    " valley journey monkey turkey donkey county country army army toy animal crystal festival"
    " carnival mechanic elephant giant student plant president music magic robot berry ferry daisy"
    " canary enemy spy body jelly alley berry bakery library bay boy guy"
)
_MOVES = _set(
    "cross crosses crossing explore explores exploring visit visits visiting wander wanders"
    " wandering travel travels traveling travelling roam roams roaming enter enters reach"
    " reaches leave leaves climb climbs climbing"
)
_SCENIC = _set(
    "sunset sunrise dawn dusk night day morning evening view landscape panorama timelapse scenery"
    " storm rain snow mist fog spring summer autumn winter weather light"
)
_FOREIGN_WORDS = _set(
    "der die das und ein eine einen einem einer im mit von zu den dem des le la les un une et des"
    " dans sur avec el los las y una con en por del il lo gli uno di che nel nella della o os um"
    " uma em no na com do da dos e de het een en van"
)


@dataclass(frozen=True, slots=True)
class Phrase:
    """A noun phrase: lower-case determiner (or empty), words, and the preceding word in `lead`."""

    determiner: str
    words: tuple[str, ...]
    lead: str = ""

    @property
    def bare(self) -> str:
        """The words without the determiner."""
        return " ".join(self.words)

    @property
    def definite(self) -> str:
        """The definite form: `the red fox`, `his dog`, `mountains`."""
        if self.determiner in _POSSESSIVES:
            return f"{self.determiner} {self.bare}"
        if self.determiner in _NUMBERS:
            return f"the {self.determiner} {self.bare}"
        return f"the {self.bare}" if self.determiner else self.bare


@dataclass(frozen=True, slots=True)
class Parts:
    """The phrases of a prompt. `english` is True if the prompt could be parsed."""

    text: str
    english: bool
    hero: Phrase | None = None
    friend: Phrase | None = None
    places: tuple[Phrase, ...] = ()
    goal: Phrase | None = None


def pick(prompt: str) -> Parts:
    """Return the parts of a prompt. Raises no errors."""
    text = " ".join(prompt.split())
    subject = _REQUEST.sub("", text, count=1) or text
    if not _is_english(subject):
        return Parts(subject, english=False)
    phrases = noun_phrases(subject)
    if not phrases:
        return Parts(subject, english=True)
    hero, others = phrases[0], phrases[1:]
    friend = others[0] if others and others[0].lead in ("and", "with") else None
    if friend is not None:
        others = others[1:]
    if hero.lead in _WHERE and others:
        hero, others = others[0], [hero, *others[1:]]
    places = [p for p in others if _is_place(p)]
    goal = next((p for p in others if p not in places and p.lead != "by"), None)
    scenic = hero.words[-1].lower() in _SCENIC
    return Parts(subject, True, None if scenic else hero, friend, tuple(places[:4]), goal)


def _is_place(phrase: Phrase) -> bool:
    if phrase.lead == "by" and not phrase.determiner:  # "by train"
        return False
    if phrase.lead in _WHERE or phrase.lead in _MOVES:
        return True
    return phrase.lead in ("from", "to") and phrase.determiner not in _POSSESSIVES


def _is_english(text: str) -> bool:
    letters = [c for c in text if c.isalpha()]
    if not letters or sum(c.isascii() for c in letters) < 0.97 * len(letters):
        return False
    words = [t.lower() for t in _TOKEN.findall(text)]
    if max(map(len, words)) > _LONGEST_WORD:
        return False
    known = _ARTICLES | _POSSESSIVES | _WHERE | _OTHER | _BREAKS | {"and", "of"}
    english = sum(w in known for w in words)
    return english >= sum(w in _FOREIGN_WORDS for w in words)


def noun_phrases(text: str) -> list[Phrase]:
    """Return the noun phrases of an English text in order, each at most six words long."""
    reader = _Reader()
    for number, token in enumerate(_TOKEN.findall(text)):
        reader.read(token.lower() if number == 0 and token.istitle() else token)
    reader.close("")
    return reader.phrases


class _Reader:
    """A parser that collects words into phrases and closes a phrase at other words."""

    def __init__(self) -> None:
        self.phrases: list[Phrase] = []
        self._determiner, self._lead = "", ""
        self._words: list[str] = []

    def read(self, token: str) -> None:
        word = token.lower()
        if not token[0].isalnum() or word in _BREAKS:
            self.close("")
        elif word in _DETERMINERS:
            if self._words and self._words[-1].lower() != "of":
                self.close("")
            if not self._words:
                self._determiner = word
        elif word in _WHERE or word in _OTHER or word == "and":
            self.close(word)
        elif word in _NAMING and self._words:
            self._words.append(word)
        elif _is_verb(word, self._words, self._determiner, bool(self.phrases)):
            self.close(word)
        else:
            self._words.append(token)

    def close(self, lead: str) -> None:
        """Close the phrase; `lead` is the word that precedes the next one."""
        while self._words and self._words[-1].lower() in ("of", *_NAMING):
            self._words.pop()
        if any(len(word) > 1 for word in self._words):
            self.phrases.append(Phrase(self._determiner, tuple(self._words[:6]), self._lead))
        self._determiner, self._words, self._lead = "", [], lead


def _is_verb(word: str, before: list[str], determiner: str, inside: bool) -> bool:
    nouns = [w for w in before if not _is_adjective(w.lower())]
    if not nouns:
        stems = {word, word.removesuffix("s"), word.removesuffix("es")}
        return inside and not determiner and not before and bool(stems & _VERBS)
    if before[-1].lower() == "of":
        return False
    if word in _VERBS:
        return True
    if word.endswith("ing") and len(word) > 5:
        return True
    if word.endswith("ed") and len(word) > 4:
        return True
    singular = determiner in ("a", "an", "the", "this", "one") or determiner in _POSSESSIVES
    return (
        (singular or nouns[-1].istitle())
        and len(word) > 3
        and word.endswith("s")
        and not word.endswith(("ss", "us", "is"))
        and not nouns[-1].endswith("s")
    )


def _is_adjective(word: str) -> bool:
    if word in _NOT_ADJECTIVES:
        return False
    return word in _ADJECTIVES or (len(word) > 4 and word.endswith(_ADJECTIVE_ENDS))
