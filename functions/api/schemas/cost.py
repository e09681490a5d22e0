"""What the answers of several rooms share."""

from typing import Literal

from pydantic import Field

from common.schemas.base import Schema


class Money(Schema):
    """US dollars as decimal text."""

    amount: str
    currency: Literal["USD"] = "USD"


class CostBreakdown(Schema):
    """US dollars as decimal text, beside what is charged for certain."""

    open: str = Field(description="Calls under way or not settled yet, at their estimate.")
    possible: str = Field(
        description="Calls that may have been charged, at their estimate: their outcome is not "
        "known, or they failed and the provider did not say what it charged."
    )
    at_most: str = Field(description="The sum of all three; the provider bills no more.")
    currency: Literal["USD"] = "USD"
