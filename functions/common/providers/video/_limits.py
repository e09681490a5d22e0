"""What a model takes is checked before anything is sent, so that nothing is paid for a no."""

from common.domain.errors import InvalidInput
from common.domain.models import Model
from common.providers import ClipRequest


def check(model: Model, request: ClipRequest) -> None:
    """Raise InvalidInput, with the allowed values, for a clip that the model does not make."""
    for name, value, allowed in (
        ("ratio", request.ratio, model.ratios),
        ("seconds", request.seconds, model.seconds),
    ):
        if value not in allowed:
            raise InvalidInput(
                f"{model.model} does not make clips with {name} {value}.",
                field=name,
                allowed=list(allowed),
                billed=False,
            )
