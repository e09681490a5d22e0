"""Strict structured output: validation of a JSON Schema by the vendor's rules, and matching values.

The rules: the root is an object and not anyOf; every object has additionalProperties false and
requires all its properties; no allOf, not, if, dependent...; at most 5000 properties, 10 levels.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.stand_ins.openai_errors import Refused

Schema = dict[str, Any]
_FORBIDDEN = ("allOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas")
_LEVELS, _PROPERTIES = 10, 5000
_FORMATS = {
    "date-time": "2026-11-22T12:00:00Z",
    "date": "2026-11-22",
    "time": "12:00:00Z",
    "duration": "PT5S",
    "email": "someone@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uuid": "17f20503-6c24-4c16-946b-35dbbce2af2f",
}


# -- rules -----------------------------------------------------------------------------------------
def check(name: str, schema: Schema) -> None:
    """Raise Refused for a schema that strict mode rejects."""
    if schema.get("type") != "object" or "anyOf" in schema:
        raise _invalid(name, (), "schema must be a JSON Schema of 'type: \"object\"'")
    properties = 0
    for path, part in _parts(schema, ()):
        properties += len(part.get("properties", {}))
        if path.count("properties") + path.count("items") > _LEVELS:
            raise _invalid(name, path, f"exceeds the limit of {_LEVELS} levels of nesting")
        for word in _FORBIDDEN:
            if word in part:
                raise _invalid(name, path, f"'{word}' is not permitted")
        if "properties" in part:
            _check_object(name, path, part)
    if properties > _PROPERTIES:
        raise _invalid(name, (), f"has more than {_PROPERTIES} properties")


def _check_object(name: str, path: tuple[str, ...], part: Schema) -> None:
    if part.get("additionalProperties") is not False:
        raise _invalid(
            name, path, "'additionalProperties' is required to be supplied and to be false"
        )
    if set(part.get("required", ())) != set(part["properties"]):
        absent = sorted(set(part["properties"]) - set(part.get("required", ())))
        raise _invalid(
            name,
            path,
            "'required' is required to be supplied and to be an array including every key in "
            f"properties. Missing {absent}",
        )


def _parts(schema: Schema, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Schema]]:
    yield path, schema
    for word in ("properties", "$defs"):
        for key, part in schema.get(word, {}).items():
            yield from _parts(part, (*path, word, key))
    if isinstance(schema.get("items"), dict):
        yield from _parts(schema["items"], (*path, "items"))
    for number, part in enumerate(schema.get("anyOf", ())):
        yield from _parts(part, (*path, "anyOf", str(number)))


def _invalid(name: str, path: tuple[str, ...], what: str) -> Refused:
    return Refused(
        400,
        f"Invalid schema for response_format '{name}': In context={path}, {what}.",
        code="invalid_json_schema",
        param="text.format.schema",
    )


# -- matching values -------------------------------------------------------------------------------
class Writer:
    """A generator of a value that matches a schema.

    `text(path, index)` returns the text of the string at `path` (names of properties from the
    outside in) in item `index` (from 0) of the innermost list; it is truncated or extended to fit.
    `count(path)` returns the requested number of items of a list.
    """

    def __init__(
        self,
        root: Schema,
        text: Callable[[tuple[str, ...], int], str],
        count: Callable[[tuple[str, ...]], int],
    ) -> None:
        self._root, self._text, self._count = root, text, count

    def write(self) -> Any:
        """Return the value."""
        return self._value(self._root, (), 0)

    def _value(self, schema: Schema, path: tuple[str, ...], index: int) -> Any:
        schema = self._resolved(schema)
        kinds = schema.get("type")
        kind = next(k for k in kinds if k != "null") if isinstance(kinds, list) else kinds
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return schema["enum"][index % len(schema["enum"])]
        if kind == "object":
            return {
                name: self._value(part, (*path, name), index)
                for name, part in schema.get("properties", {}).items()
            }
        if kind == "array":
            return self._list(schema, path)
        if kind == "string":
            return self._string(schema, path, index)
        if kind in ("integer", "number"):
            return _number(schema, path, index)
        return kind == "boolean" or None

    def _resolved(self, schema: Schema) -> Schema:
        while "$ref" in schema or "anyOf" in schema:
            if "anyOf" in schema:
                schema = next(part for part in schema["anyOf"] if part.get("type") != "null")
                continue
            target: Any = self._root
            for step in schema["$ref"].removeprefix("#").strip("/").split("/"):
                target = target[step] if step else target
            schema = target
        return schema

    def _list(self, schema: Schema, path: tuple[str, ...]) -> list[Any]:
        low, high = schema.get("minItems", 0), schema.get("maxItems", 100)
        number = min(max(self._count(path), low), high)
        return [self._value(schema["items"], path, index) for index in range(number)]

    def _string(self, schema: Schema, path: tuple[str, ...], index: int) -> str:
        if schema.get("format") in _FORMATS:
            return _FORMATS[schema["format"]]
        text = self._text(path, index)
        low, high = schema.get("minLength", 0), schema.get("maxLength", len(text) or 1)
        while len(text) < low:
            text = f"{text} {text}"
        text = text[: max(high, low)].strip().ljust(low, ".")
        if "pattern" in schema and not re.search(schema["pattern"], text):
            raise ValueError(f"The stand-in cannot write text for the pattern {schema['pattern']}.")
        return text


def _number(schema: Schema, path: tuple[str, ...], index: int) -> int:
    low = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    high = schema.get("maximum", 1_000_000)
    counted = path and path[-1] in ("index", "number", "scene", "scene_number", "order", "id")
    wished = index + 1 if counted else 5
    step = schema.get("multipleOf", 1)
    return int(min(max(wished, low), high) // step * step)
