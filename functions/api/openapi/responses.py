"""Documented responses of a route: its result and the errors it can return."""

from typing import Any

from pydantic import BaseModel

from api.http import problems
from api.http.problems import Problem

_LEGACY_WRONG = "The body is not JSON, or a field or parameter is wrong."  # one status
MEANING = {
    400: "The body is not JSON.",
    401: "No API key, or not a valid one.",
    402: "A spend cap would be passed; the answer says what remains. Nothing was stored.",
    403: "The key may not use this endpoint.",
    404: "There is no such thing, or it belongs to somebody else.",
    409: "Not possible in the state that it is in.",
    413: "The body is too large.",
    415: "The body is not sent as JSON.",
    422: "A field or parameter is wrong; the answer names it. Nothing was stored.",
    429: "Over the key's request limit; see Retry-After.",
    500: "An internal error.",
    502: "A provider failed at the work, or refuses this deployment.",
    503: "Temporarily unavailable; see Retry-After.",
}


def answers(
    status: int, model: type[BaseModel], *refusals: int, authenticated: bool = False
) -> dict[int, Any]:
    """Describe a route's answers: its own, and the refusals that it can give."""
    done = {"description": "Done.", "content": {"application/json": {"model": model}}}
    return {status: done, **_refusals(refusals, authenticated)}


def empty(
    *refusals: int, status: int = 204, does: str = "Done.", authenticated: bool = False
) -> dict[int, Any]:
    """Describe the answers of a route that has no body to show, and its refusals."""
    return {status: {"description": does}, **_refusals(refusals, authenticated)}


def _refusals(refusals: tuple[int, ...], authenticated: bool) -> dict[int, Any]:
    meaning = {**MEANING, **({} if 422 in refusals else {400: _LEGACY_WRONG})}
    return {
        refusal: {
            "description": meaning[refusal],
            "content": {problems.MEDIA_TYPE: {"model": Problem}},
        }
        for refusal in sorted({*refusals, 500, *((401, 403) if authenticated else ())})
    }
