"""CORS (Fetch standard): pages of which sites may call the API and read its answers. Exactly these.

Keys travel in headers that a page sets itself, so credentials of the browser are never allowed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.http.middleware import SECURITY_HEADERS, trace_header

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Prefer",
    "X-API-Key",
    "X-Request-ID",
    "X-User-ID",
)
EXPOSED = (
    "Idempotent-Replayed",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
    "X-Trace-Id",
)
_MAX_AGE_SECONDS = 7200  # the longest that browsers keep it


def origin_of(event: Mapping[str, Any]) -> str | None:
    """Return the site whose page makes the request; None for what is no browser's."""
    headers = event.get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == "origin"), None)


def headers(allowed: Sequence[str], origin: str) -> dict[str, str]:
    """Return what an answer to a page carries: the right to read it, if its site is allowed."""
    if origin not in allowed:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED),
        "Vary": "Origin",
    }


def preflight(allowed: Sequence[str], origin: str | None) -> dict[str, Any]:
    """Answer a browser that asks before a page of that site may call."""
    granted: dict[str, str] = {}
    if origin in allowed:
        granted = {
            "Access-Control-Allow-Origin": str(origin),
            "Access-Control-Allow-Methods": ", ".join(METHODS),
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
        }
    return {
        "statusCode": 204,
        "headers": {**SECURITY_HEADERS, **trace_header(), **granted, "Vary": "Origin"},
        "body": "",
        "isBase64Encoded": False,
    }
