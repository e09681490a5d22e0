"""Images by OpenAI's image models: an edit if there are input images, else a generation."""

import base64
import contextlib
from typing import TYPE_CHECKING, Any

from common.domain import models
from common.domain.errors import InvalidInput
from common.domain.models import Model
from common.domain.video import RATIOS, Cost
from common.providers import (
    ImageRequest,
    ImageResult,
    ProviderContext,
    _openai,
    prompts,
    vendor_errors,
)
from common.providers.image._openai_images import checked, downscaled

if TYPE_CHECKING:
    from openai import OpenAI
    from openai._legacy_response import LegacyAPIResponse

# Edits take one to three minutes, and the response to a call that timed out is lost but charged.
_SECONDS = 240.0


def create(context: ProviderContext) -> "OpenAIImage":
    """Return the provider."""
    return OpenAIImage(context)


class OpenAIImage:
    """The image provider `openai`."""

    def __init__(self, context: ProviderContext) -> None:
        self._client = _openai.Client(context, "images")

    def generate_image(self, request: ImageRequest) -> ImageResult:
        """Return the image; makes exactly one paid call.

        Raises MediaError (`image.unusable`), NotAccepted, ProviderRefused or OutcomeUnknown.
        """
        model = models.find("image", "openai", request.model)
        ratio = _ratio(model, request.size)
        files = _files(request)
        body = self._client.call(_SECONDS, _sdk_call(model, request, files))
        cost = _openai.cost(model, body.get("usage"))
        if cost is None and not _is_images_response(body):
            raise vendor_errors.unknown(_openai.VENDOR)
        expected = model.image_usd(
            ratio, anchor=request.anchor is not None, reference=request.reference is not None
        )
        cost = cost or Cost(usd=expected)
        return ImageResult(checked(_data(body, cost), request.size, cost), cost)


def _ratio(model: Model, size: tuple[int, int]) -> str:
    """Return the ratio of the size; raises InvalidInput if the model does not support it."""
    for ratio in model.ratios:
        if RATIOS[ratio] == size:
            return ratio
    raise InvalidInput(
        f"{model.model} does not support images of {size[0]}x{size[1]}. Nothing was charged.",
        field="ratio",
        allowed=list(model.ratios),
    )


def _files(request: ImageRequest) -> list[tuple[str, bytes, str]]:
    """Return the input images as (name, data, media type), in the order of the prompt.

    The order is: reference image, first image. Name and media type are set explicitly, because
    OpenAI rejects the type that the SDK sends without them.
    """
    inputs = {"reference": request.reference, "anchor": request.anchor}
    images = {
        name: downscaled(image, request.size) for name, image in inputs.items() if image is not None
    }
    return [
        (f"{name}.{image.media_type.rpartition('/')[2]}", image.data, image.media_type)
        for name, image in images.items()
    ]


def _sdk_call(model: Model, request: ImageRequest, files: list[tuple[str, bytes, str]]) -> Any:
    prompt = prompts.image(
        request.prompt, request.size, request.reference, request.anchor, model.prompt_characters
    )
    arguments: dict[str, Any] = {
        "model": model.model,
        "prompt": prompt,
        "size": f"{request.size[0]}x{request.size[1]}",
        "quality": model.quality,
        "background": "opaque",
        "output_format": "png",
        "n": 1,
    }

    def make(sdk: "OpenAI") -> "LegacyAPIResponse[Any]":
        if files:
            return sdk.images.with_raw_response.edit(image=list(files), **arguments)
        return sdk.images.with_raw_response.generate(**arguments)

    return make


def _is_images_response(body: dict[str, Any]) -> bool:
    """Return whether the body is of this endpoint: all other objects have a field `object`."""
    return isinstance(body.get("created"), int) and "object" not in body


def _data(body: dict[str, Any], cost: Cost) -> bytes:
    """Return the data of the single image in the response; raises ProviderRefused without one.

    The call has ended, so its outcome is certain. It is assumed to be charged.
    """
    images = body.get("data")
    first = images[0] if isinstance(images, list) and images else None
    encoded = first.get("b64_json") if isinstance(first, dict) else None
    if isinstance(encoded, str) and encoded:
        with contextlib.suppress(ValueError):
            return base64.b64decode(encoded, validate=True)
    raise vendor_errors.refused(_openai.VENDOR, "provider.output", billed=True, cost=cost)
