"""How often a caller may call."""

from dataclasses import dataclass

from common.database import Database
from common.database.limits import count_request
from common.domain.caller import Caller
from common.domain.errors import TooManyRequests

_SECONDS = {"minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Usage:
    """What a key has used up: headers for the caller, and the refusal if it was too much.

    Headers as in draft-ietf-httpapi-ratelimit-headers-11.
    """

    headers: dict[str, str]
    refusal: TooManyRequests | None


def count(database: Database, caller: Caller) -> Usage:
    """Count this request, exactly, over all callers with the same key."""
    windows = database.alone(lambda cursor: count_request(cursor, caller.key_id, caller.limits))
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
