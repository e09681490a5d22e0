"""Error responses of API Gateway to requests that never reach a function.

Their shape, headers, codes and titles are those of `functions/api/http/problems.py`,
`middleware.py` and `common/domain/errors.py`; `tests/infra/test_api.py` compares them.
"""

from dataclasses import dataclass

# The headers of the functions' responses, except Content-Security-Policy: its value contains single
# quotes, with which API Gateway delimits a header's value.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}
_UNCHECKED_KEY = "The API key could not be verified. Nothing was stored. Try again."
_UNKNOWN = "No endpoint has this path and method. See /openapi.json."


@dataclass(frozen=True)
class GatewayError:
    """A gateway response type of API Gateway, and the problem document that the client gets."""

    response_type: str
    status: int
    title: str
    code: str
    detail: str
    retry_after: int | None = None  # seconds

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the response."""
        headers = {**SECURITY_HEADERS, "Content-Type": "application/problem+json"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        return headers

    @property
    def body(self) -> dict[str, object]:
        """The problem document; API Gateway replaces `$context.requestId`."""
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
    # API Gateway's types for an unknown route: without an Authorization header, and with one, which
    # it parses as an AWS signature.
    GatewayError("MISSING_AUTHENTICATION_TOKEN", 404, "Not found", "not_found", _UNKNOWN),
    GatewayError("INVALID_SIGNATURE", 404, "Not found", "not_found", _UNKNOWN),
    GatewayError("RESOURCE_NOT_FOUND", 404, "Not found", "not_found", _UNKNOWN),
    GatewayError(
        "REQUEST_TOO_LARGE",
        413,
        "Payload too large",
        "request.too_large",
        "The request is too large. Nothing was stored. Send files with POST /v1/uploads.",
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
        "The service is receiving too many requests. Nothing was stored. Try again.",
        retry_after=1,
    ),
    GatewayError(
        "QUOTA_EXCEEDED",
        429,
        "Too many requests",
        "rate.service",
        "The service is receiving too many requests. Nothing was stored. Try again.",
        retry_after=1,
    ),
    # The authorizer fails closed: without the database it authorizes no request. API Gateway
    # reports an authorizer that throws, times out or is throttled as a configuration error
    # (serverless#829).
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
    # Usually the function was throttled and did not run, but API Gateway does not report that.
    GatewayError(
        "INTEGRATION_FAILURE",
        503,
        "Temporarily unavailable",
        "service.unavailable",
        "The service did not respond. The request may have been processed. Send it again with the "
        "same Idempotency-Key.",
        retry_after=5,
    ),
    # From a web ACL that the deployer attached. Without this entry the status would be that of
    # DEFAULT_4XX.
    GatewayError(
        "WAF_FILTERED",
        403,
        "Forbidden",
        "auth.forbidden",
        "The service's firewall blocked the request. Nothing was stored.",
    ),
    GatewayError(
        "INTEGRATION_TIMEOUT",
        504,
        "Timeout",
        "service.timeout",
        "The service did not respond in time. The request may have been processed.",
    ),
    GatewayError(
        "DEFAULT_4XX",
        400,
        "Malformed request",
        "request.malformed",
        "The request cannot be parsed. Nothing was stored.",
    ),
    GatewayError(
        "DEFAULT_5XX",
        500,
        "Internal error",
        "internal",
        "The service failed. The request may have been processed.",
    ),
)
