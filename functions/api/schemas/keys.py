"""Requests and answers about API keys."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, Field, StringConstraints

from common.strict import STORABLE, Request

# `METHOD /path`, where a * stands for anything; or * alone, for all.
_ENDPOINT = r"^(\*|(GET|POST|DELETE|PATCH) /[A-Za-z0-9/_*-]*)$"


class RateLimit(Request):
    """Limits of a key."""

    requestsPerMinute: int = Field(60, ge=1, le=10_000)
    requestsPerHour: int = Field(1000, ge=1, le=1_000_000)


class CreateKey(Request):
    """A wish for an API key."""

    name: Annotated[
        str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), STORABLE
    ]
    userId: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = Field(
        description="The owner. Everything made with the key belongs to them."
    )
    test: bool = Field(False, description="A test key never reaches a paid provider.")
    scopes: list[Literal["act_as"]] = Field(default_factory=list)
    allowedEndpoints: list[Annotated[str, StringConstraints(pattern=_ENDPOINT)]] = Field(
        default_factory=lambda: ["*"], min_length=1, max_length=50
    )
    rateLimit: RateLimit = Field(default_factory=RateLimit)  # type: ignore[arg-type]
    dailyCapUsd: Decimal | None = Field(None, ge=0, max_digits=12, decimal_places=6, strict=False)
    monthlyCapUsd: Decimal | None = Field(None, ge=0, max_digits=12, decimal_places=6, strict=False)
    expiresIn: int | None = Field(None, ge=60, description="Seconds.")


class KeyObject(BaseModel):
    """An API key. `key` is shown this once."""

    id: str
    key: str
    prefix: str
    name: str
    userId: str
    test: bool
    scopes: list[str]
    allowedEndpoints: list[str]
    rateLimit: RateLimit
    expiresAt: datetime | None


class KeyCreated(BaseModel):
    """A new API key."""

    success: Literal[True] = True
    apiKey: KeyObject
