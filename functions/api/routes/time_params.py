"""Query parameters that filter a list by time of creation."""

import re
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, BeforeValidator


def _in_utc(timestamp: datetime) -> datetime:
    """Return the timestamp in UTC, which is also the default without an offset.

    It is converted here because PostgreSQL accepts fewer offsets than RFC 3339.
    """
    try:
        return (timestamp if timestamp.tzinfo else timestamp.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC, the year must be between 1 and 9999") from None


def _with_plus(value: object) -> object:
    """Restore the `+` of an offset, which an unencoded URL turns into a space."""
    return _OFFSET.sub(r"\1+\2", value) if isinstance(value, str) else value


_OFFSET = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?(?:\d\d)?)$")
Timestamp = Annotated[datetime, BeforeValidator(_with_plus), AfterValidator(_in_utc)]
CreatedAfter = Annotated[
    Timestamp | None,
    Query(description="Created at or after this time (RFC 3339); UTC without an offset."),
]
CreatedBefore = Annotated[
    Timestamp | None,
    Query(description="Created before this time (RFC 3339); UTC without an offset."),
]
