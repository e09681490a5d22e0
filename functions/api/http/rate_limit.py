"""Rate limits of API keys, and the RateLimit headers."""

from dataclasses import dataclass

from common.database import Database
from common.database.limits import count_request
from common.domain.caller import Caller
from common.domain.errors import TooManyRequests

_SECONDS = {"minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Usage:
    """The rate limit state of a key: response headers, and the error if a limit is exceeded.

    The headers follow draft-ietf-httpapi-ratelimit-headers-11.
    """

    headers: dict[str, str]
    refusal: TooManyRequests | None


def count(database: Database, caller: Caller) -> Usage:
    """Count this request; counts are exact over all concurrent requests with the same key."""
    windows = database.run_autocommit(
        lambda cursor: count_request(cursor, caller.key_id, caller.limits)
    )
    policies = [f'"{name}";q={limit};w={_SECONDS[name]}' for name, limit in caller.limits.items()]
    runs = f'"runs";q={caller.max_runs};qu="concurrent-runs"'
    headers = {
        "RateLimit-Policy": ", ".join([*policies, runs]),
        "RateLimit": ", ".join(
            f'"{w.period}";r={max(0, caller.limits[w.period] - w.count)};t={w.resets_in}'
            for w in windows
        ),
    }
    return Usage(headers, caller.refusal(windows))
