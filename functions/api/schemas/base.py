"""What the requests and answers of several rooms share."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict


def _storable(text: str) -> str:
    """Refuse what PostgreSQL cannot hold: NUL, and halves of surrogate pairs."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds a character that is not text")
    return text


STORABLE = AfterValidator(_storable)
Text = Annotated[str, STORABLE]


class Request(BaseModel):
    """Base of request bodies: no unknown fields, no silent conversion."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Money(BaseModel):
    """US dollars as decimal text."""

    amount: str
    currency: Literal["USD"] = "USD"
