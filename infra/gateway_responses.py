"""What API Gateway answers by itself to requests that never reach a function.

They have the shape that the project's own errors have.

Shape, headers, codes and titles are those of `functions/api/http/problems.py`, `middleware.py` and
`common/domain/errors.py`; a test compares them (`tests/infra/test_api.py`).
"""

from dataclasses import dataclass

# All headers of the functions' answers but Content-Security-Policy: its value holds single quotes,
# which API Gateway itself needs around a value.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
_UNCHECKED_KEY = "The API key could not be checked; nothing was stored. Try again."
_UNKNOWN = "There is no such endpoint, or not with this method; see /openapi.json."


@dataclass(frozen=True)
class GatewayError:
    """One kind of refusal: API Gateway's name for it, and what the client is told."""

    response_type: str
    status: int
    title: str
    code: str
    detail: str
    retry_after: int | None = None  # seconds

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer."""
        headers = {**SECURITY_HEADERS, "Content-Type": "application/problem+json"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers

    @property
    def body(self) -> dict[str, object]:
        """The problem document; `$context.requestId` is for API Gateway to fill in."""
        return {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "errors": [],
            "retryable": self.retry_after is not None,
            "request_id": "$context.requestId",
            "success": False,
            "error": self.detail,
            "details": None,
        }


ERRORS = (
    GatewayError(
        "UNAUTHORIZED",
        401,
        "Unauthorized",
        "auth.unauthorized",
        "No valid API key was sent. Send one as `Authorization: Bearer` or as `X-API-Key`.",
    ),
    GatewayError(
        "ACCESS_DENIED",
        403,
        "Forbidden",
        "auth.forbidden",
        "This API key may not use this endpoint.",
    ),
    # Two names of API Gateway for a route that does not exist: without and with an Authorization
    # header, which it takes for a signature of AWS.
    GatewayError("MISSING_AUTHENTICATION_TOKEN", 404, "Not found", "not_found", _UNKNOWN),
    GatewayError("INVALID_SIGNATURE", 404, "Not found", "not_found", _UNKNOWN),
    GatewayError("RESOURCE_NOT_FOUND", 404, "Not found", "not_found", _UNKNOWN),
    GatewayError(
        "REQUEST_TOO_LARGE",
        413,
        "Payload too large",
        "request.too_large",
        "The request is too large; nothing was stored. Send files by POST /v1/uploads.",
    ),
    GatewayError(
        "UNSUPPORTED_MEDIA_TYPE",
        415,
        "Unsupported media type",
        "request.media_type",
        "Send the body as application/json.",
    ),
    GatewayError(
        "THROTTLED",
        429,
        "Too many requests",
        "rate.service",
        "The service has more requests than it takes at a time; nothing was stored. Try again.",
        retry_after=1,
    ),
    GatewayError(
        "QUOTA_EXCEEDED",
        429,
        "Too many requests",
        "rate.service",
        "The service has more requests than it takes at a time; nothing was stored. Try again.",
        retry_after=1,
    ),
    # The authorizer fails closed: without the database nobody gets in. API Gateway calls an
    # authorizer that throws, times out or is throttled a configuration error (serverless#829).
    GatewayError(
        "AUTHORIZER_FAILURE",
        503,
        "Temporarily unavailable",
        "auth.unavailable",
        _UNCHECKED_KEY,
        retry_after=5,
    ),
    GatewayError(
        "AUTHORIZER_CONFIGURATION_ERROR",
        503,
        "Temporarily unavailable",
        "auth.unavailable",
        _UNCHECKED_KEY,
        retry_after=5,
    ),
    # The function was throttled, most often, and did not run; but API Gateway does not say so.
    GatewayError(
        "INTEGRATION_FAILURE",
        503,
        "Temporarily unavailable",
        "service.unavailable",
        "The service did not answer; the request may have been carried out. Send it again with "
        "the same Idempotency-Key.",
        retry_after=5,
    ),
    # A web ACL that the deployer attached. Without a response of its own it would get the status
    # of DEFAULT_4XX.
    GatewayError(
        "WAF_FILTERED",
        403,
        "Forbidden",
        "auth.forbidden",
        "The service's firewall refused the request; nothing was stored.",
    ),
    GatewayError(
        "INTEGRATION_TIMEOUT",
        504,
        "Timeout",
        "service.timeout",
        "The service did not answer in time; the request may have been carried out.",
    ),
    GatewayError(
        "DEFAULT_4XX",
        400,
        "Malformed request",
        "request.malformed",
        "The request cannot be read; nothing was stored.",
    ),
    GatewayError(
        "DEFAULT_5XX",
        500,
        "Internal error",
        "internal",
        "The service failed; the request may have been carried out.",
    ),
)
