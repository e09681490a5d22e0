"""Errors as HTTP: the only place that knows which status an error has (RFC 9457).

The body also carries `success`, `error` and `details`, which clients of the first version read.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from common.errors import (
    BudgetExceeded,
    Conflict,
    Forbidden,
    InvalidInput,
    Malformed,
    MediaError,
    NotFound,
    PayloadTooLarge,
    TooManyRequests,
    TransientError,
    Unauthorized,
    VideoError,
)

MEDIA_TYPE = "application/problem+json"

_STATUS: tuple[tuple[type[VideoError], int], ...] = (
    (Malformed, 400),
    (InvalidInput, 422),
    (MediaError, 422),
    (PayloadTooLarge, 413),
    (Unauthorized, 401),
    (BudgetExceeded, 402),
    (Forbidden, 403),
    (NotFound, 404),
    (Conflict, 409),
    (TooManyRequests, 429),
    (TransientError, 503),
)


class Fault(BaseModel):
    """One field at fault. `pointer` is a JSON pointer into the request (RFC 6901)."""

    pointer: str
    detail: str
    allowed: Any = None


class Problem(BaseModel):
    """Why a request was refused. `code` is stable; the texts are for people."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457 problem details."})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[Fault] = Field(default_factory=list)
    retryable: bool = False
    request_id: str | None = None
    success: bool = False
    error: str
    details: Any = None


def status_of(error: VideoError) -> int:
    """Return the HTTP status of an error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def of_error(error: VideoError, request_id: str | None) -> Problem:
    """Describe one of the application's own errors."""
    faults = []
    if error.field:
        pointer = "/" + error.field.replace(".", "/")
        faults = [Fault(pointer=pointer, detail=error.detail, allowed=error.allowed)]
    return problem(
        status_of(error),
        title=error.title,
        code=error.error_code,
        detail=error.detail,
        faults=faults,
        retryable=error.retryable,
        request_id=request_id,
    )


def problem(
    status: int,
    *,
    title: str,
    code: str,
    detail: str,
    faults: list[Fault] | None = None,
    retryable: bool = False,
    request_id: str | None = None,
) -> Problem:
    """Describe a refusal."""
    faults = faults or []
    return Problem(
        title=title,
        status=status,
        detail=detail,
        code=code,
        errors=faults,
        retryable=retryable,
        request_id=request_id,
        error=detail,
        details=[fault.model_dump(exclude_none=True) for fault in faults] or None,
    )
