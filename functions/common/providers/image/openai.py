"""Pictures by OpenAI's image models: an edit when there is a picture to follow, else a new one."""

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
from common.providers.image._openai_pictures import checked, sent

if TYPE_CHECKING:
    from openai import OpenAI
    from openai._legacy_response import LegacyAPIResponse

# Edits take one to three minutes; an answer that we do not wait for is lost, and paid.
_SECONDS = 240.0


def create(context: ProviderContext) -> "OpenAIImage":
    """Return the provider."""
    return OpenAIImage(context)


class OpenAIImage:
    """Paints pictures."""

    def __init__(self, context: ProviderContext) -> None:
        self._client = _openai.Client(context, "images")

    def generate_image(self, request: ImageRequest) -> ImageResult:
        """Return the picture, by exactly one call."""
        model = models.find("image", "openai", request.model)
        ratio = _ratio(model, request.size)
        files = _files(request)
        body = self._client.call(_SECONDS, _call(model, request, files))
        cost = _openai.cost(model, body.get("usage"))
        if cost is None and not _is_answer(body):
            raise vendor_errors.unknown(_openai.VENDOR)
        expected = model.image_usd(
            ratio, anchor=request.anchor is not None, reference=request.reference is not None
        )
        cost = cost or Cost(usd=expected)
        return ImageResult(checked(_data(body, cost), request.size, cost), cost)


def _ratio(model: Model, size: tuple[int, int]) -> str:
    """Return the ratio with this size; raises InvalidInput if the model does not make it."""
    for ratio in model.ratios:
        if RATIOS[ratio] == size:
            return ratio
    raise InvalidInput(
        f"{model.model} does not make pictures of {size[0]}x{size[1]}.",
        field="ratio",
        allowed=list(model.ratios),
    )


def _files(request: ImageRequest) -> list[tuple[str, bytes, str]]:
    """Return what is sent along, in the order that the prompt speaks of: reference, anchor.

    Name and type stand beside the bytes: without them OpenAI gets a type that it does not take.
    """
    wished = {"reference": request.reference, "anchor": request.anchor}
    pictures = {name: sent(p, request.size) for name, p in wished.items() if p is not None}
    return [
        (f"{name}.{picture.media_type.rpartition('/')[2]}", picture.data, picture.media_type)
        for name, picture in pictures.items()
    ]


def _call(model: Model, request: ImageRequest, files: list[tuple[str, bytes, str]]) -> Any:
    prompt = prompts.image(
        request.prompt, request.size, request.reference, request.anchor, model.prompt_characters
    )
    wish: dict[str, Any] = {
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
            return sdk.images.with_raw_response.edit(image=list(files), **wish)
        return sdk.images.with_raw_response.generate(**wish)

    return make


def _is_answer(body: dict[str, Any]) -> bool:
    """Say whether it is what this endpoint answers: other objects say what they are."""
    return isinstance(body.get("created"), int) and "object" not in body


def _data(body: dict[str, Any], cost: Cost) -> bytes:
    """Return the bytes of the one picture in the answer; raises ProviderRefused without one.

    The call has ended, so nothing about it is in doubt; that it was charged is assumed.
    """
    pictures = body.get("data")
    first = pictures[0] if isinstance(pictures, list) and pictures else None
    encoded = first.get("b64_json") if isinstance(first, dict) else None
    if isinstance(encoded, str) and encoded:
        with contextlib.suppress(ValueError):
            return base64.b64decode(encoded, validate=True)
    raise vendor_errors.refused(_openai.VENDOR, "provider.output", billed=True, cost=cost)
