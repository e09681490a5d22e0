"""Finds the JSON object in what a text model wrote around it.

Models wrap a good answer in a code fence, in a sentence, in a list or in an object of one field.
Paying for another one brings nothing better.
"""

import json
from collections.abc import Iterator
from typing import Any

_MOST_PLACES = 50  # braces in prose that are tried as the beginning of an object
_MOST_LEVELS = 5
_DECODER = json.JSONDecoder()


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in the text, the outer ones before those that they hold."""
    for value in _values(text):
        yield from _inside(value, _MOST_LEVELS)


def _values(text: str) -> Iterator[Any]:
    """Yield each JSON object, list or string that stands in the text."""
    start = 0
    for _ in range(_MOST_PLACES):
        start = min((at for at in (text.find(c, start) for c in '{["') if at >= 0), default=-1)
        if start < 0:
            return
        try:
            value, start = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            start += 1
        else:
            yield value


def _inside(value: Any, levels: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if not levels:
        return
    if isinstance(value, str) and "{" in value:
        for inner in _values(value):
            yield from _inside(inner, levels - 1)
    held = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for inner in held:
        yield from _inside(inner, levels - 1)
