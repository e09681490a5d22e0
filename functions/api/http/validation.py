"""Validation of requests and responses against the models of their route.

Powertools validates a request before all middlewares, so an invalid one would be neither
authenticated nor counted against the rate limits. Here it is validated after them, immediately
before the route.
"""

import binascii
import re
from email.message import Message
from typing import Any, cast

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
    OpenAPIResponseValidationMiddleware,
)
from aws_lambda_powertools.event_handler.openapi.exceptions import (
    RequestUnsupportedContentType,
    RequestValidationError,
)
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

from common.domain.errors import InvalidInput, Malformed, PayloadTooLarge, UnsupportedMediaType

_JSON = "application/json"
_CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")
_INDEX = re.compile(r"\[\d{0,3}\]$")
SMALL_BODY = 64 * 1024
"""Default limit of a body, in characters; `middleware.body_limit` sets another one."""


def install(app: APIGatewayRestResolver) -> None:
    """Make the application validate after its middlewares; a test asserts the order."""
    app._request_validation_middleware = _skip  # type: ignore[assignment]
    app._response_validation_middleware = Validation()


class JsonRequests(OpenAPIRequestValidationMiddleware):
    """Validator of requests whose body, if present, must be a JSON object.

    Powertools would also read forms, and use the first object of a list as the object itself.
    """

    def handler(self, app: Any, next_middleware: NextMiddleware) -> Response[Any]:
        """Validate the request, then call the route; raises RequestValidationError or Malformed.

        Powertools ignores unknown parameters, so a misspelt filter would list everything. They are
        rejected on all routes with a caller. Signed links are exempt: sites that forward them
        (mail clients, chats) append tracking parameters.
        """
        _normalize_query(app)
        if "caller" in app.context and (errors := _unknown_inputs(app)):
            raise RequestValidationError(errors)
        return super().handler(app, next_middleware)

    def _get_body(self, app: Any) -> dict[str, Any]:
        event = app.current_event
        if not event.body:
            return None  # type: ignore[return-value]  # an empty body may have any Content-Type
        limit = app.context.get("max_body", SMALL_BODY)
        if len(event.body) > limit:
            raise PayloadTooLarge(
                f"The body has more than {limit:,} characters. Nothing was stored."
            )
        check_encoding(event)
        message = Message()
        message["content-type"] = event.headers.get("content-type", "") or _JSON
        media_type = message.get_content_type()
        if media_type not in (_JSON, "text/json") and not _is_json_object(media_type):
            raise RequestUnsupportedContentType("Unsupported content type", errors=[])
        charset = message.get_content_charset() or "utf-8"
        if charset not in _CHARSETS:
            raise UnsupportedMediaType(
                f"The charset {charset} is not supported. Send the body in UTF-8. Nothing was "
                "stored."
            )
        try:
            body: Any = event.json_body
        except (binascii.Error, UnicodeDecodeError):
            raise Malformed("The body is not valid UTF-8.") from None
        if isinstance(body, list):
            raise InvalidInput("The body is a JSON array; send an object. Nothing was stored.")
        return body  # type: ignore[no-any-return]


class Validation(OpenAPIResponseValidationMiddleware):
    """Validator of the request before the route, and of the response after it."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = JsonRequests()  # type: ignore[no-untyped-call]  # untyped in Powertools

    def handler(self, app: Any, next_middleware: NextMiddleware) -> Response[Any]:
        """Validate the request, call the route, and validate its response."""

        def respond(app: Any) -> Response[Any]:
            return super(Validation, self).handler(app, next_middleware)

        return self._requests.handler(app, cast(NextMiddleware, respond))


def _is_json_object(media_type: str) -> bool:
    """Return whether a `+json` media type holds an object; a JSON Patch is an array."""
    return media_type.endswith("+json") and media_type != "application/json-patch+json"


def check_encoding(event: BaseProxyEvent) -> None:
    """Raise UnsupportedMediaType for a compressed body."""
    encoding = event.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(
            f"Content-Encoding: {encoding[:40]} is not supported. Send the body uncompressed, "
            "without that header. Nothing was stored."
        )


def _normalize_query(app: Any) -> None:
    """Normalize the query parameters that common HTTP clients send.

    axios and PHP write `status[]=a` or `status[0]=a` for a list. jQuery appends `_=<time>` to a GET
    to bypass caches, and writes null as `q=`, so an empty parameter of a GET counts as omitted.
    """
    event = app.current_event
    known = {field.alias for field in app.context["_route"].dependant.query_params}
    raw: dict[str, list[str]] = event.raw_event.get("multiValueQueryStringParameters") or {}
    parameters: dict[str, list[str]] = {}
    for name, values in raw.items():
        plain = name if name in known else _INDEX.sub("", name)
        if plain in known and event.http_method == "GET" and not any(values):
            continue
        if name != "_" or "_" in known:
            parameters.setdefault(plain if plain in known else name, []).extend(values)
    if parameters != raw:
        event.raw_event["multiValueQueryStringParameters"] = parameters
        event.raw_event["queryStringParameters"] = {
            name: values[-1] for name, values in parameters.items()
        }


def _unknown_inputs(app: Any) -> list[dict[str, Any]]:
    """Return an error in pydantic's form for each unknown parameter, and for an unexpected body."""
    dependant = app.context["_route"].dependant
    known = [field.alias for field in dependant.query_params]
    errors = [
        {
            "loc": ("query", name),
            "msg": "unknown parameter",
            "ctx": {"expected": known},
        }
        for name in app.current_event.resolved_query_string_parameters
        if name not in known
    ]
    # Many clients send an empty object where they have no body.
    if not dependant.body_params and (app.current_event.body or "{}").strip() not in ("", "{}"):
        errors.append({"loc": ("body",), "msg": "this endpoint accepts no body"})
    return errors


def _skip(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
    return call(app)
