"""Requests and answers about API keys, with the names of the first version's configuration."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from common.schemas.base import STORABLE, RequestSchema, Schema

# `METHOD /path`, where a * stands for anything; or * alone, for all. Number and length keep the
# authorizer's policy below the 8 KB that API Gateway takes.
_Endpoint = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|(GET|POST|PATCH|DELETE) /[A-Za-z0-9._/*-]*)$", max_length=100),
]
_Endpoints = Annotated[
    list[_Endpoint],
    Field(
        min_length=1,
        max_length=40,
        description="What the key may call: `METHOD /path`, where * stands for anything; or * "
        "alone. `/api/admin` is the operator's all the same.",
        examples=[["GET /v1/videos*", "POST /v1/videos"]],
    ),
]
# `admin` cannot be granted: a managed key that leaks must not be able to mint others.
_Scopes = Annotated[
    list[Literal["act_as"]],
    Field(max_length=1, description="`act_as`: may work for other users, named in the request."),
]
_Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), STORABLE
]
_Cap = Annotated[
    Decimal,
    Field(
        ge=0,
        max_digits=12,
        decimal_places=6,
        strict=False,
        description="US dollars as decimal text; null is no cap but the deployment's.",
    ),
]
_PerMinute = Annotated[int, Field(ge=1, le=10_000)]
_PerHour = Annotated[int, Field(ge=1, le=1_000_000)]
_Runs = Annotated[int, Field(ge=1, le=1000, description="Runs that the key may have at a time.")]
_ExpiresIn = Annotated[int, Field(ge=60, le=10 * 366 * 24 * 3600, description="Seconds from now.")]

# Left out of a change; only `model_fields_set` tells it from a null that was sent.
_STAYS: Any = Field(default_factory=lambda: None)


class RateLimit(RequestSchema):
    """How many requests a key may make."""

    requestsPerMinute: _PerMinute = 60
    requestsPerHour: _PerHour = 1000


class CreateKey(RequestSchema):
    """A wish for an API key."""

    name: _Name
    userId: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = Field(
        description="The owner. Everything made with the key belongs to them."
    )
    test: bool = Field(False, description="A test key never reaches a paid provider.")
    scopes: _Scopes = Field(default_factory=list)
    allowedEndpoints: _Endpoints = Field(default_factory=lambda: ["*"])
    rateLimit: RateLimit = Field(default_factory=RateLimit)
    maxConcurrentRuns: _Runs = 10
    dailyCapUsd: _Cap | None = None
    monthlyCapUsd: _Cap | None = None
    expiresIn: _ExpiresIn | None = None


class RateLimitChange(RequestSchema):
    """New limits; what is left out stays."""

    requestsPerMinute: _PerMinute = _STAYS
    requestsPerHour: _PerHour = _STAYS


class ChangeKey(RequestSchema):
    """A change of an API key: what is left out stays, null takes a cap or the expiry away."""

    null_clears: ClassVar[frozenset[str]] = frozenset({"dailyCapUsd", "monthlyCapUsd", "expiresIn"})

    name: _Name = _STAYS
    scopes: _Scopes = _STAYS
    allowedEndpoints: _Endpoints = _STAYS
    isActive: Annotated[
        bool, Field(description="An inactive key is refused until it is active again.")
    ] = _STAYS
    rateLimit: RateLimitChange = _STAYS
    maxConcurrentRuns: _Runs = _STAYS
    dailyCapUsd: _Cap | None = _STAYS
    monthlyCapUsd: _Cap | None = _STAYS
    expiresIn: _ExpiresIn | None = _STAYS


class RotateKey(RequestSchema):
    """How a key gets a new secret."""

    graceSeconds: Annotated[
        int,
        Field(
            ge=0,
            le=30 * 24 * 3600,
            description="How long the old secret still works; 0 ends it at once.",
        ),
    ] = 24 * 3600


class RateLimitObject(Schema):
    """How many requests a key may make; the operator may have stored more than can be asked for."""

    requestsPerMinute: int
    requestsPerHour: int


class KeyObject(Schema):
    """An API key, without its secret. `prefix` are the secret's first characters."""

    id: str
    prefix: str
    name: str
    userId: str
    test: bool
    scopes: list[str]
    allowedEndpoints: list[str]
    rateLimit: RateLimitObject
    maxConcurrentRuns: int
    dailyCapUsd: str | None
    monthlyCapUsd: str | None
    isActive: bool
    createdAt: datetime
    expiresAt: datetime | None
    lastUsedAt: datetime | None
    rotatedAt: datetime | None
    oldSecretEndsAt: datetime | None = Field(
        description="While two secrets live: when the old one ends."
    )
    revokedAt: datetime | None


class KeyWithSecret(KeyObject):
    """An API key with its secret, which is shown this once."""

    key: str


class KeyAnswer(Schema):
    """One API key."""

    success: Literal[True] = True
    apiKey: KeyObject


class SecretAnswer(Schema):
    """One API key with its new secret, which is shown this once."""

    success: Literal[True] = True
    apiKey: KeyWithSecret


class KeyPage(Schema):
    """API keys, newest first."""

    success: Literal[True] = True
    apiKeys: list[KeyObject]
    nextCursor: str | None
