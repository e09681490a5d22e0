"""Amounts of money, shared by several responses."""

from typing import Literal

from pydantic import Field

from common.schemas.base import Schema


class Money(Schema):
    """An amount in US dollars, as a decimal string."""

    amount: str = Field(description="Amount in US dollars, as a decimal string.")
    currency: Literal["USD"] = Field(default="USD", description="Always USD.")


class CostBreakdown(Schema):
    """Costs beside the confirmed charges, in US dollars as decimal strings."""

    open: str = Field(
        description="Estimated cost of calls that are in progress or not settled yet."
    )
    possible: str = Field(
        description="Estimated cost of calls that may have been charged: the outcome is unknown, "
        "or the call failed and the provider did not report its charge."
    )
    at_most: str = Field(description="Upper bound: confirmed charges plus `open` plus `possible`.")
    currency: Literal["USD"] = Field(default="USD", description="Always USD.")
