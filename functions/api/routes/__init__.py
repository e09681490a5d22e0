"""The routes of the REST API, a module for each kind of thing. What they do is in the use cases."""

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
from api.http.middleware import admitted, body_limit
from common.domain.caller import Caller
from common.schemas.base import SLUG

ADMITTED = [admitted(database)]
"""Middlewares of the routes that need an API key."""
OPEN_TO_LINKS = [admitted(database, without_a_key=True)]
"""Middlewares of the routes that take the capability of a link instead of a key."""
WITH_FILE = body_limit(6 * 1024 * 1024)
"""Middleware of the routes whose body may hold a file; a function takes no more than 6 MB."""

RequestId = Annotated[
    str | None,
    Header(
        alias="X-Request-ID",
        description="Goes before `requestId` in the body. The ids that proxies set by themselves "
        "(UUIDs, ULIDs, ids of X-Ray, 16 or more hex digits) only name a request that has no name "
        "in its body; what is no name at all is ignored.",
    ),
]
# Ids of single requests as Envoy, nginx, Heroku, OpenTelemetry and others make them.
_OF_A_PROXY = re.compile(
    r"[0-9a-fA-F-]{36}|[0-9a-fA-F]{16,64}|[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{26}"
    r"|1-[0-9a-fA-F]{8}-[0-9a-fA-F]{24}"  # AWS X-Ray
)

SLUG_PATTERN = re.compile(SLUG)
Named = TypeVar("Named", bound=BaseModel)


def group() -> Router:
    """Return an empty group of routes; `api.handler` puts all groups together."""
    made: Router = Router()  # type: ignore[no-untyped-call]  # Powertools left its type out
    return made


def caller(router: Router) -> Caller:
    """Return who makes the request; known on routes that are ADMITTED."""
    who: Caller = router.context["caller"]
    return who


def anybody(router: Router) -> Caller | None:
    """Return who makes the request, if a key was sent; known on routes that are OPEN_TO_LINKS."""
    who: Caller | None = router.context["caller"]
    return who


def once(
    router: Router, key: str | None, who: Caller | None = None, request_id: str | None = None
) -> IdempotentRequest:
    """Return the idempotency of the request, under the key that it has, if one.

    `who`: for whom it is, if the body says so. With `request_id`, the header X-Request-ID, and
    without a key, the same header with the same body is the same request, sent again by a proxy.
    """
    owner = (who or caller(router)).user_id
    return IdempotentRequest.of(router.current_event, owner, key, request_id)


def named(wish: Named, request_id: str | None) -> Named:
    """Return the request's body with the name that the header X-Request-ID gives it, if any."""
    if request_id is None or not SLUG_PATTERN.fullmatch(request_id):
        return wish
    if getattr(wish, "requestId", None) is not None and is_of_a_proxy(request_id):
        return wish
    return wish.model_copy(update={"requestId": request_id})


def is_of_a_proxy(request_id: str | None) -> bool:
    """Return whether the header X-Request-ID looks like the id that a proxy gave one request."""
    return request_id is not None and bool(_OF_A_PROXY.fullmatch(request_id))


def address(router: Router) -> str:
    """Return the API's own address, as the client of this request wrote it."""
    event: APIGatewayProxyEvent = router.current_event  # type: ignore[assignment]  # of a REST API
    return address_of(event)


def seconds_left(router: Router) -> float:
    """Return how long the request can still wait for something to end."""
    event: APIGatewayProxyEvent = router.current_event  # type: ignore[assignment]  # of a REST API
    return prefer_wait.seconds_left(event, router.lambda_context)


def bodiless(
    status: int, headers: Mapping[str, str] | None = None, content_type: str | None = None
) -> Response[str]:
    """Answer without a body: empty text, because a gateway need not take null for one."""
    return Response(
        status_code=status, content_type=content_type, body="", headers=dict(headers or {})
    )
