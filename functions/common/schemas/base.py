"""Reading what clients send, strictly: JSON, and the base of the models that judge it."""

import json
import math
import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, model_validator

from common.domain.errors import Malformed


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
_EXACT = 2**53  # up to here a double has every whole number
# Signs that begin a value, counted before parsing; a prompt and metadata may hold 12,000 as text.
_MAX_SEPARATORS = 20_000

STORABLE = AfterValidator(_storable)
Text = Annotated[str, STORABLE]
SLUG = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Slug = Annotated[str, StringConstraints(pattern=SLUG)]


class Schema(BaseModel):
    """Base of every pydantic model. Its validator is built on first use.

    A function declares many models and needs few of them for one event.
    """

    model_config = ConfigDict(defer_build=True)


class RequestSchema(Schema):
    """Base of what clients send: no unknown fields, no silent conversion.

    A field that is null counts as left out, because Jackson, Go and C# write nulls for fields that
    are not set; `null_clears` names the fields in which null means something else.
    """

    model_config = ConfigDict(extra="forbid", strict=True)
    null_clears: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, sent: Any) -> Any:
        if not isinstance(sent, dict):
            return sent
        may_be_null = cls.null_clears | (sent.keys() - cls.model_fields.keys())
        return without_nulls(sent, may_be_null)


def without_nulls(sent: Any, but: AbstractSet[str] = frozenset()) -> Any:
    """Return a JSON object without its fields that are null, but those named."""
    if not isinstance(sent, dict):
        return sent
    return {name: value for name, value in sent.items() if value is not None or name in but}


def read_json(text: str, noun: str = "body") -> Any:
    """Read JSON text, with or without a byte order mark; `noun` is what errors call it.

    Raises Malformed for what is not JSON, is nested deeper than MAX_DEPTH, or has more than
    MAX_VALUES values. A text of many values is refused before it is parsed.
    """
    text = text.removeprefix("\ufeff")
    if not text.strip():
        raise Malformed(f"The {noun} is empty. Send JSON.")
    if (at := text.find("\ufffd")) >= 0:  # a gateway put it in place of what it could not read
        raise Malformed(
            f"The {noun} is not text in UTF-8 (at character {at}). To send the character U+FFFD "
            "itself, write it as \\ufffd."
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
        where = f" (at character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise Malformed(f"The {noun} is not JSON{where}.") from None
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
    """Return a number; a whole one as an integer, since JSON has one kind (Gson writes `1.0`)."""
    value = float(digits) if len(digits) <= _MAX_DIGITS else math.inf
    if not math.isfinite(value):
        raise Malformed(f"A number has more than {_MAX_DIGITS} digits, or is too large.")
    return int(value) if value.is_integer() and abs(value) < _EXACT else value


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
