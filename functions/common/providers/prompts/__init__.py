"""Prompts for the models: templates in text files of this package, filled with styles and moods.

`$name` in a template is a placeholder. Substituted values are not expanded again, so a `$` in a
user's text stays a `$`.
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
    """Return the system prompt and the user prompt for a story."""
    user_prompt = _fill(
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
    return _fill("story_system"), user_prompt


def _narration(request: StoryRequest) -> str:
    if not request.narrated:
        return ""
    return _fill(
        "story_narration",
        language=request.language or "the language of the idea",
        words=words_for(request.seconds),
    )


def story_repair(faults: list[str], scenes: int) -> str:
    """Return the prompt that asks the text model to correct a story with the given faults."""
    return _fill("story_repair", faults="\n".join(f"- {fault}" for fault in faults), scenes=scenes)


def scene_image(
    content: str,
    characters: list[tuple[str, str]],
    place: tuple[str, str],
    style: Style,
    mood: Mood,
) -> str:
    """Return the image prompt of one scene, including everything that all images must share.

    `content` describes what the image shows. `characters` and `place` are pairs of name and look.
    """
    character_list = "; ".join(f"{name}: {look}" for name, look in characters)
    return _fill(
        "image_scene",
        picture=content,
        characters=character_list or "none in this picture",
        place=": ".join(place),
        style=style.prompt,
        technical=style.technical,
        lighting=style.lighting,
        mood=mood.prompt,
    )


def single_image(content: str, style: Style, mood: Mood) -> str:
    """Return the prompt of an individually requested image: its content, style and mood.

    The prompt of a story's scene already contains the style and is returned unchanged.
    """
    if style.prompt in content:
        return content
    return _fill(
        "frame",
        picture=content,
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
    """Return the prompt for one call of an image model, of at most `limit` characters.

    Models identify input images by their order alone: the reference image, then the first image
    (`anchor`).
    """
    inputs = [("image_reference", reference), ("image_anchor", anchor)]
    names = [name for name, input_image in inputs if input_image is not None]
    references = "\n".join(_fill(name, number=number) for number, name in enumerate(names, 1))
    values = {"references": references, "width": size[0], "height": size[1]}
    if limit is not None:
        remaining = limit - len(_fill("image_call", prompt="", **values))
        prompt = truncate(prompt, remaining, len)
    return _fill("image_call", prompt=prompt, **values)


def motion(motion: str, mood: Mood, *, utf16_units: int | None = None) -> str:
    """Return the prompt of a clip, of at most `utf16_units`; only the scene's part is truncated."""
    if utf16_units is not None:
        remaining = utf16_units - utf16(_fill("motion", motion="", mood=mood.motion))
        motion = truncate(motion, remaining, utf16)
    return _fill("motion", motion=motion, mood=mood.motion)


def speech(mood: Mood, language: str | None) -> str:
    """Return the instructions for a speech model."""
    suffix = f" ({language})" if language else ""
    return _fill("speech", mood=mood.prompt, language=suffix)


def speech_by_chat(mood: Mood, language: str | None) -> str:
    """Return the instructions for a chat model, which must read aloud instead of replying."""
    return _fill("speech_by_chat", speech=speech(mood, language))


def truncate(text: str, limit: int, measure: Measure) -> str:
    """Return the text truncated to the limit, at a word boundary if possible.

    Never splits a character from its combining marks, modifiers or joiners.
    """
    text = text.strip()
    if measure(text) <= limit:
        return text
    end = max(limit, 0)  # no character measures less than 1
    while end and (measure(text[:end]) > limit or _continues_character(text, end)):
        end -= 1
    truncated = text[:end]
    if not text[end].isspace():
        truncated = _LAST_WORD.sub("", truncated)
    return truncated.rstrip(" ,;:-")


def utf16(text: str) -> int:
    """Return the length of the text in UTF-16 code units, as in JavaScript."""
    return len(text) + sum(character > "\uffff" for character in text)


def _continues_character(text: str, index: int) -> bool:
    character = text[index]
    return (
        character in _JOINERS
        or text[index - 1] == _ZERO_WIDTH_JOINER
        or unicodedata.category(character).startswith("M")
    )


@cache
def _template(name: str) -> Template:
    return Template((_HERE / f"{name}.md").read_text(encoding="utf-8").strip())


def _fill(name: str, **values: object) -> str:
    return _template(name).substitute(values)
