"""The routes of the REST API, a module for each kind of thing. What they do is in the use cases."""

from aws_lambda_powertools.event_handler.api_gateway import Router

from api.idempotency import Once
from api.middleware import admitted
from api.resources import database
from common.caller import Caller

ADMITTED = [admitted(database)]
"""Middlewares of the routes that need an API key."""


def group() -> Router:
    """Return an empty group of routes; `api.handler` puts all groups together."""
    made: Router = Router()  # type: ignore[no-untyped-call]  # Powertools left its type out
    return made


def caller(router: Router) -> Caller:
    """Return who makes the request; known on routes that are ADMITTED."""
    who: Caller = router.context["caller"]
    return who


def once(router: Router, key: str | None) -> Once:
    """Return the idempotency of the request, under the key that it has, if one."""
    return Once.of(router.current_event, caller(router).user_id, key)
