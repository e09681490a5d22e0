"""On whose behalf something is made, and what they may spend. Touches nothing."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from common.domain.errors import Forbidden, InvalidInput, TooManyRequests

_USER = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"


@dataclass(frozen=True, slots=True)
class RateWindow:
    """Requests of a key in the current minute or hour; it ends in `resets_in` seconds."""

    period: str
    count: int
    resets_in: int


@dataclass(frozen=True, slots=True)
class Caller:
    """The owner of an API key."""

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
        """Read what the authorizer passed on."""
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
        """Return who acts for that user: the owner for themselves, others with the scope `act_as`.

        Raises InvalidInput, naming the field, for what cannot be a user, and Forbidden.
        """
        if user_id is None or user_id == self.user_id:
            return self
        if not re.fullmatch(_USER, user_id):
            raise InvalidInput(
                "A user is named by letters, digits, - and _, at most 64 of them.", field=field
            )
        self.need("act_as")
        return replace(self, user_id=user_id)

    def need(self, scope: str) -> None:
        """Raise Forbidden unless the key has the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This API key lacks the scope '{scope}'.")

    def refusal(self, windows: Iterable[RateWindow]) -> TooManyRequests | None:
        """Return the refusal of a request that was counted, if one of its windows is over."""
        over = [window for window in windows if window.count > self.limits[window.period]]
        if not over:
            return None
        window = max(over, key=lambda window: window.resets_in)
        return TooManyRequests(
            f"This API key may make {self.limits[window.period]} requests a {window.period}; "
            f"try again in {window.resets_in} s.",
            retry_after=window.resets_in,
        )


def _cap(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None
