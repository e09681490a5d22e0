"""Reading what clients send, strictly: JSON, and the base of the models that judge it."""

import json
import math
import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from common.errors import Malformed


def _storable(text: str) -> str:
    """Refuse what PostgreSQL cannot hold: NUL, and halves of surrogate pairs."""
    if not is_storable(text):
        raise ValueError("holds a character that is not text")
    return text


def is_storable(text: str) -> bool:
    """Return whether PostgreSQL can hold the text. To be asked after the last decoding."""
    return _NOT_STORABLE.search(text) is None


_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")

MAX_DEPTH = 16
"""Levels of objects and lists in JSON; the deepest request has five."""
MAX_VALUES = 1000
"""Fields and list items in one JSON text; the largest request has about a hundred."""
_MAX_DIGITS = 40  # of one number
# Signs that begin a value, counted before parsing; a prompt and metadata may hold 12,000 as text.
_MAX_SEPARATORS = 20_000

STORABLE = AfterValidator(_storable)
Text = Annotated[str, STORABLE]
SLUG = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Slug = Annotated[str, StringConstraints(pattern=SLUG)]


class Request(BaseModel):
    """Base of what clients send: no unknown fields, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True)


def read_json(text: str) -> Any:
    """Read JSON text.

    Raises Malformed for what is not JSON, is nested deeper than MAX_DEPTH, or has more than
    MAX_VALUES values. A text of many values is refused before it is parsed.
    """
    if sum(map(text.count, ",[{")) > _MAX_SEPARATORS:
        raise _too_many()
    try:
        value = json.loads(
            text, parse_constant=_no_constant, parse_int=_integer, parse_float=_float
        )
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        where = f" (at character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise Malformed(f"The body is not JSON{where}.") from None
    level, count = [value], 0
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        count += len(level)
    if any(isinstance(inner, dict | list) for inner in level):
        raise _too_deep()
    if count > MAX_VALUES:
        raise _too_many()
    return value


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> Malformed:
    return Malformed(f"It is nested deeper than {MAX_DEPTH} levels.")


def _too_many() -> Malformed:
    return Malformed(f"It has more than {MAX_VALUES} fields and items.")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise Malformed(f"A number has more than {_MAX_DIGITS} digits.")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits) if len(digits) <= _MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise Malformed(f"A number has more than {_MAX_DIGITS} digits, or is too large.")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
