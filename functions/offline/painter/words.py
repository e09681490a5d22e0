"""Recognition of the words in a prompt that the painter can draw, with their positions."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_SECTION = re.compile(
    r"\b(STYLE|Style|MOOD|Mood|LIGHT|LIGHTING|Lighting|TECHNICAL|Technique|CAMERA"
    r"|STORY|SCENE|CHARACTERS|Characters|PLACE|Place)\b[^:.\n]{0,80}:"
)
_LOOKS = frozenset({"STYLE", "MOOD", "LIGHT", "LIGHTING", "TECHNICAL", "TECHNIQUE", "CAMERA"})
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Hit:
    """A recognized word: its kind (`places`, `subjects`, …), meaning and position."""

    kind: str
    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """The recognized words of a prompt: those of this scene, and those of the whole story."""

    scene: tuple[Hit, ...]
    story: tuple[Hit, ...]

    def first(self, kind: str) -> str | None:
        """Return the first word of a kind, in the scene or else in the story."""
        hits = self.all(kind)
        return hits[0] if hits else None

    def all(self, kind: str) -> list[str]:
        """Return the distinct words of a kind in order."""
        names: list[str] = []
        for hit in (*self.scene, *self.story):
            if hit.kind == kind and hit.name not in names:
                names.append(hit.name)
        return names

    def colour_of(self, subject: str) -> str | None:
        """Return the colour of a subject in the prompt (`a red fox`), or None."""
        for hits in (self.story, self.scene):
            for i, hit in enumerate(hits):
                if hit.kind == "subjects" and hit.name == subject:
                    before = [h for h in hits[max(0, i - 2) : i] if h.kind == "colours"]
                    if before and hit.position - before[-1].position <= 2:
                        return before[-1].name
        return None


def read(text: str) -> Prompt:
    """Parse a prompt, ignoring its style, light and mood sections.

    The text under SCENE or before the first section is about this scene, the rest about the story.
    """
    lead, *parts = _SECTION.split(text)
    scene: list[Hit] = find(lead)
    story: list[Hit] = []
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name == "SCENE":
            scene += find(body)
        elif name.upper() not in _LOOKS:
            story += find(body)
    return Prompt(tuple(scene), tuple(story))


def find(text: str) -> list[Hit]:
    """Return the recognized words of a text in order."""
    table = _table()
    words = [word.casefold() for word in _WORD.findall(text)]
    hits = []
    for i, word in enumerate(words):
        for length in (4, 3, 2, 1):
            for candidate in _forms(" ".join(words[i : i + length]) if length > 1 else word):
                if candidate in table and (length == 1 or len(words) >= i + length):
                    hits += [Hit(kind, name, i) for kind, name in table[candidate]]
                    break
            else:
                continue
            break
    if _NO_SPACES.search(text):
        spots = [(text.find(word), word) for word in table if _NO_SPACES.search(word)]
        hits += [
            Hit(kind, name, at)
            for at, word in sorted(spots, key=lambda spot: (spot[0], -len(spot[1])))
            if at >= 0
            for kind, name in table[word]
        ]
    return hits


def _forms(word: str) -> list[str]:
    forms = [word]
    if len(word) > 3:
        forms += [word.removesuffix(end) for end in ("s", "es", "'s", "’s") if word.endswith(end)]
    return forms


@cache
def _table() -> Mapping[str, list[tuple[str, str]]]:
    path = Path(__file__).with_name("words.toml")
    table: dict[str, list[tuple[str, str]]] = {}
    for kind, names in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for name, words in names.items():
            for word in words:
                table.setdefault(word, []).append((kind, name))
    return table
