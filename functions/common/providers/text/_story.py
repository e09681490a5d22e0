"""The JSON schema of a story, validation of the model's draft, and its conversion to a `Story`.

The strict schema enforces the structure. Rules that it cannot express (lengths, links, control
characters) are checked here; the messages of violations are sent to the model for correction.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from common.domain.narration import MAX_CHARACTERS, fit, seconds_to_say, speech_seconds
from common.domain.video import Scene, Story
from common.providers import StoryRequest, prompts
from common.providers.text import _json_objects

_NAME, _TITLE, _LOOK, _SHORT, _LONG = 80, 120, 600, 800, 1200  # maximum characters
_MAX_FAULTS = 20
_MAX_PACE = 1.25  # a narration may be spoken this much faster than normal before it is shortened
_MAX_QUOTED = 120  # characters

# Links: a URL scheme, www., an IP address, a host name with a path, or a host name with a top-level
# domain in a single case. A full stop before a capital without a space is a typing error, not a
# domain; "e.g.", "U.S." and "3.5" have no top-level domain; abbreviations that end like one are
# excluded.
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
# Unicode categories of control, surrogate, private-use and unassigned characters, and the
# bidirectional controls. Joiners and variation selectors are allowed: many scripts need them.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Co", "Cn"})
_BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Known(_Strict):
    """A character or a place, with its look, which is the same in every image."""

    name: str
    look: str


class SceneDraft(_Strict):
    """One scene. Characters and the place are referenced by the names of their introduction."""

    description: str
    characters: list[str]
    place: str
    picture: str
    motion: str
    narration: str | None = None


class Draft(_Strict):
    """A story as the model writes it."""

    title: str
    overview: str
    characters: list[Known]
    places: list[Known]
    scenes: list[SceneDraft]


class BrokenRules(Exception):
    """The story is not usable; `faults` are the reasons, in messages for the model."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults[:_MAX_FAULTS])


def schema(scenes: int, *, narrated: bool = False) -> dict[str, Any]:
    """Return the strict JSON schema of a draft with exactly `scenes` scenes."""
    result = Draft.model_json_schema()
    # pydantic's titles only repeat the names.
    result.pop("title")
    for definition in (result, *result["$defs"].values()):
        definition.pop("title", None)
        definition.pop("description", None)
        for field in definition["properties"].values():
            field.pop("title", None)
    scene = result["$defs"]["SceneDraft"]
    # A strict schema has no optional fields, so `narration` is either required or absent.
    scene["properties"].pop("narration")
    if narrated:
        scene["properties"]["narration"] = {"type": "string"}
        scene["required"].append("narration")
    result["properties"]["scenes"] |= {"minItems": scenes, "maxItems": scenes}
    return result


def read(text: str, request: StoryRequest) -> Story:
    """Return the story in the model's JSON text; raises BrokenRules if it is not usable."""
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
    """Return the first valid draft in the text; raises BrokenRules without one."""
    faults: list[str] = []
    for candidate in _json_objects.objects(text):
        try:
            return Draft.model_validate(candidate)
        except ValidationError as error:
            paths = {".".join(str(key) for key in fault["loc"]) for fault in error.errors()}
            faults = faults or [f"{path}: not as the schema says" for path in sorted(paths)]
    raise BrokenRules(faults or ["the whole: not as the schema says"])


def _scene(number: int, scene: SceneDraft, draft: Draft, request: StoryRequest) -> Scene:
    narration = _narration(scene.narration, request)
    return Scene(
        number=number,
        start_seconds=(number - 1) * request.seconds,
        description=_line(scene.description),
        image_prompt=prompts.scene_image(
            _line(scene.picture),
            [_with_look(name, draft.characters) for name in scene.characters],
            _with_look(scene.place, draft.places),
            request.style,
            request.mood,
        ),
        motion_prompt=_line(scene.motion),
        narration=narration,
        warnings=_narration_warnings(number, scene.narration, narration),
    )


def _narration_warnings(number: int, draft: str | None, narration: str | None) -> tuple[str, ...]:
    """Return a warning with the omitted text of a narration that was shortened to fit its scene."""
    if narration is None or draft is None or _line(draft) == narration:
        return ()
    omitted = _line(draft)[len(narration.rstrip(".。।")) :].strip()
    return (
        f"Scene {number}: the narration was shortened to fit. Omitted: {omitted[:_MAX_QUOTED]}",
    )


def _narration(text: str | None, request: StoryRequest) -> str | None:
    """Return the narration, shortened if it does not fit its scene even at `_MAX_PACE`."""
    if not request.narrated or text is None:
        return None
    line = _line(text)
    if seconds_to_say(line) <= speech_seconds(request.seconds * _MAX_PACE):
        return line
    return fit(line, request.seconds)


def _with_look(name: str, introduced: Sequence[Known]) -> tuple[str, str]:
    """Return name and look of a character or place.

    Models abbreviate names, so a name that contains the other matches if there is no exact match. A
    name without a look does not justify another paid call; it gets a generic look.
    """
    wanted = _line(name).casefold()
    for matches in (lambda a: a == wanted, lambda a: a in wanted or wanted in a):
        for candidate in introduced:
            if matches(_line(candidate.name).casefold()):
                return _line(candidate.name), _line(candidate.look)
    return _line(name), "as in the other pictures"


def _faults(draft: Draft, request: StoryRequest) -> Iterator[str]:
    if len(draft.scenes) != request.scenes:
        yield f"scenes: there are {len(draft.scenes)}, not {request.scenes}"
    if len(draft.characters) > prompts.MOST_CHARACTERS:
        yield f"characters: more than {prompts.MOST_CHARACTERS}"
    if not 1 <= len(draft.places) <= prompts.MOST_PLACES:
        yield f"places: not between 1 and {prompts.MOST_PLACES}"
    yield from _text_faults("title", draft.title, _TITLE)
    yield from _text_faults("overview", draft.overview, _LONG)
    for kind, introduced in (("character", draft.characters), ("place", draft.places)):
        for number, entry in enumerate(introduced, 1):
            yield from _text_faults(f"{kind} {number}: name", entry.name, _NAME)
            yield from _text_faults(f"{kind} {number}: look", entry.look, _LOOK)
    for number, scene in enumerate(draft.scenes, 1):
        yield from _text_faults(f"scene {number}: description", scene.description, _SHORT)
        yield from _text_faults(f"scene {number}: place", scene.place, _LOOK)
        yield from _text_faults(f"scene {number}: picture", scene.picture, _LONG)
        yield from _text_faults(f"scene {number}: motion", scene.motion, _SHORT)
        if request.narrated:
            yield from _text_faults(
                f"scene {number}: narration", scene.narration or "", MAX_CHARACTERS
            )
        if len(scene.characters) > prompts.MOST_CHARACTERS:
            yield f"scene {number}: more than {prompts.MOST_CHARACTERS} characters"
        for name in scene.characters:
            yield from _text_faults(f"scene {number}: a character's name", name, _LOOK)


def _text_faults(label: str, text: str, max_characters: int) -> Iterator[str]:
    line = _line(text)
    if not line:
        yield f"{label} is empty"
    if len(line) > max_characters:
        yield f"{label} is longer than {max_characters} characters"
    if _LINK.search(line):
        yield f"{label} holds a web address"
    if any(c in _BIDI_CONTROLS or unicodedata.category(c) in _UNPRINTABLE for c in line):
        yield f"{label} holds characters that cannot be printed"


def _line(text: str) -> str:
    return " ".join(text.split())
