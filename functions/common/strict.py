"""Reading what clients send, strictly: JSON, and the base of the models that judge it."""

import json
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

from common.errors import Malformed


def _storable(text: str) -> str:
    """Refuse what PostgreSQL cannot hold: NUL, and halves of surrogate pairs."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds a character that is not text")
    return text


MAX_DEPTH = 16
"""Levels of objects and lists in JSON; the deepest request has five."""

STORABLE = AfterValidator(_storable)
Text = Annotated[str, STORABLE]
SLUG = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
Slug = Annotated[str, StringConstraints(pattern=SLUG)]


class Request(BaseModel):
    """Base of what clients send: no unknown fields, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True)


def read_json(text: str) -> Any:
    """Read JSON text; raises Malformed for what is not JSON, or nested deeper than MAX_DEPTH."""
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        where = f" (at character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise Malformed(f"The body is not JSON{where}.") from None
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
    if any(isinstance(inner, dict | list) for inner in level):
        raise _too_deep()
    return value


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _too_deep() -> Malformed:
    return Malformed(f"It is nested deeper than {MAX_DEPTH} levels.")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
