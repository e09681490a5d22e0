"""Routes of usage."""

import re
from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from api.dependencies import database
from api.openapi.responses import json_responses
from api.routes import AUTHENTICATED, caller, new_router
from api.schemas.usage import UsagePage
from api.services import usage


def _iso_date(day: object) -> object:
    """Raise ValueError for other formats that pydantic accepts, such as a number of seconds."""
    if isinstance(day, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII):
        raise ValueError("write the date as YYYY-MM-DD, for example 2026-12-31")
    return day


Day = Annotated[date, BeforeValidator(_iso_date)]

router = new_router()


@router.get(
    "/v1/usage",
    operation_id="getUsage",
    tags=["Usage"],
    summary="Retrieve usage",
    description="Returns requests, runs and cost by day (UTC) and API key, newest first. Covers "
    "your own keys; the operator's key covers all of them. Deleting videos does not change usage.",
    responses=json_responses(200, UsagePage, 422, 429, 503, authenticated=True),
    middlewares=AUTHENTICATED,
)
def get_usage(
    first: Annotated[
        Day | None, Query(alias="from", description="First day. Default: the last 30 days.")
    ] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="Last day, inclusive. Default: today (UTC).")
    ] = None,
    key_id: Annotated[
        str | None,
        Query(pattern=r"^(operator|key_[0-9A-Z]{26})$", description="Only usage of this key."),
    ] = None,
    user_id: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Za-z0-9_-]{1,64}$",
            description="Only usage of this user's keys. Other users require the operator's API "
            "key.",
        ),
    ] = None,
    limit: Annotated[
        int, Query(ge=1, le=1000, description="Maximum number of rows to return.")
    ] = 100,
    cursor: Annotated[
        str | None,
        Query(
            pattern=r"^\d{4}-\d\d-\d\d\.(operator|key_[0-9A-Z]{26})$",
            description="`next_cursor` of the previous page.",
        ),
    ] = None,
) -> UsagePage:
    """Return a page of usage, and the totals over all pages."""
    return usage.show(
        database(),
        caller(router),
        first=first,
        last=last,
        user_id=user_id,
        key_id=key_id,
        limit=limit,
        cursor=cursor,
    )
