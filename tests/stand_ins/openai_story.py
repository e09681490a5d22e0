"""Small stories that match the requested schema and the words of the request."""

import json
import re
from typing import Any

from tests.stand_ins.openai_schema import Schema, Writer

_BEATS = (
    "wakes in the first light",
    "sets out along the path",
    "meets a stranger in the rain",
    "finds what nobody looked for",
    "loses the way in the fog",
    "turns back and sees the valley below",
    "stands still while the lamps go on",
    "comes home under the first stars",
)
_CAMERA = ("slow push in", "gentle pan to the left", "still camera", "slow rise", "slow pull back")
_NAMES = ("Mara", "the keeper", "old Tom", "the boy from the harbour", "Ines")
_PLACES = ("the harbour", "the hill above it")
_WORDS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8}
_NUMBER = rf"(\d+|{'|'.join(_WORDS)})"
_COUNTS = (
    re.compile(rf"\b{_NUMBER}[\s-]+(?:(?!seconds?\b)\w+\s+)?scenes?\b", re.I),
    re.compile(rf"\bscenes?\b\W{{0,5}}(?:count|number|exactly)?\W{{0,5}}{_NUMBER}\b", re.I),
)


def requested_scenes(text: str) -> int | None:
    """Return the number of scenes that the text requests, or None."""
    for pattern in _COUNTS:
        if match := pattern.search(text):
            word = match[1].lower()
            return _WORDS.get(word) or int(word)
    return None


def write(schema: Schema, texts: list[str], *, scenes: int | None = None, extra: str = "") -> Any:
    """Return a value that matches `schema`.

    `texts` are the messages, the user's last. For faults, `scenes` overrides the requested number
    of scenes, and `extra` is prepended to each text.
    """
    counts = (requested_scenes(text) for text in reversed(texts))
    wished = scenes or next((count for count in counts if count), 3)
    subject = " ".join(re.sub(r"[^\w\s'-]", " ", texts[-1]).split()[:12]) or "someone"

    def text(path: tuple[str, ...], index: int) -> str:
        return extra + _words(path, index, subject)

    def count(path: tuple[str, ...]) -> int:
        return wished if path and "scene" in path[-1] else 2

    return Writer(schema, text, count).write()


def as_text(value: Any) -> str:
    """Return the JSON that the model would write."""
    return json.dumps(value, ensure_ascii=False)


def _words(path: tuple[str, ...], index: int, subject: str) -> str:
    name = path[-1] if path else ""
    beat = _BEATS[index % len(_BEATS)]
    if "title" in name and "scenes" not in path:
        return f"The story of {subject}"[:80]
    if "title" in name:
        return beat.capitalize()
    if name == "place" or path[-2:] == ("places", "name"):
        return _PLACES[index % len(_PLACES)]
    if name in ("name", "who", "characters"):
        return _NAMES[index % len(_NAMES)]
    if "motion" in name or "camera" in name:
        return f"{_CAMERA[index % len(_CAMERA)]}; someone {beat}, leaves moving in the wind"
    return f"Part {index + 1}: {subject}, where someone {beat}, in soft light"
