"""`Prefer: wait=N` (RFC 7240): a client that waits for its video to end, within one request."""

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
# API Gateway answers 504 this long after it received the request. The time before the function's
# clock starts counts: a cold start's sandbox and INIT phase take seconds of it.
_GATEWAY_SECONDS = 29.0
# Left for the response, of API Gateway's time and of the function's.
_RESERVE_SECONDS = 2.0
_FIRST_PAUSE, _LONGEST_PAUSE, _GROWTH = 0.2, 1.0, 1.5

Prefer = Annotated[
    str | None,
    Header(
        alias="Prefer",
        description=f"`wait=N`: wait for the end, at most N seconds and at most {MOST_SECONDS} "
        "(RFC 7240). The answer says so in `Preference-Applied`.",
    ),
]


def asked(prefer: str | None) -> int | None:
    """Return how many seconds the client wants to wait; None if it does not say, or unreadably."""
    for preference in (prefer or "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        seconds = value.strip().strip('"')
        if name.strip().lower() == "wait" and seconds.isascii() and seconds.isdecimal():
            return min(int(seconds[:9]), MOST_SECONDS)
    return None


def seconds_left(event: APIGatewayProxyEvent, context: LambdaContext) -> float:
    """Return how long the request can still wait before API Gateway or Lambda gives it up."""
    received_at = event.request_context.request_time_epoch / 1000
    gateway = received_at + _GATEWAY_SECONDS - time.time()
    function = context.get_remaining_time_in_millis() / 1000
    return max(0.0, min(gateway, function) - _RESERVE_SECONDS)


def until_ended(database: Database, video_id: str, seconds: float) -> bool:
    """Wait until the video's run has ended, at most so long; say whether it has."""
    return _until(database, lambda cursor: videos.has_ended(cursor, video_id), seconds)


def until_run_ended(database: Database, run_id: str, seconds: float) -> bool:
    """Wait until that run has ended, at most so long; say whether it has."""
    return _until(database, lambda cursor: not runs.is_open(cursor, run_id), seconds)


def _until(database: Database, is_so: Callable[[Cursor], bool], seconds: float) -> bool:
    """Look again and again, at most so long.

    Between two looks there is no open transaction. A database that does not answer ends the
    waiting, not the request: what was accepted stays accepted.
    """
    until = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        try:
            with database.transaction() as cursor:
                if is_so(cursor):
                    return True
        except TransientError as error:
            logger.warning("waited in vain", extra={"code": error.error_code})
            return False
        remaining = until - time.monotonic()
        if remaining <= 0:
            return False
        time.sleep(min(pause, remaining))
        pause = min(pause * _GROWTH, _LONGEST_PAUSE)
