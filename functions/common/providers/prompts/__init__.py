"""The prompts that go to the models, as text files beside this one, filled with styles and moods.

`$name` in a file is a place that is filled in. What is filled in is never looked at again, so a
`$` in a user's text stays a `$`.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path
from string import Template

from common.domain.narration import words_for
from common.domain.styles import Mood, Style
from common.domain.video import EncodedImage
from common.providers import StoryRequest

MOST_CHARACTERS = 6
MOST_PLACES = 10

Measure = Callable[[str], int]

_HERE = Path(__file__).parent
_LAST_WORD = re.compile(r"\s+\S*\Z")
_ZERO_WIDTH_JOINER = "\u200d"
_JOINERS = _ZERO_WIDTH_JOINER + "".join(chr(tone) for tone in range(0x1F3FB, 0x1F400))


def story(request: StoryRequest) -> tuple[str, str]:
    """Return what the text model is told: who it is, and what the user wishes."""
    wish = _fill(
        "story_user",
        idea=request.prompt,
        scenes=request.scenes,
        seconds=request.seconds,
        style_name=request.style.name,
        style_prompt=request.style.prompt,
        mood_name=request.mood.name,
        mood_prompt=request.mood.prompt,
        most_characters=MOST_CHARACTERS,
        most_places=MOST_PLACES,
        narration=_narration(request),
    )
    return _fill("story_system"), wish


def _narration(request: StoryRequest) -> str:
    if not request.narrated:
        return ""
    return _fill(
        "story_narration",
        language=request.language or "the language of the idea",
        words=words_for(request.seconds),
    )


def story_repair(faults: list[str], scenes: int) -> str:
    """Return what the text model is told when its story breaks the rules."""
    return _fill("story_repair", faults="\n".join(f"- {fault}" for fault in faults), scenes=scenes)


def scene_picture(
    picture: str,
    characters: list[tuple[str, str]],
    place: tuple[str, str],
    style: Style,
    mood: Mood,
) -> str:
    """Return the image prompt of one scene, with everything that pictures must have in common.

    Characters and the place are pairs of name and look.
    """
    shown = "; ".join(f"{name}: {look}" for name, look in characters)
    return _fill(
        "image_scene",
        picture=picture,
        characters=shown or "none in this picture",
        place=": ".join(place),
        style=style.prompt,
        technical=style.technical,
        lighting=style.lighting,
        mood=mood.prompt,
    )


def frame(picture: str, style: Style, mood: Mood) -> str:
    """Return the prompt of a picture that is asked for by itself: what it shows, and the look.

    A scene's prompt of a story, which has the look in it, stays as it is.
    """
    if style.prompt in picture:
        return picture
    return _fill(
        "frame",
        picture=picture,
        style=style.prompt,
        technical=style.technical,
        lighting=style.lighting,
        mood=mood.prompt,
    )


def image(
    prompt: str,
    size: tuple[int, int],
    reference: EncodedImage | None,
    anchor: EncodedImage | None,
    limit: int | None = None,
) -> str:
    """Return the prompt of one call of an image model, of at most `limit` characters.

    Models know the pictures sent along by their order alone: the reference, then the anchor.
    """
    sent = [("image_reference", reference), ("image_anchor", anchor)]
    names = [name for name, picture in sent if picture is not None]
    references = "\n".join(_fill(name, number=number) for number, name in enumerate(names, 1))
    places = {"references": references, "width": size[0], "height": size[1]}
    if limit is not None:
        room = limit - len(_fill("image_call", prompt="", **places))
        prompt = cut(prompt, room, len)
    return _fill("image_call", prompt=prompt, **places)


def motion(motion: str, mood: Mood, *, utf16_units: int | None = None) -> str:
    """Return the prompt of a clip, of at most so many UTF-16 units; the scene's part is cut."""
    if utf16_units is not None:
        room = utf16_units - utf16(_fill("motion", motion="", mood=mood.motion))
        motion = cut(motion, room, utf16)
    return _fill("motion", motion=motion, mood=mood.motion)


def speech(mood: Mood, language: str | None) -> str:
    """Return how a voice is to speak."""
    tongue = f" ({language})" if language else ""
    return _fill("speech", mood=mood.prompt, language=tongue)


def speech_by_chat(mood: Mood, language: str | None) -> str:
    """Return the same for a model that would rather talk."""
    return _fill("speech_by_chat", speech=speech(mood, language))


def cut(text: str, limit: int, measure: Measure) -> str:
    """Return the text, or its beginning within the limit: whole words, if there are any."""
    text = text.strip()
    if measure(text) <= limit:
        return text
    end = max(limit, 0)  # no character measures less than 1
    while end and (measure(text[:end]) > limit or _belongs_to_the_one_before(text, end)):
        end -= 1
    kept = text[:end]
    if not text[end].isspace():
        kept = _LAST_WORD.sub("", kept)
    return kept.rstrip(" ,;:-")


def utf16(text: str) -> int:
    """Return the length of the text in UTF-16 units, as JavaScript counts."""
    return len(text) + sum(character > "\uffff" for character in text)


def _belongs_to_the_one_before(text: str, index: int) -> bool:
    character = text[index]
    return (
        character in _JOINERS
        or text[index - 1] == _ZERO_WIDTH_JOINER
        or unicodedata.category(character).startswith("M")
    )


@cache
def _template(name: str) -> Template:
    return Template((_HERE / f"{name}.md").read_text(encoding="utf-8").strip())


def _fill(name: str, **places: object) -> str:
    return _template(name).substitute(places)
