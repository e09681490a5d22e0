"""Why something was refused, as a document (RFC 9457), whoever it was asked through.

It also carries `success`, `error` and `details`, which clients of the first version read.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ConfigDict, Field

from common.domain.errors import InvalidInput, VideoError
from common.schemas.base import Schema

MAX_FAULTS = 20
"""Faults that one refusal shows; its `detail` counts the others."""
_QUOTED = re.compile(r"'([^']*)'")


class FieldError(Schema):
    """One field at fault. `pointer` is a JSON pointer into the request (RFC 6901)."""

    pointer: str
    detail: str
    allowed: Any = None


class Refusal(Schema):
    """Why a request was refused. `code` is stable; the texts are for people."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457 problem details."})

    type: str = "about:blank"
    title: str
    detail: str
    code: str
    errors: list[FieldError] = Field(default_factory=list)
    retryable: bool = False
    success: bool = False
    error: str
    details: Any = None


def from_error(error: VideoError) -> Refusal:
    """Describe one of the application's own errors."""
    faults = [field_error(error)] if error.field else []
    return refusal(error.title, error.error_code, error.detail, faults, retryable=error.retryable)


def from_field_errors(faults: list[FieldError]) -> Refusal:
    """Describe what is wrong with a body: the first MAX_FAULTS, and how many more there are."""
    shown = faults[:MAX_FAULTS]
    named = "; ".join(
        f"{fault.pointer or 'body'}: {fault.detail.removesuffix('.')}" for fault in shown[:5]
    )
    more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
    return refusal(
        InvalidInput.title, InvalidInput.code, f"{named}{more}. Nothing was stored.", shown
    )


def field_error(error: VideoError, within: str = "") -> FieldError:
    """Turn one of the application's own errors into a fault; `within` as below."""
    pointer = "/" + error.field.replace(".", "/") if error.field else ""
    return FieldError(pointer=within + pointer, detail=error.detail, allowed=error.allowed)


def field_errors(errors: Iterable[Mapping[str, Any]], within: str = "") -> list[FieldError]:
    """Turn pydantic's errors into faults; without the values, which may be private.

    `within` is the pointer to what was read, if that was a part.
    """
    found = []
    for error in errors:
        place = [_named(part) for part in error["loc"]]
        found.append(
            FieldError(
                pointer=within + "".join(f"/{part}" for part in place),
                detail=str(error["msg"]),
                allowed=_allowed(error),
            )
        )
    return found


def _allowed(error: Mapping[str, Any]) -> Any:
    """Return the allowed values as a list; pydantic has them as a text, in quotes."""
    expected = error.get("ctx", {}).get("expected")
    return _QUOTED.findall(expected) or expected if isinstance(expected, str) else expected


def _named(part: str | int) -> str:
    """Return a name as a JSON pointer has it; a client's own names can hold anything."""
    text = str(part).encode(errors="replace").decode().replace("\0", "\ufffd")
    return text.replace("~", "~0").replace("/", "~1")[:100]


def refusal(
    title: str,
    code: str,
    detail: str,
    faults: list[FieldError] | None = None,
    *,
    retryable: bool = False,
) -> Refusal:
    """Put a refusal together."""
    faults = faults or []
    return Refusal(
        title=title,
        detail=detail,
        code=code,
        errors=faults,
        retryable=retryable,
        error=detail,
        details=[fault.model_dump(exclude_none=True) for fault in faults] or None,
    )
