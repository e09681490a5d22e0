"""Strict JSON parsing, and the base classes of request models."""

import json
import math
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from common.domain.errors import Malformed


def _storable(text: str) -> str:
    """Raise ValueError for text that PostgreSQL cannot store: NUL, and unpaired surrogates."""
    if not is_storable(text):
        raise ValueError("contains a NUL character or an unpaired surrogate")
    return text


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can store the text. Check after the last decoding."""
    return _NOT_STORABLE.search(text) is None


_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")

MAX_DEPTH = 16
"""Maximum nesting of objects and arrays in JSON; the deepest request has five levels."""
MAX_VALUES = 1000
"""Maximum number of fields and array items in a JSON text; the largest request has about 100."""
_MAX_DIGITS = 40  # of one number
_MAX_EXACT = 2**53  # a double represents every integer below it exactly
# Characters that start a value, counted before parsing. A prompt and metadata together may contain
# 12,000 of them as text.
_MAX_SEPARATORS = 20_000

STORABLE = AfterValidator(_storable)
Text = Annotated[str, STORABLE]
SLUG = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Slug = Annotated[str, StringConstraints(pattern=SLUG)]


class Schema(BaseModel):
    """Base of every pydantic model. Its validator is built on first use.

    This shortens cold starts: a function declares many models, and an event needs few of them.
    """

    model_config = ConfigDict(defer_build=True)


class RequestSchema(Schema):
    """Base of all requests: unknown fields and type coercion are rejected.

    A field that is null counts as omitted, because Jackson, Go and C# serialize unset fields as
    null. `null_clears` names the fields in which null has a meaning of its own.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    null_clears: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        nullable = cls.null_clears | (data.keys() - cls.model_fields.keys())
        return without_nulls(data, nullable)


def without_nulls(data: Any, nullable: AbstractSet[str] = frozenset()) -> Any:
    """Return a JSON object without its null fields, except for those in `nullable`."""
    if not isinstance(data, dict):
        return data
    return {name: value for name, value in data.items() if value is not None or name in nullable}


def read_json(text: str, noun: str = "body") -> Any:
    """Parse JSON text, with or without a byte order mark; errors refer to it as `noun`.

    Raises Malformed if it is not JSON, is nested deeper than MAX_DEPTH, or has more than MAX_VALUES
    values. A text with far too many values is rejected before it is parsed.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise Malformed(f"The {noun} is empty. Send JSON.")
    if (at := text.find("\ufffd")) >= 0:  # a gateway replaces invalid bytes with U+FFFD
        raise Malformed(
            f"The {noun} is not valid UTF-8 (at character {at}). To send the character U+FFFD "
            "itself, escape it as \\ufffd."
        )
    if sum(map(text.count, ",[{")) > _MAX_SEPARATORS:
        raise _too_many()
    try:
        value = json.loads(
            text, parse_constant=_no_constant, parse_int=_integer, parse_float=_float
        )
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        position = f" (at character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise Malformed(f"The {noun} is not valid JSON{position}.") from None
    level, count = [value], 0
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _children(outer)]
        count += len(level)
    if any(isinstance(inner, dict | list) for inner in level):
        raise _too_deep()
    if count > MAX_VALUES:
        raise _too_many()
    return value


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> Malformed:
    return Malformed(f"The JSON is nested deeper than {MAX_DEPTH} levels.")


def _too_many() -> Malformed:
    return Malformed(f"The JSON has more than {MAX_VALUES} fields and items.")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise Malformed(f"A number has more than {_MAX_DIGITS} digits.")
    return int(digits)


def _float(digits: str) -> float:
    """Return the number; an integral one as int, since JSON has one number type (Gson: `1.0`)."""
    value = float(digits) if len(digits) <= _MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise Malformed(f"A number has more than {_MAX_DIGITS} digits, or is too large.")
    return int(value) if value.is_integer() and abs(value) < _MAX_EXACT else value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
