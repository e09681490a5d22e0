"""What happens around every route: security headers, who calls, how often."""

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
    """Answer what is wrong with a request as the first version of the API did: 400, not 422."""
    app.context["wrong"] = 400
    return call(app)


def body_limit(
    characters: int,
) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Make the middleware of a route whose body may have another size than `SMALL_BODY`."""

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        app.context["max_body"] = characters
        return call(app)

    return middleware


def with_headers(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
    """Put the headers on an answer; those of a refusal are put on by `api.http.errors`."""
    response = call(app)
    for name, value in headers(app).items():
        response.headers.setdefault(name, value)  # a route may know better
    return response


def absolute_location(
    address: Callable[[APIGatewayProxyEvent], str],
) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Make the middleware that puts the API's address before a `Location` of its own.

    A path alone is resolved against the host, without the stage (RFC 3986, section 5.2).
    """

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        response = call(app)
        location = response.headers.get("Location")
        if isinstance(location, str) and location.startswith("/"):
            response.headers["Location"] = address(app.current_event) + location
        return response

    return middleware


def exact_path(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
    """Know no path with a line break at its end, which the patterns of Powertools overlook."""
    if app.current_event.path.endswith("\n"):
        raise NotFound("There is no such endpoint.")
    return call(app)


def headers(app: APIGatewayRestResolver) -> dict[str, str]:
    """Return the headers that every answer carries, those for pages, and of the caller's limits."""
    return {
        **SECURITY_HEADERS,
        **app.context.get("cors", {}),
        "X-Request-Id": app.current_event.request_context.request_id or "",
        **trace_header(),
        **app.context.get("limits", {}),
    }


def trace_header() -> dict[str, str]:
    """Return the header that names the trace of the request; none on one machine."""
    trace = trace_id()
    return {"X-Trace-Id": trace} if trace else {}


def admitted(
    database: Callable[[], Database], *, without_a_key: bool = False
) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Make the middleware of routes that need a key: it knows the caller, and counts.

    `without_a_key`: the capability of a link will do too; then there is no caller.
    """

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        if not app.current_event.request_context.authorizer.raw_event.get("key_id"):
            if not without_a_key:
                raise Unauthorized("No valid API key was sent.")
            app.context["caller"] = None
            return call(app)
        who = Caller.from_authorizer(app.current_event.request_context.authorizer.raw_event)
        logger.append_keys(key_id=who.key_id)
        usage = rate_limit.count(database(), who)
        app.context.update(caller=who, limits=usage.headers)
        if usage.refusal:
            raise usage.refusal
        named = app.current_event.headers.get(USER_HEADER)
        app.context["caller"] = who.acting_as(named, USER_HEADER)
        return call(app)

    return middleware
