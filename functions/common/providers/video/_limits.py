"""Validation of clip requests against the model's limits, before anything is sent or charged."""

from common.domain.errors import InvalidInput
from common.domain.models import Model
from common.providers import ClipRequest


def check(model: Model, request: ClipRequest) -> None:
    """Raise InvalidInput, with the allowed values, for a clip that the model does not support."""
    for name, value, allowed in (
        ("ratio", request.ratio, model.ratios),
        ("seconds", request.seconds, model.seconds),
    ):
        if value not in allowed:
            raise InvalidInput(
                f"{model.model} does not support clips with {name} {value}. Nothing was charged.",
                field=name,
                allowed=list(allowed),
                billed=False,
            )
