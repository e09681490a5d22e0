"""Requests and responses about API keys, with the field names of the legacy configuration."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StringConstraints

from common.schemas.base import STORABLE, RequestSchema, Schema

# The limits of number and length keep the authorizer's policy below API Gateway's limit of 8 KB.
_Endpoint = Annotated[
    str,
    StringConstraints(pattern=r"^(\*|(GET|POST|PATCH|DELETE) /[A-Za-z0-9._/*-]*)$", max_length=100),
]
_Endpoints = Annotated[
    list[_Endpoint],
    Field(
        min_length=1,
        max_length=40,
        description="Endpoints that the key may call: `METHOD /path`, where `*` matches any text, "
        "or `*` for all. `/api/admin` always requires the operator's key.",
        examples=[["GET /v1/videos*", "POST /v1/videos"]],
    ),
]
# `admin` cannot be granted: a leaked key must not be able to create others.
_Scopes = Annotated[
    list[Literal["act_as"]],
    Field(
        max_length=1, description="`act_as`: the key may act for other users that a request names."
    ),
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
        description="US dollars, as a decimal string.",
    ),
]
_PerMinute = Annotated[int, Field(ge=1, le=10_000)]
_PerHour = Annotated[int, Field(ge=1, le=1_000_000)]
_Runs = Annotated[int, Field(ge=1, le=1000, description="Maximum number of concurrent runs.")]
_ExpiresIn = Annotated[int, Field(ge=60, le=10 * 366 * 24 * 3600)]

# Default of an omitted field; only `model_fields_set` distinguishes it from a null in the request.
_UNCHANGED: Any = Field(default_factory=lambda: None)


class RateLimit(RequestSchema):
    """Rate limits of an API key."""

    requestsPerMinute: _PerMinute = Field(
        default=60, description="Maximum number of requests per minute."
    )
    requestsPerHour: _PerHour = Field(
        default=1000, description="Maximum number of requests per hour."
    )


class CreateKey(RequestSchema):
    """Request to create an API key."""

    name: _Name = Field(description="Display name of the key.")
    userId: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")] = Field(
        description="Owner of the key, and of everything created with it."
    )
    test: bool = Field(False, description="A test key never calls a paid provider.")
    scopes: _Scopes = Field(default_factory=list)
    allowedEndpoints: _Endpoints = Field(default_factory=lambda: ["*"])
    rateLimit: RateLimit = Field(default_factory=RateLimit)
    maxConcurrentRuns: _Runs = 10
    dailyCapUsd: _Cap | None = Field(
        default=None,
        description="Cap per day (UTC) in US dollars, "
        "as a decimal string. Null: only the deployment's cap applies.",
    )
    monthlyCapUsd: _Cap | None = Field(
        default=None,
        description="Cap per month (UTC) in US "
        "dollars, as a decimal string. Null: only the deployment's cap applies.",
    )
    expiresIn: _ExpiresIn | None = Field(
        default=None,
        description="Seconds from now until the key expires. Null: it does not expire.",
    )


class RateLimitChange(RequestSchema):
    """Changes of rate limits. Omitted fields keep their values."""

    requestsPerMinute: Annotated[
        _PerMinute, Field(description="Maximum number of requests per minute.")
    ] = _UNCHANGED
    requestsPerHour: Annotated[
        _PerHour, Field(description="Maximum number of requests per hour.")
    ] = _UNCHANGED


class ChangeKey(RequestSchema):
    """Changes of an API key. Omitted fields keep their values; null removes a cap or the expiry."""

    null_clears: ClassVar[frozenset[str]] = frozenset({"dailyCapUsd", "monthlyCapUsd", "expiresIn"})

    name: Annotated[_Name, Field(description="Display name of the key.")] = _UNCHANGED
    scopes: _Scopes = _UNCHANGED
    allowedEndpoints: _Endpoints = _UNCHANGED
    isActive: Annotated[bool, Field(description="Whether requests with the key are accepted.")] = (
        _UNCHANGED
    )
    rateLimit: RateLimitChange = _UNCHANGED
    maxConcurrentRuns: _Runs = _UNCHANGED
    dailyCapUsd: Annotated[
        _Cap | None, Field(description="Cap per day (UTC) in US dollars, as a decimal string.")
    ] = _UNCHANGED
    monthlyCapUsd: Annotated[
        _Cap | None, Field(description="Cap per month (UTC) in US dollars, as a decimal string.")
    ] = _UNCHANGED
    expiresIn: Annotated[
        _ExpiresIn | None, Field(description="Seconds from now until the key expires.")
    ] = _UNCHANGED


class RotateKey(RequestSchema):
    """Options for rotating an API key."""

    graceSeconds: Annotated[
        int,
        Field(
            ge=0,
            le=30 * 24 * 3600,
            description="Seconds for which the old secret still works; 0 ends it immediately.",
        ),
    ] = 24 * 3600


class RateLimitObject(Schema):
    """Rate limits of an API key; limits stored by the operator may exceed those of a request."""

    requestsPerMinute: int = Field(description="Maximum number of requests per minute.")
    requestsPerHour: int = Field(description="Maximum number of requests per hour.")


class KeyObject(Schema):
    """An API key without its secret. `prefix` has the first characters of the secret."""

    id: str = Field(description="Id of the key.")
    prefix: str = Field(description="First characters of the secret.")
    name: str = Field(description="Display name.")
    userId: str = Field(description="Owner of the key.")
    test: bool = Field(description="Whether it is a test key, which never calls a paid provider.")
    scopes: list[str] = Field(description="Permissions beyond the owner's own objects.")
    allowedEndpoints: list[str] = Field(description="Endpoints that the key may call.")
    rateLimit: RateLimitObject
    maxConcurrentRuns: int = Field(description="Maximum number of concurrent runs.")
    dailyCapUsd: str | None = Field(
        description="Cap per day (UTC) in US dollars; null if only the deployment's cap applies."
    )
    monthlyCapUsd: str | None = Field(
        description="Cap per month (UTC) in US dollars; null if only the deployment's cap applies."
    )
    isActive: bool = Field(description="Whether requests with the key are accepted.")
    createdAt: datetime = Field(description="Time of creation.")
    expiresAt: datetime | None = Field(
        description="Time at which the key expires; null if it does not."
    )
    lastUsedAt: datetime | None = Field(description="Time of the last request with the key.")
    rotatedAt: datetime | None = Field(description="Time of the last rotation.")
    oldSecretEndsAt: datetime | None = Field(
        description="Time at which the old secret expires, during a rotation."
    )
    revokedAt: datetime | None = Field(description="Time of the revocation.")


class KeyWithSecret(KeyObject):
    """An API key with its secret, which is returned only once."""

    key: str = Field(description="Secret of the key. Store it: it cannot be retrieved again.")


class KeyAnswer(Schema):
    """An API key."""

    success: Literal[True] = Field(
        default=True, description="Always true. Errors are problem documents."
    )
    apiKey: KeyObject


class SecretAnswer(Schema):
    """An API key with its new secret, which is returned only once."""

    success: Literal[True] = Field(
        default=True, description="Always true. Errors are problem documents."
    )
    apiKey: KeyWithSecret


class KeyPage(Schema):
    """A page of API keys, newest first. `nextCursor` is null on the last page."""

    success: Literal[True] = Field(
        default=True, description="Always true. Errors are problem documents."
    )
    apiKeys: list[KeyObject] = Field(description="Items of the page.")
    nextCursor: str | None = Field(description="Cursor of the next page; null on the last page.")
