"""On whose behalf something is made, and what they may spend. Touches nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from common.errors import Forbidden


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

    def need(self, scope: str) -> None:
        """Raise Forbidden unless the key has the scope."""
        if scope not in self.scopes:
            raise Forbidden(f"This API key lacks the scope '{scope}'.")


def _cap(text: str | None) -> Decimal | None:
    return Decimal(text) if text else None
