"""The routes of the REST API, one module per resource; `api.services` has their use cases."""

import re
from collections.abc import Mapping
from typing import Annotated, TypeVar

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from pydantic import BaseModel

from api.dependencies import address as address_of
from api.dependencies import database
from api.http import prefer_wait
from api.http.idempotency import IdempotentRequest
from api.http.middleware import authenticated, body_limit
from common.domain.caller import Caller
from common.schemas.base import SLUG

AUTHENTICATED = [authenticated(database)]
"""Middlewares of the routes that require an API key."""
KEY_OR_LINK = [authenticated(database, key_optional=True)]
"""Middlewares of the routes that accept the capability of a signed link instead of an API key."""
WITH_FILE = body_limit(6 * 1024 * 1024)
"""Middleware of the routes whose body may contain a file; Lambda accepts at most 6 MB."""

RequestId = Annotated[
    str | None,
    Header(
        alias="X-Request-ID",
        description="Overrides the name of the video in the body (`request_id`, below `/api` "
        "`requestId`). An id as proxies generate it (UUID, ULID, X-Ray trace id, 16 or more hex "
        "digits) applies only if the body has no name. A value that is not a valid name is "
        "ignored.",
    ),
]
# Request ids as Envoy, nginx, Heroku, OpenTelemetry and others generate them.
_PROXY_ID = re.compile(
    r"[0-9a-fA-F-]{36}|[0-9a-fA-F]{16,64}|[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}"
    r"|1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}"  # AWS X-Ray
)

SLUG_PATTERN = re.compile(SLUG)
RequestBody = TypeVar("RequestBody", bound=BaseModel)


def new_router() -> Router:
    """Return an empty router; `api.handler` includes all routers in the application."""
    router: Router = Router()  # type: ignore[no-untyped-call]  # untyped in Powertools
    return router


def caller(router: Router) -> Caller:
    """Return the caller of the request; for routes with AUTHENTICATED."""
    current: Caller = router.context["caller"]
    return current


def optional_caller(router: Router) -> Caller | None:
    """Return the caller, or None for a request without a key; for routes with KEY_OR_LINK."""
    current: Caller | None = router.context["caller"]
    return current


def idempotent_request(
    router: Router,
    key: str | None,
    on_behalf_of: Caller | None = None,
    request_id: str | None = None,
) -> IdempotentRequest:
    """Return the idempotency of the request; `key` is its Idempotency-Key, if any.

    `on_behalf_of` is the user that the body names, if any. With `request_id` (X-Request-ID) and
    without a key, the same header with the same body counts as a retry by a proxy.
    """
    owner = (on_behalf_of or caller(router)).user_id
    return IdempotentRequest.of(router.current_event, owner, key, request_id)


def with_request_id(body: RequestBody, request_id: str | None) -> RequestBody:
    """Return the body with its name of the video overridden by the header X-Request-ID.

    The legacy API calls that field `requestId`. An invalid header is ignored, and so is an id of a
    proxy if the body has a name.
    """
    if request_id is None or not SLUG_PATTERN.fullmatch(request_id):
        return body
    field = "request_id" if "request_id" in type(body).model_fields else "requestId"
    if getattr(body, field) is not None and is_proxy_id(request_id):
        return body
    return body.model_copy(update={field: request_id})


def is_proxy_id(request_id: str | None) -> bool:
    """Return whether X-Request-ID looks like an id that a proxy generated."""
    return request_id is not None and bool(_PROXY_ID.fullmatch(request_id))


def address(router: Router) -> str:
    """Return the base URL of the API, with the host that the client of this request used."""
    event: APIGatewayProxyEvent = router.current_event  # type: ignore[assignment]  # of a REST API
    return address_of(event)


def seconds_left(router: Router) -> float:
    """Return how many seconds the request can wait before a timeout."""
    event: APIGatewayProxyEvent = router.current_event  # type: ignore[assignment]  # of a REST API
    return prefer_wait.seconds_left(event, router.lambda_context)


def bodiless(
    status: int, headers: Mapping[str, str] | None = None, content_type: str | None = None
) -> Response[str]:
    """Return a response without a body: an empty string, because API Gateway may reject null."""
    return Response(
        status_code=status, content_type=content_type, body="", headers=dict(headers or {})
    )
