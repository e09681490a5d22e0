"""Composition of a story in four acts from the phrases of a prompt."""

import random
import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from common.domain.languages import language
from common.domain.narration import fit
from common.domain.video import Scene, Story
from common.providers import StoryRequest
from offline.storyteller.phrases import Parts, Phrase, pick

MOTION_UNITS = 1000
"""Maximum length of a motion prompt in UTF-16 code units, as in the strictest video API."""

_ACTS = ("opening", "development", "turn", "resolution")
_TIME_WORDS = re.compile(
    r"\b(?:dawn|sunrise|morning|noon|midday|afternoon|day|daylight|sunny|golden|sunset|dusk|twilight"
    r"|evening|night|midnight|moon|moonlight|stars|starry|storm|overcast|cloudy|rainy?)\b",
    re.IGNORECASE,
)


def tell(request: StoryRequest) -> Story:
    """Return a story with exactly the requested number of scenes. Deterministic."""
    rng = random.Random(f"{request.seed}\x1f{request.prompt}")
    parts = pick(request.prompt)
    pools = {act: _Pool(_sentences(act, parts), rng) for act in (*_ACTS, "details")}
    used: set[str] = set()
    scenes = []
    for number in range(1, request.scenes + 1):
        names = _names(parts, _progress(request, number))
        view, text = _moment(request, parts, number, pools, names, used)
        description = f"{view}. {text}"
        scenes.append(
            Scene(
                number=number,
                start_seconds=(number - 1) * request.seconds,
                description=description,
                image_prompt=_image_prompt(request, parts, description),
                motion_prompt=_motion_prompt(request, number, names, rng),
                narration=_narration(text, names, request.seconds) if request.narrated else None,
                warnings=_language_warning(request, parts) if number == 1 else (),
            )
        )
    return Story(_title(parts, rng), _overview(request, parts), tuple(scenes))


def _narration(text: str, names: Mapping[str, str], seconds: int) -> str:
    """Return the narration of a scene: whole clauses of its text, or else only the hero's name."""
    narration = fit(text, seconds)
    ends_a_clause = text[len(narration) - 1] in ".,;:"
    return narration if ends_a_clause else fit(f"{names['Hero']}.", seconds)


def _language_warning(request: StoryRequest, parts: Parts) -> tuple[str, ...]:
    """Return a warning if the narration is not in the language of the request or the prompt."""
    requested = request.language and language(request.language)
    if not request.narrated or requested == "en" or (requested is None and parts.english):
        return ()
    expected = (
        f"in the language {request.language}" if requested else "in the language of the prompt"
    )
    return (f"The offline storyteller writes English only, so the narration is not {expected}.",)


class _Pool:
    """Sentences in shuffled order, which repeat only after all have been used."""

    def __init__(self, sentences: Sequence[str], rng: random.Random) -> None:
        self._sentences = list(sentences)
        rng.shuffle(self._sentences)
        self._next = 0

    def take(self) -> str:
        sentence = self._sentences[self._next % len(self._sentences)]
        self._next += 1
        return sentence


def act_of(number: int, scenes: int) -> str:
    """Return the act of a scene: opening, development, turn or resolution."""
    if scenes == 1:
        return "opening"
    position = (number - 1) / (scenes - 1)
    if position <= 0.15:
        return "opening"
    if number == scenes or (position > 0.87 and scenes > 4):
        return "resolution"
    return "turn" if position > 0.66 else "development"


def _sentences(act: str, parts: Parts) -> list[str]:
    table = _table()[act]
    sentences = list(table["plain"])
    if parts.friend is not None:
        sentences += table.get("friend", [])
    if parts.goal is not None:
        sentences += table.get("goal", [])
    return sentences


def _names(parts: Parts, progress: float = 0.0) -> dict[str, str]:
    """Return the values of the placeholders; the place advances through the prompt's places."""
    names = {"hero": parts.hero.definite if parts.hero else "the main character"}
    names["place"] = "the world around"
    if parts.places:
        reached = min(len(parts.places) - 1, int(progress * len(parts.places)))
        names["place"] = parts.places[reached].definite
    if parts.friend is not None:
        names["friend"] = parts.friend.definite
    if parts.goal is not None:
        names["goal"] = parts.goal.definite
    return {**names, **{k.capitalize(): v[:1].upper() + v[1:] for k, v in names.items()}}


def _moment(
    request: StoryRequest,
    parts: Parts,
    number: int,
    pools: Mapping[str, _Pool],
    names: Mapping[str, str],
    used: set[str],
) -> tuple[str, str]:
    """Return the view and time of a scene, and its sentence with a detail."""
    views: list[str] = _table()["views"]
    view = views[(number - 1) % len(views)]
    if number == request.scenes and request.scenes > 1:
        view = "Wide view"
    time = _time(request, parts, number)
    act = act_of(number, request.scenes)
    text = ""
    for _ in range(24):  # A repeated sentence gets another detail, so that no scene repeats.
        sentence = pools[act].take().format(**names)
        sentence = sentence[:1].upper() + sentence[1:]
        detail = pools["details"].take()
        text = f"{sentence}. {detail}"
        if f"{view}{time}. {text}" not in used:
            break
    used.add(f"{view}{time}. {text}")
    return f"{view}{time}", text


def _progress(request: StoryRequest, number: int) -> float:
    return (number - 1) / max(1, request.scenes - 1)


def _time(request: StoryRequest, parts: Parts, number: int) -> str:
    """Return the time of day as a phrase, unless the prompt may contain one."""
    times: Sequence[str] = request.mood.drawing.get("times", ())
    if not times or not parts.english or _TIME_WORDS.search(request.prompt):
        return ""
    name = times[min(len(times) - 1, int(_progress(request, number) * len(times)))]
    phrase: str = _table()["times"].get(name, "")
    return f" {phrase}" if phrase else ""


def _image_prompt(request: StoryRequest, parts: Parts, description: str) -> str:
    style, mood = request.style, request.mood
    return (
        f"STYLE: {_stop(style.prompt)} {_stop(style.technical)} "
        f"LIGHT: {_stop(style.lighting)} "
        f"MOOD: {_stop(mood.prompt)} "
        f"STORY: {_stop(parts.text)} Same characters, clothes and places in every scene. "
        f"SCENE: {description} No letters, no captions, no frames."
    )


def _motion_prompt(
    request: StoryRequest, number: int, names: Mapping[str, str], rng: random.Random
) -> str:
    table: Mapping[str, Any] = _table()["moves"]
    moves: Sequence[str] = request.mood.drawing.get("moves", ()) or ("push", "truck", "rise")
    move = moves[(number - 1) % len(moves)]
    if move == "truck":
        move = "right" if number % 2 else "left"
    text = table[move].format(**names) + " " + rng.choice(table["living"])
    return clipped(f"{text} {_stop(request.mood.motion)}", MOTION_UNITS)


def clipped(text: str, units: int) -> str:
    """Return the text, truncated at a word to at most `units` UTF-16 code units."""
    if len(text.encode("utf-16-le")) // 2 <= units:
        return text
    prefix = text.encode("utf-16-le")[: (units - 1) * 2].decode("utf-16-le", errors="ignore")
    return prefix.rsplit(" ", 1)[0].rstrip(" ,;") + "…"


def _title(parts: Parts, rng: random.Random) -> str:
    if parts.hero is None:
        title = _short(parts.text, 70)
        return title[:1].upper() + title[1:] or "Untitled"
    hero = _titled(parts.hero)
    if parts.friend is not None:
        title = f"{hero} and {_titled(parts.friend)}"
    elif parts.places:
        title = rng.choice(("{} and {}", "{}: A Tale of {}")).format(hero, _titled(parts.places[0]))
    else:
        title = f"The Journey of {hero}"
    return _short(title.replace(" The ", " the ").replace(": the ", ": The "), 90)


def _titled(phrase: Phrase) -> str:
    small = {"of", "the", "and", "in", "a", "named", "called"}
    words = [w if w in small else w[:1].upper() + w[1:] for w in phrase.definite.split()]
    words[0] = words[0][:1].upper() + words[0][1:]
    return " ".join(words)


def _overview(request: StoryRequest, parts: Parts) -> str:
    names = _names(parts)
    length = request.scenes * request.seconds
    count = "one scene" if request.scenes == 1 else f"{request.scenes} scenes"
    text = f"{_stop(_short(parts.text, 400))} Told in {count} ({length} seconds): it "
    text += f"opens on {names['place']}, stays with {names['hero']}"
    if parts.friend is not None:
        text += f" and {names['friend']}"
    if parts.goal is not None:
        text += f" on the way to {names['goal']}"
    if request.scenes >= 4:
        text += ", comes to a turn, and ends in quiet"
    return f"{text}."


def _stop(text: str) -> str:
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "。", "！", "？", "…")) else f"{text}."


def _short(text: str, limit: int) -> str:
    if len(text) <= limit:
        return text.strip(" .")
    prefix = text[:limit]
    return (prefix.rsplit(" ", 1)[0] if " " in prefix[limit // 2 :] else prefix).rstrip(
        " ,;."
    ) + "…"


@cache
def _table() -> Mapping[str, Any]:
    path = Path(__file__).with_name("arc.toml")
    return tomllib.loads(path.read_text(encoding="utf-8"))
