"""Costs as the API shows them."""

from decimal import Decimal
from typing import Any

from api.schemas.videos import SceneCost, Units
from common.database.attempts import NOTHING, Charges, StepCharges
from common.domain.video import Cost

_CENT = Decimal("0.0001")


def money(usd: Decimal) -> str:
    """US dollars to a hundredth of a cent."""
    return str(usd.quantize(_CENT))


def unsettled(cost: Charges) -> dict[str, Any]:
    """Return the fields of a cost beside what is charged for certain."""
    return {
        "open": money(cost.open_usd),
        "possible": money(cost.possible_usd),
        "at_most": money(cost.at_most_usd),
    }


def units(cost: Cost) -> Units | None:
    """A cost in its provider's own units, where it has some."""
    if not cost.units or not cost.unit:
        return None
    return Units(amount=f"{cost.units.normalize():f}", unit=cost.unit)


def of_step(charges: StepCharges | None, estimated: Cost) -> SceneCost:
    """Show what a step of a scene cost over all its attempts, or is expected to cost."""
    expected = units(estimated)
    if charges is None:
        return SceneCost(
            amount=None,
            **unsettled(NOTHING),
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
