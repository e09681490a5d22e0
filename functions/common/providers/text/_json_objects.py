"""Extraction of JSON objects from the text of a language model.

Models wrap a valid object in a code fence, a sentence, a list, or an object with one field. Another
paid call would not give a better result.
"""

import json
from collections.abc import Iterator
from typing import Any

_MAX_CANDIDATES = 50  # characters in prose that are tried as the beginning of a value
_MAX_DEPTH = 5
_DECODER = json.JSONDecoder()


def objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the JSON objects in the text, each before the objects nested in it."""
    for value in _values(text):
        yield from _nested_objects(value, _MAX_DEPTH)


def _values(text: str) -> Iterator[Any]:
    """Yield each JSON object, list and string in the text."""
    start = 0
    for _ in range(_MAX_CANDIDATES):
        start = min((i for i in (text.find(c, start) for c in '{["') if i >= 0), default=-1)
        if start < 0:
            return
        try:
            value, start = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            start += 1
        else:
            yield value


def _nested_objects(value: Any, depth: int) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    if not depth:
        return
    if isinstance(value, str) and "{" in value:
        for inner in _values(value):
            yield from _nested_objects(inner, depth - 1)
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for inner in items:
        yield from _nested_objects(inner, depth - 1)
