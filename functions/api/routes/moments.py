"""Moments between which something was made, as parameters of lists."""

from datetime import UTC, datetime
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import AfterValidator


def _in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC, which it is in unless it says so.

    The offset is taken away here because the database knows fewer of them than RFC 3339.
    """
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("in UTC it is not within the years 1 to 9999") from None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
CreatedAfter = Annotated[
    Moment | None,
    Query(description="Made at that time or later (RFC 3339); UTC unless it says so."),
]
CreatedBefore = Annotated[Moment | None, Query(description="Made before that time.")]
