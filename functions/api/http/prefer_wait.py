"""`Prefer: wait=N` (RFC 7240): long polling for the end of a run within one request."""

import time
from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEvent
from aws_lambda_powertools.utilities.typing import LambdaContext

from common.aws.log import logger
from common.database import Cursor, Database, runs, videos
from common.domain.errors import TransientError

MOST_SECONDS = 25
# API Gateway responds with 504 this long after it received the request. This includes the seconds
# that the sandbox and the INIT phase of a cold start take before the function's clock starts.
_GATEWAY_SECONDS = 29.0
# Reserved for the response, in both API Gateway's and the function's time.
_RESERVE_SECONDS = 2.0
_FIRST_INTERVAL, _LONGEST_INTERVAL, _GROWTH = 0.2, 1.0, 1.5

Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description="`wait=N`: wait up to N seconds for the run to end before responding (RFC "
        f"7240). The maximum is {MOST_SECONDS}. The response confirms it in `Preference-Applied`.",
    ),
]


def requested_seconds(prefer: str | None) -> int | None:
    """Return N of `wait=N`, at most MOST_SECONDS; None if it is missing or not a number."""
    for preference in (prefer or "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdecimal():
            return min(int(seconds[:9]), MOST_SECONDS)
    return None


def seconds_left(event: APIGatewayProxyEvent, context: LambdaContext) -> float:
    """Return how many seconds the request can wait before API Gateway or Lambda times out."""
    received_at = event.request_context.request_time_epoch / 1000
    gateway = received_at + _GATEWAY_SECONDS - time.time()
    function = context.get_remaining_time_in_millis() / 1000
    return max(0.0, min(gateway, function) - _RESERVE_SECONDS)


def until_ended(database: Database, video_id: str, seconds: float) -> bool:
    """Wait up to `seconds` for the video's run to end; return whether it has ended."""
    return _poll(database, lambda cursor: videos.has_ended(cursor, video_id), seconds)


def until_run_ended(database: Database, run_id: str, seconds: float) -> bool:
    """Wait up to `seconds` for the run to end; return whether it has ended."""
    return _poll(database, lambda cursor: not runs.is_open(cursor, run_id), seconds)


def _poll(database: Database, condition: Callable[[Cursor], bool], seconds: float) -> bool:
    """Poll the condition with exponential backoff for up to `seconds`; return its last value.

    No transaction is open between two polls. An unavailable database ends the waiting, but does
    not fail the request: an accepted run stays accepted.
    """
    deadline = time.monotonic() + seconds
    interval = _FIRST_INTERVAL
    while True:
        try:
            with database.transaction() as cursor:
                if condition(cursor):
                    return True
        except TransientError as error:
            logger.warning("polling failed", extra={"code": error.error_code})
            return False
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            return False
        time.sleep(min(interval, remaining))
        interval = min(interval * _GROWTH, _LONGEST_INTERVAL)
