"""What a text model is asked to fill in, the rules that we hold it to, and the story made of it.

The strict schema makes the model answer in this form. What it cannot say (lengths, links, control
characters) is looked at here, and the model is told the faults in words.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from common.domain.narration import MAX_CHARACTERS, fit, room, seconds_to_say
from common.domain.video import Scene, Story
from common.providers import StoryRequest, prompts
from common.providers.text import _wrapping

_NAME, _TITLE, _LOOK, _SHORT, _LONG = 80, 120, 600, 800, 1200  # characters
_MOST_FAULTS = 20
_HURRY = 1.25
_QUOTED = 120  # characters

# Anything that leads somewhere: a scheme, www., an address, or a name with a path behind it; and a
# name with a domain's ending, in one case. A full stop without a space before a capital is a typing
# error; "e.g.", "U.S." and "3.5" have no ending; some abbreviations have one that is not meant.
_LINK = re.compile(
    r"""
    (?i: \b[a-z][a-z0-9+-]{1,20}:// | \bmailto:\S | \bwww\.\w )
    | \b(?:\d{1,3}\.){3}\d{1,3}\b
    | \b[^\W_][\w-]*\.(?:[^\W\d_A-Z]{2,24}|[A-Z]{2,24})(?::\d+)?[/?\#]\w
    | \b[^\W_][\w-]+\.(?!(?:innen|ssa|ra|ft|oz|lbs)\b)(?:[a-z]{2,24}|[A-Z]{2,24})\b
    | (?i: \b[a-z0-9][\w-]*\.(?:com|net|org|co|io|me|gg|ly)\b )
    """,
    re.VERBOSE,
)
# Control characters, halves of pairs, private and unassigned ones; and those that turn the
# direction of what follows. Joiners and variation selectors are part of many scripts.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn"})
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Known(_Strict):
    """A character or a place, and how it looks in every picture."""

    name: str
    look: str


class SceneDraft(_Strict):
    """One scene. Characters and the place are named as they were introduced."""

    description: str
    characters: list[str]
    place: str
    picture: str
    motion: str
    narration: str | None = None


class Draft(_Strict):
    """The story as the model writes it."""

    title: str
    overview: str
    characters: list[Known]
    places: list[Known]
    scenes: list[SceneDraft]


class BrokenRules(Exception):
    """The story is not usable; `faults` say why, in words for the model."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults[:_MOST_FAULTS])


def schema(scenes: int, *, narrated: bool = False) -> dict[str, Any]:
    """Return the strict JSON schema of a draft with exactly so many scenes."""
    made = Draft.model_json_schema()
    # pydantic's titles say nothing that the names do not.
    made.pop("title")
    for part in (made, *made["$defs"].values()):
        part.pop("title", None)
        part.pop("description", None)
        for described in part["properties"].values():
            described.pop("title", None)
    scene = made["$defs"]["SceneDraft"]
    # A strict schema has no field that may be left out: it is there, or it is not.
    scene["properties"].pop("narration")
    if narrated:
        scene["properties"]["narration"] = {"type": "string"}
        scene["required"].append("narration")
    made["properties"]["scenes"] |= {"minItems": scenes, "maxItems": scenes}
    return made


def read(text: str, request: StoryRequest) -> Story:
    """Return the story that the model wrote as JSON text; raises BrokenRules."""
    draft = _draft(text)
    if faults := list(_faults(draft, request)):
        raise BrokenRules(faults)
    return Story(
        title=_line(draft.title),
        overview=_line(draft.overview),
        scenes=tuple(
            _scene(number, scene, draft, request) for number, scene in enumerate(draft.scenes, 1)
        ),
    )


def _draft(text: str) -> Draft:
    """Return the draft in the text, whatever stands around it; raises BrokenRules."""
    faults: list[str] = []
    for found in _wrapping.objects(text):
        try:
            return Draft.model_validate(found)
        except ValidationError as error:
            places = {".".join(str(part) for part in fault["loc"]) for fault in error.errors()}
            faults = faults or [f"{place}: not as the schema says" for place in sorted(places)]
    raise BrokenRules(faults or ["the whole: not as the schema says"])


def _scene(number: int, scene: SceneDraft, draft: Draft, request: StoryRequest) -> Scene:
    narration = _narration(scene.narration, request)
    return Scene(
        number=number,
        start_seconds=(number - 1) * request.seconds,
        description=_line(scene.description),
        image_prompt=prompts.scene_picture(
            _line(scene.picture),
            [_known(name, draft.characters) for name in scene.characters],
            _known(scene.place, draft.places),
            request.style,
            request.mood,
        ),
        motion_prompt=_line(scene.motion),
        narration=narration,
        warnings=_shortened(number, scene.narration, narration),
    )


def _shortened(number: int, written: str | None, narration: str | None) -> tuple[str, ...]:
    """Say what was left out of a narration that was too long for its scene."""
    if narration is None or written is None or _line(written) == narration:
        return ()
    left = _line(written)[len(narration.rstrip(".。।")) :].strip()
    return (f"Scene {number}: the narration was shortened to fit. Left out: {left[:_QUOTED]}",)


def _narration(text: str | None, request: StoryRequest) -> str | None:
    """Return what is said. A voice can hurry a little; what is still too long ends sooner."""
    if not request.narrated or text is None:
        return None
    line = _line(text)
    if seconds_to_say(line) <= room(request.seconds * _HURRY):
        return line
    return fit(line, request.seconds)


def _known(name: str, known: Sequence[Known]) -> tuple[str, str]:
    """Return name and look; models shorten names, so one that holds the other will do.

    A name without a look is no reason to pay for another story: it stands for itself.
    """
    wanted = _line(name).casefold()
    for same in (lambda a: a == wanted, lambda a: a in wanted or wanted in a):
        for one in known:
            if same(_line(one.name).casefold()):
                return _line(one.name), _line(one.look)
    return _line(name), "as in the other pictures"


def _faults(draft: Draft, request: StoryRequest) -> Iterator[str]:
    if len(draft.scenes) != request.scenes:
        yield f"scenes: there are {len(draft.scenes)}, not {request.scenes}"
    if len(draft.characters) > prompts.MOST_CHARACTERS:
        yield f"characters: more than {prompts.MOST_CHARACTERS}"
    if not 1 <= len(draft.places) <= prompts.MOST_PLACES:
        yield f"places: not between 1 and {prompts.MOST_PLACES}"
    yield from _text("title", draft.title, _TITLE)
    yield from _text("overview", draft.overview, _LONG)
    for kind, named in (("character", draft.characters), ("place", draft.places)):
        for number, one in enumerate(named, 1):
            yield from _text(f"{kind} {number}: name", one.name, _NAME)
            yield from _text(f"{kind} {number}: look", one.look, _LOOK)
    for number, scene in enumerate(draft.scenes, 1):
        yield from _text(f"scene {number}: description", scene.description, _SHORT)
        yield from _text(f"scene {number}: place", scene.place, _LOOK)
        yield from _text(f"scene {number}: picture", scene.picture, _LONG)
        yield from _text(f"scene {number}: motion", scene.motion, _SHORT)
        if request.narrated:
            yield from _text(f"scene {number}: narration", scene.narration or "", MAX_CHARACTERS)
        if len(scene.characters) > prompts.MOST_CHARACTERS:
            yield f"scene {number}: more than {prompts.MOST_CHARACTERS} characters"
        for name in scene.characters:
            yield from _text(f"scene {number}: a character's name", name, _LOOK)


def _text(where: str, text: str, most: int) -> Iterator[str]:
    line = _line(text)
    if not line:
        yield f"{where} is empty"
    if len(line) > most:
        yield f"{where} is longer than {most} characters"
    if _LINK.search(line):
        yield f"{where} holds a web address"
    if any(c in _TURNING or unicodedata.category(c) in _UNPRINTABLE for c in line):
        yield f"{where} holds characters that cannot be printed"


def _line(text: str) -> str:
    return " ".join(text.split())
