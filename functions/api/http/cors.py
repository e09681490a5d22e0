"""CORS (Fetch standard): the origins whose pages may call the API and read its responses.

Origins are compared exactly. API keys are sent in headers that the page sets, so credentials of
the browser are never allowed (no `Access-Control-Allow-Credentials`).
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
_MAX_AGE_SECONDS = 7200  # browsers cache a preflight for no longer


def origin_of(event: Mapping[str, Any]) -> str | None:
    """Return the `Origin` header; None if the request does not come from a browser."""
    headers = event.get("headers") or {}
    return next((value for name, value in headers.items() if name.lower() == "origin"), None)


def headers(allowed: Sequence[str], origin: str) -> dict[str, str]:
    """Return the CORS headers of a response; only an allowed origin may read it."""
    if origin not in allowed:
        return {"Vary": "Origin"}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": ", ".join(EXPOSED),
        "Vary": "Origin",
    }


def preflight(allowed: Sequence[str], origin: str | None) -> dict[str, Any]:
    """Respond to a preflight request; the CORS headers are present for an allowed origin only."""
    cors_headers: dict[str, str] = {}
    if origin in allowed:
        cors_headers = {
            "Access-Control-Allow-Origin": str(origin),
            "Access-Control-Allow-Methods": ", ".join(METHODS),
            "Access-Control-Allow-Headers": ", ".join(REQUEST_HEADERS),
            "Access-Control-Max-Age": str(_MAX_AGE_SECONDS),
        }
    return {
        "statusCode": 204,
        "headers": {**SECURITY_HEADERS, **trace_header(), **cors_headers, "Vary": "Origin"},
        "body": "",
        "isBase64Encoded": False,
    }
