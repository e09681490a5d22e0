"""Answers about what was used."""

from datetime import date

from pydantic import Field

from api.schemas.cost import CostBreakdown
from common.schemas.base import Schema


class UsageCost(CostBreakdown):
    """The cost of runs that have ended, as in their videos, and what is reserved for the others.

    `at_most` and `reserved` together count against the caps.
    """

    amount: str = Field(description="Charged for certain.")
    reserved: str = Field(description="For runs that have not ended, at their estimate.")


class UsageFigures(Schema):
    """How much was used."""

    requests: int
    refused: int = Field(description="Of the requests, those over a limit.")
    runs: int = Field(description="Runs that were started.")
    cost: UsageCost = Field(description="Counted on the day on which the run was started.")


class UsageDay(UsageFigures):
    """What one key used on one day (UTC). The operator's own key has no name and no owner."""

    day: date
    key_id: str
    key_name: str | None
    user_id: str | None


class UsagePage(Schema):
    """Usage by day and key, newest first. `total` is over all pages."""

    from_: date = Field(alias="from")
    to: date
    total: UsageFigures
    data: list[UsageDay]
    next_cursor: str | None
