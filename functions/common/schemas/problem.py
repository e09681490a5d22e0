"""Problem details (RFC 9457) of a refused request, for the API and for the inbox.

The legacy fields `success`, `error` and `details` are included for clients of the legacy API.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ConfigDict, Field

from common.domain.errors import InvalidInput, VideoError
from common.schemas.base import Schema

MAX_FIELD_ERRORS = 20
"""Maximum number of field errors in a refusal; its `detail` has the number of the others."""
_QUOTED = re.compile(r"'([^']*)'")


class FieldError(Schema):
    """An invalid field. `pointer` is a JSON pointer into the request (RFC 6901)."""

    pointer: str = Field(description="JSON pointer to the field.")
    detail: str = Field(description="What is wrong with the field.")
    allowed: Any = Field(default=None, description="Allowed values, if they are known.")


class Refusal(Schema):
    """Problem details. `code` is stable; `title` and `detail` may change."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457 problem details."})

    type: str = Field(default="about:blank", description="Always `about:blank`.")
    title: str = Field(description="Short summary of the problem.")
    detail: str = Field(description="Explanation for people; may change.")
    code: str = Field(description="Stable, machine-readable code.")
    errors: list[FieldError] = Field(default_factory=list, description="Invalid fields.")
    retryable: bool = Field(
        default=False, description="Whether the same request can succeed later."
    )
    success: bool = Field(default=False, description="Always false.")
    error: str = Field(description="Same as `detail`, for clients of the legacy API.")
    details: Any = Field(
        default=None, description="Additional information, for clients of the legacy API."
    )


def from_error(error: VideoError) -> Refusal:
    """Return the refusal for one of the application's own errors."""
    faults = [field_error(error)] if error.field else []
    return refusal(error.title, error.error_code, error.detail, faults, retryable=error.retryable)


def from_field_errors(faults: list[FieldError]) -> Refusal:
    """Return the refusal of an invalid body, with at most MAX_FAULTS field errors."""
    listed = faults[:MAX_FIELD_ERRORS]
    summary = "; ".join(
        f"{fault.pointer or 'body'}: {fault.detail.removesuffix('.')}" for fault in listed[:5]
    )
    more = f", and {len(faults) - 5} more" if len(faults) > 5 else ""
    return refusal(
        InvalidInput.title, InvalidInput.code, f"{summary}{more}. Nothing was stored.", listed
    )


def field_error(error: VideoError, within: str = "") -> FieldError:
    """Return the field error of one of the application's own errors.

    `within` is the pointer to the part of the request that was validated.
    """
    pointer = "/" + error.field.replace(".", "/") if error.field else ""
    return FieldError(pointer=within + pointer, detail=error.detail, allowed=error.allowed)


def field_errors(errors: Iterable[Mapping[str, Any]], within: str = "") -> list[FieldError]:
    """Convert pydantic's errors, without the input values, which may be private.

    `within` is the pointer to the part of the request that was validated.
    """
    return [
        FieldError(
            pointer=within + "".join(f"/{_escaped(part)}" for part in error["loc"]),
            detail=str(error["msg"]),
            allowed=_allowed(error),
        )
        for error in errors
    ]


def _allowed(error: Mapping[str, Any]) -> Any:
    """Return the allowed values as a list; pydantic has them as quoted text."""
    expected = error.get("ctx", {}).get("expected")
    return _QUOTED.findall(expected) or expected if isinstance(expected, str) else expected


def _escaped(part: str | int) -> str:
    """Escape a segment of a JSON pointer (RFC 6901); a client can send any field name."""
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
    """Return a refusal, with the legacy fields derived from the others."""
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
