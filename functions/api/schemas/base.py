"""What the answers of several rooms share."""

from typing import Literal

from pydantic import BaseModel


class Money(BaseModel):
    """US dollars as decimal text."""

    amount: str
    currency: Literal["USD"] = "USD"
