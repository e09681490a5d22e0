"""Who calls, as the authorizer found out, and how often they may."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from common.database import Database
from common.database.keys import count_request
from common.errors import Forbidden, TooManyRequests

_SECONDS = {"minute": 60, "hour": 3600}


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of the API key of this request."""

    key_id: str
    user_id: str
    live: bool
    scopes: frozenset[str]
    limits: Mapping[str, int]
    daily_cap_usd: Decimal | None
    monthly_cap_usd: Decimal | None

    @classmethod
    def from_authorizer(cls, context: Mapping[str, str]) -> "Caller":
        """Read what the authorizer passed on."""
        return cls(
            key_id=context["key_id"],
            user_id=context["user_id"],
            live=context["live"] == "true",
            scopes=frozenset(context["scopes"].split()),
            limits={"minute": int(context["per_minute"]), "hour": int(context["per_hour"])},
            daily_cap_usd=_cap(context.get("daily_cap_usd")),
            monthly_cap_usd=_cap(context.get("monthly_cap_usd")),
        )

    def need(self, scope: str) -> None:
        """Raise Forbidden unless the key has the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This API key lacks the scope '{scope}'.")


def _cap(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a key has used up: headers for the caller, and the refusal if it was too much.

    Headers as in draft-ietf-httpapi-ratelimit-headers-11.
    """

    headers: dict[str, str]
    refusal: TooManyRequests | None


def count(database: Database, caller: Caller) -> Usage:
    """Count this request, exactly, over all callers with the same key."""
    with database.transaction() as cursor:
        windows = count_request(cursor, caller.key_id)
    headers = {
        "RateLimit-Policy": ", ".join(
            f'"{period}";q={limit};w={_SECONDS[period]}' for period, limit in caller.limits.items()
        ),
        "RateLimit": ", ".join(
            f'"{w.period}";r={max(0, caller.limits[w.period] - w.count)};t={w.resets_in}'
            for w in windows
        ),
    }
    over = [window for window in windows if window.count > caller.limits[window.period]]
    if not over:
        return Usage(headers, None)
    window = max(over, key=lambda window: window.resets_in)
    refusal = TooManyRequests(
        f"This API key may make {caller.limits[window.period]} requests a {window.period}; "
        f"try again in {window.resets_in} s.",
        retry_after=window.resets_in,
    )
    return Usage(headers, refusal)
