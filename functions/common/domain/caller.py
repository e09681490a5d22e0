"""The authenticated caller of a request: user, scopes, rate limits and spending caps."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from common.domain.errors import Forbidden, InvalidInput, TooManyRequests

_USER = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


@dataclass(frozen=True, slots=True)
class RateWindow:
    """The number of requests of a key in the current minute or hour.

    The period ends in `resets_in` seconds.
    """

    period: str
    count: int
    resets_in: int


@dataclass(frozen=True, slots=True)
class Caller:
    """The user of a request and the limits of its API key."""

    key_id: str
    user_id: str
    live: bool
    scopes: frozenset[str]
    limits: Mapping[str, int]
    max_runs: int
    daily_cap_usd: Decimal | None
    monthly_cap_usd: Decimal | None

    @classmethod
    def from_authorizer(cls, context: Mapping[str, str]) -> "Caller":
        """Return the caller from the context that the authorizer returned."""
        return cls(
            key_id=context["key_id"],
            user_id=context["user_id"],
            live=context["live"] == "true",
            scopes=frozenset(context["scopes"].split()),
            limits={"minute": int(context["per_minute"]), "hour": int(context["per_hour"])},
            max_runs=int(context["max_runs"]),
            daily_cap_usd=_cap(context.get("daily_cap_usd")),
            monthly_cap_usd=_cap(context.get("monthly_cap_usd")),
        )

    def acting_as(self, user_id: str | None, field: str) -> "Caller":
        """Return the caller acting for another user, which requires the scope `act_as`.

        Returns the caller itself for its own user and for None. Raises InvalidInput for an invalid
        user name, and Forbidden without the scope.
        """
        if user_id is None or user_id == self.user_id:
            return self
        if not re.fullmatch(_USER, user_id):
            raise InvalidInput(
                "A user name has up to 64 letters, digits, `-` and `_`, and begins with a letter "
                "or digit.",
                field=field,
            )
        self.need("act_as")
        return replace(self, user_id=user_id)

    def need(self, scope: str) -> None:
        """Raise Forbidden if the key lacks the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This API key lacks the scope '{scope}'.")

    def refusal(self, windows: Iterable[RateWindow]) -> TooManyRequests | None:
        """Return TooManyRequests if one of the windows is over its rate limit, otherwise None."""
        exceeded = [window for window in windows if window.count > self.limits[window.period]]
        if not exceeded:
            return None
        window = max(exceeded, key=lambda window: window.resets_in)
        return TooManyRequests(
            f"This API key is limited to {self.limits[window.period]} requests per "
            f"{window.period}; try again in {window.resets_in} s.",
            retry_after=window.resets_in,
        )


def _cap(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None
