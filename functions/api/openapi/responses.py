"""Documented responses of a route: its result and its errors."""

from typing import Any

from pydantic import BaseModel

from api.http import problems
from api.http.problems import Problem

_LEGACY_INVALID = "The body is not JSON, or a field or parameter is invalid."  # not 422
ERRORS = {
    400: "The body is not JSON.",
    401: "The API key is missing or invalid.",
    402: "The request would exceed a spend cap; `detail` states what remains. Nothing was stored.",
    403: "The API key has no permission for this request.",
    404: "The object does not exist, or belongs to another user.",
    409: "The request conflicts with the current state of the object.",
    413: "The body is too large.",
    415: "The media type, charset or encoding of the body is not supported.",
    422: "A field or parameter is invalid; `errors` lists each one. Nothing was stored.",
    429: "A rate limit is exceeded. Retry after the seconds in `Retry-After`.",
    500: "An internal error occurred.",
    502: "A provider failed, or rejected the credentials of this deployment.",
    503: "Temporarily unavailable. Retry after the seconds in `Retry-After`.",
}


def json_responses(
    status: int,
    model: type[BaseModel],
    *errors: int,
    description: str = "The request succeeded.",
    authenticated: bool = False,
) -> dict[int, Any]:
    """Return the responses of a route with a JSON body: its result and the statuses `errors`."""
    success = {"description": description, "content": {"application/json": {"model": model}}}
    return {status: success, **_error_responses(errors, authenticated)}


def empty_responses(
    *errors: int,
    status: int = 204,
    description: str = "The request succeeded. The response has no body.",
    authenticated: bool = False,
) -> dict[int, Any]:
    """Return the responses of a route without a body: its result and the statuses `errors`."""
    return {status: {"description": description}, **_error_responses(errors, authenticated)}


def _error_responses(errors: tuple[int, ...], authenticated: bool) -> dict[int, Any]:
    descriptions = {**ERRORS, **({} if 422 in errors else {400: _LEGACY_INVALID})}
    return {
        status: {
            "description": descriptions[status],
            "content": {problems.MEDIA_TYPE: {"model": Problem}},
        }
        for status in sorted({*errors, 500, *((401, 403) if authenticated else ())})
    }
