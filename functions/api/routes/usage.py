"""Routes of usage."""

import re
from datetime import date
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BeforeValidator

from api.dependencies import database
from api.openapi.responses import answers
from api.routes import ADMITTED, caller, group
from api.schemas.usage import UsagePage
from api.services import usage


def _written_out(day: object) -> object:
    """Refuse other ways to write a day, such as a number of seconds."""
    if isinstance(day, str) and not re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII):
        raise ValueError("write the day as 2026-12-31")
    return day


Day = Annotated[date, BeforeValidator(_written_out)]

router = group()


@router.get(
    "/v1/usage",
    operation_id="getUsage",
    tags=["Usage"],
    summary="Show what was used",
    description="Requests, runs and cost by day (UTC) and key, newest first: of the caller's own "
    "keys, for the operator of all. The figures stay when videos are deleted.",
    responses=answers(200, UsagePage, 422, 429, 503, authenticated=True),
    middlewares=ADMITTED,
)
def get_usage(
    first: Annotated[
        Day | None, Query(alias="from", description="First day; 30 days back by default.")
    ] = None,
    last: Annotated[
        Day | None, Query(alias="to", description="Last day, counted in; today by default.")
    ] = None,
    key_id: Annotated[
        str | None, Query(pattern=r"^(operator|key_[0-9A-Z]{26})$", description="Of this key only.")
    ] = None,
    user_id: Annotated[
        str | None,
        Query(
            pattern=r"^[A-Za-z0-9_-]{1,64}$",
            description="Of this owner's keys only; another owner than oneself for the operator.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most so many.")] = 100,
    cursor: Annotated[
        str | None,
        Query(
            pattern=r"^\d{4}-\d\d-\d\d\.(operator|key_[0-9A-Z]{26})$",
            description="`next_cursor` of the page before.",
        ),
    ] = None,
) -> UsagePage:
    """One page, and the sums over all."""
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
