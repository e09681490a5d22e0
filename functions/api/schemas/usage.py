"""Responses about usage."""

from datetime import date

from pydantic import Field

from api.schemas.cost import CostBreakdown
from common.schemas.base import Schema


class UsageCost(CostBreakdown):
    """Cost of runs that have ended, and reservations of runs in progress.

    The sum of `at_most` and `reserved` counts against the caps.
    """

    amount: str = Field(description="Confirmed charges.")
    reserved: str = Field(description="Estimated cost of runs in progress.")


class UsageFigures(Schema):
    """Usage figures."""

    requests: int = Field(description="Number of requests.")
    refused: int = Field(description="Requests that exceeded a rate limit; included in `requests`.")
    runs: int = Field(description="Number of started runs.")
    cost: UsageCost = Field(description="Cost of the runs that were started on that day.")


class UsageDay(UsageFigures):
    """Usage of an API key on a day (UTC).

    `key_name` and `user_id` are null for the operator's key.
    """

    day: date = Field(description="Day (UTC).")
    key_id: str = Field(description="Id of the API key.")
    key_name: str | None = Field(description="Display name of the API key.")
    user_id: str | None = Field(description="Owner of the API key.")


class UsagePage(Schema):
    """A page of usage by day and key, newest first. `total` covers all pages."""

    from_: date = Field(alias="from", description="First day.")
    to: date = Field(description="Last day, inclusive.")
    total: UsageFigures
    data: list[UsageDay] = Field(description="Items of the page.")
    next_cursor: str | None = Field(description="Cursor of the next page; null on the last page.")
