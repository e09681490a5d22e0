"""Moments between which something was made, as parameters of lists."""

import re
from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator, BeforeValidator


def _in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC, which it is in unless it says so.

    The offset is taken away here because the database knows fewer of them than RFC 3339.
    """
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it is not within the years 1 to 9999") from None


def _with_plus(sent: object) -> object:
    """Read the `+` before an offset, which comes as a space from a URL that was not encoded."""
    return _OFFSET.sub(r"\1+\2", sent) if isinstance(sent, str) else sent


_OFFSET = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?(?:\d\d)?)$")
Moment = Annotated[datetime, BeforeValidator(_with_plus), AfterValidator(_in_utc)]
CreatedAfter = Annotated[
    Moment | None,
    Query(description="Made at that time or later (RFC 3339); UTC unless it says so."),
]
CreatedBefore = Annotated[Moment | None, Query(description="Made before that time.")]
