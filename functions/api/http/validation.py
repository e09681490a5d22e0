"""Requests are held against the models of their route, and so are answers.

Powertools validates a request before all middlewares, so that a wrong one would neither be counted
nor refused to whom it is not for. Here it is validated after them, right before the route.
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
"""Characters of the body of a route that takes no file; its own limit stands in the context."""


def install(app: APIGatewayRestResolver) -> None:
    """Make the application validate after its middlewares; a test holds the order."""
    app._request_validation_middleware = _pass_on  # type: ignore[assignment]
    app._response_validation_middleware = Validation()


class JsonRequests(OpenAPIRequestValidationMiddleware):
    """Validates requests whose body, if they have one, is a JSON object and nothing else.

    Powertools also reads forms, and takes the first object of a list for the object itself.
    """

    def handler(self, app: Any, next_middleware: NextMiddleware) -> Response[Any]:
        """Answer a request; raises RequestValidationError, or Malformed, for a wrong one.

        What a route does not know, Powertools passes over, and a misspelt filter lists everything.
        It is refused wherever callers are known. Links that anybody may open are left alone: sites
        that they are passed on through add parameters of their own, which mean nothing here.
        """
        _common_names(app)
        if "caller" in app.context and (faults := _not_known(app)):
            raise RequestValidationError(faults)
        return super().handler(app, next_middleware)

    def _get_body(self, app: Any) -> dict[str, Any]:
        event = app.current_event
        if not event.body:
            return None  # type: ignore[return-value]  # nothing was sent, of whatever type
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
                f"The body is sent in the charset {charset}. Send it in UTF-8. Nothing was stored."
            )
        try:
            body: Any = event.json_body
        except (binascii.Error, UnicodeDecodeError):
            raise Malformed("The body is not text in UTF-8.") from None
        if isinstance(body, list):
            raise InvalidInput("The body is a list; send an object. Nothing was stored.")
        return body  # type: ignore[no-any-return]


class Validation(OpenAPIResponseValidationMiddleware):
    """Validates the request, lets the route answer, and validates the answer."""

    def __init__(self) -> None:
        super().__init__()
        self._requests = JsonRequests()  # type: ignore[no-untyped-call]  # Powertools left it out

    def handler(self, app: Any, next_middleware: NextMiddleware) -> Response[Any]:
        """Answer a request; raises RequestValidationError for a wrong one."""

        def answer(app: Any) -> Response[Any]:
            return super(Validation, self).handler(app, next_middleware)

        return self._requests.handler(app, cast(NextMiddleware, answer))


def _is_json_object(media_type: str) -> bool:
    """Say whether the suffix of a media type stands for an object; a JSON Patch is a list."""
    return media_type.endswith("+json") and media_type != "application/json-patch+json"


def check_encoding(event: BaseProxyEvent) -> None:
    """Raise UnsupportedMediaType for a body that is compressed."""
    encoding = event.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise UnsupportedMediaType(
            f"The body is sent with Content-Encoding: {encoding[:40]}. Send it uncompressed, "
            "without that header. Nothing was stored."
        )


def _common_names(app: Any) -> None:
    """Read query parameters as HTTP clients of browsers write them.

    axios and PHP write `status[]=a` or `status[0]=a` for a list, and jQuery adds `_=` and a time
    to keep a GET out of caches. A GET's parameter that is empty counts as left out: jQuery writes
    null as `q=`.
    """
    event = app.current_event
    known = {one.alias for one in app.context["_route"].dependant.query_params}
    sent: dict[str, list[str]] = event.raw_event.get("multiValueQueryStringParameters") or {}
    read: dict[str, list[str]] = {}
    for name, values in sent.items():
        plain = name if name in known else _INDEX.sub("", name)
        if plain in known and event.http_method == "GET" and not any(values):
            continue
        if name != "_" or "_" in known:
            read.setdefault(plain if plain in known else name, []).extend(values)
    if read != sent:
        event.raw_event["multiValueQueryStringParameters"] = read
        event.raw_event["queryStringParameters"] = {name: all_[-1] for name, all_ in read.items()}


def _not_known(app: Any) -> list[dict[str, Any]]:
    """Return what was sent and the route does not take, as pydantic describes faults."""
    takes = app.context["_route"].dependant
    known = [one.alias for one in takes.query_params]
    faults = [
        {
            "loc": ("query", name),
            "msg": "there is no such parameter",
            "ctx": {"expected": known},
        }
        for name in app.current_event.resolved_query_string_parameters
        if name not in known
    ]
    # Many clients send an empty object for nothing.
    if not takes.body_params and (app.current_event.body or "{}").strip() not in ("", "{}"):
        faults.append({"loc": ("body",), "msg": "no body is taken here"})
    return faults


def _pass_on(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
    return call(app)
