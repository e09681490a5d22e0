"""Representation of costs in responses."""

from decimal import Decimal
from typing import Any

from api.schemas.videos import SceneCost, Units
from common.database.attempts import NO_CHARGES, Charges, StepCharges
from common.domain.video import Cost

_UNIT = Decimal("0.0001")


def money(usd: Decimal) -> str:
    """Return an amount in US dollars as text, rounded to a hundredth of a cent."""
    return str(usd.quantize(_UNIT))


def unsettled(cost: Charges) -> dict[str, Any]:
    """Return the fields of `CostBreakdown`: costs beside the confirmed charges."""
    return {
        "open": money(cost.open_usd),
        "possible": money(cost.possible_usd),
        "at_most": money(cost.at_most_usd),
    }


def units(cost: Cost) -> Units | None:
    """Return a cost in units of its provider; None if it has none."""
    if not cost.units or not cost.unit:
        return None
    return Units(amount=f"{cost.units.normalize():f}", unit=cost.unit)


def of_step(charges: StepCharges | None, estimated: Cost) -> SceneCost:
    """Return the cost of a step of a scene over all its attempts, or its estimate."""
    expected = units(estimated)
    if charges is None:
        return SceneCost(
            amount=None,
            **unsettled(NO_CHARGES),
            estimated=money(estimated.usd),
            estimated_units=expected,
            units=None,
            possible_duplicate=False,
        )
    is_known = charges.charged_usd > 0 or not charges.at_most_usd
    return SceneCost(
        amount=money(charges.charged_usd) if is_known else None,
        **unsettled(charges),
        estimated=money(charges.estimated_usd),
        estimated_units=expected,
        units=units(Cost(units=charges.units, unit=charges.unit)),
        possible_duplicate=charges.possible_duplicate,
    )
