"""Middlewares: security headers, authentication, rate limits, body limits."""

from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent

from api.http import rate_limit
from common.aws.log import logger
from common.database import Database
from common.domain.caller import Caller
from common.domain.errors import NotFound, Unauthorized
from common.settings import trace_id

JSON = "application/json"
USER_HEADER = "X-User-ID"

SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


def legacy_status_codes(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
    """Respond to an invalid request with 400, as the legacy API does, instead of 422."""
    app.context["invalid_status"] = 400
    return call(app)


def body_limit(
    characters: int,
) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Return a middleware that limits the body to so many characters instead of `SMALL_BODY`."""

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        app.context["max_body"] = characters
        return call(app)

    return middleware


def with_headers(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
    """Add the common headers to a response; `api.http.errors` adds them to an error."""
    response = call(app)
    for name, value in headers(app).items():
        response.headers.setdefault(name, value)  # the route may have set another value
    return response


def absolute_location(
    address: Callable[[APIGatewayProxyEvent], str],
) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Return a middleware that makes a `Location` that is only a path absolute.

    Clients resolve a path against the host, without the stage (RFC 3986, section 5.2).
    """

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        response = call(app)
        location = response.headers.get("Location")
        if isinstance(location, str) and location.startswith("/"):
            response.headers["Location"] = address(app.current_event) + location
        return response

    return middleware


def exact_path(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
    """Raise NotFound for a path that ends with a line break, which Powertools' patterns match."""
    if app.current_event.path.endswith("\n"):
        raise NotFound("There is no such endpoint.")
    return call(app)


def headers(app: APIGatewayRestResolver) -> dict[str, str]:
    """Return the headers of every response: security, CORS, request id, trace id, rate limits."""
    return {
        **SECURITY_HEADERS,
        **app.context.get("cors", {}),
        "X-Request-Id": app.current_event.request_context.request_id or "",
        **trace_header(),
        **app.context.get("limits", {}),
    }


def trace_header() -> dict[str, str]:
    """Return the header with the trace id of the request; empty for a local deployment."""
    trace = trace_id()
    return {"X-Trace-Id": trace} if trace else {}


def authenticated(
    database: Callable[[], Database], *, key_optional: bool = False
) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Return a middleware that identifies the caller and enforces the rate limits of the key.

    With `key_optional`, a request without a key passes and has no caller: the route then requires
    the capability of a signed link. Raises Unauthorized or TooManyRequests.
    """

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        if not app.current_event.request_context.authorizer.raw_event.get("key_id"):
            if not key_optional:
                raise Unauthorized("No valid API key was sent.")
            app.context["caller"] = None
            return call(app)
        caller = Caller.from_authorizer(app.current_event.request_context.authorizer.raw_event)
        logger.append_keys(key_id=caller.key_id)
        usage = rate_limit.count(database(), caller)
        app.context.update(caller=caller, limits=usage.headers)
        if usage.refusal:
            raise usage.refusal
        user_id = app.current_event.headers.get(USER_HEADER)
        app.context["caller"] = caller.acting_as(user_id, USER_HEADER)
        return call(app)

    return middleware
