"""Stories by OpenAI's text models: structured output in a strict schema, validated again here."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from common.domain import models
from common.domain.errors import OutcomeUnknown, ProviderRefused, VideoError
from common.domain.models import Model
from common.domain.video import Cost
from common.providers import (
    ProviderContext,
    StoryRequest,
    StoryResult,
    _openai,
    prompts,
    vendor_errors,
)
from common.providers.text import _openai_answer, _story
from common.providers.text._openai_answer import Written

if TYPE_CHECKING:
    from openai import OpenAI
    from openai._legacy_response import LegacyAPIResponse
    from openai.types.responses import ResponseInputParam

# Together below the timeout of the function `story` (230 s).
_SECONDS, _REPAIR_SECONDS = 120.0, 90.0
# Includes reasoning and scripts that take many tokens. Unused tokens are not charged.
_TOKENS, _TOKENS_PER_SCENE = 4_000, 700


def create(context: ProviderContext) -> "OpenAIText":
    """Return the provider."""
    return OpenAIText(context)


class OpenAIText:
    """The text provider `openai`.

    A story that is not usable is requested once more: with twice the token limit if it was
    truncated, or with a list of its faults if it breaks the rules. This is a second paid call, made
    only if the outcome of the first is certain: it was answered and charged. The cost is the sum of
    both. If the outcome of the second call is unknown, the result is `OutcomeUnknown`. If the
    second call is refused or not accepted, the result is `ProviderRefused`, billed; it is never
    `NotAccepted`, because the caller would then retry from the first call.
    """

    def __init__(self, context: ProviderContext) -> None:
        self._client = _openai.Client(context, "responses")

    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return the story; makes one or two paid calls.

        Raises NotAccepted, ProviderRefused or OutcomeUnknown, with the cost of what was charged.
        """
        model = models.find("text", "openai", request.model)
        system, user = prompts.story(request)
        messages: ResponseInputParam = [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]
        tokens = _TOKENS + _TOKENS_PER_SCENE * request.scenes
        first = self._call(model, request, messages, tokens, _SECONDS)
        if first.text is None:
            # The same messages again: the model cannot control its number of tokens.
            return self._second_call(model, request, messages, 2 * tokens, first.cost)
        try:
            return StoryResult(_story.read(first.text, request), first.cost)
        except _story.BrokenRules as broken:
            repair = prompts.story_repair(broken.faults, request.scenes)
        messages += [
            {"role": "assistant", "content": first.text},
            {"role": "user", "content": repair},
        ]
        return self._second_call(model, request, messages, tokens, first.cost)

    def _second_call(
        self,
        model: Model,
        request: StoryRequest,
        messages: "ResponseInputParam",
        tokens: int,
        spent: Cost,
    ) -> StoryResult:
        try:
            second = self._call(model, request, messages, tokens, _REPAIR_SECONDS)
        except VideoError as error:
            raise _after_paid_call(error, spent) from None
        cost = _sum(spent, second.cost)
        if second.text is None:
            raise vendor_errors.refused(_openai.VENDOR, "story.truncated", billed=True, cost=cost)
        try:
            return StoryResult(_story.read(second.text, request), cost)
        except _story.BrokenRules:
            raise vendor_errors.refused(
                _openai.VENDOR, "story.invalid", billed=True, cost=cost
            ) from None

    def _call(
        self,
        model: Model,
        request: StoryRequest,
        messages: "ResponseInputParam",
        tokens: int,
        seconds: float,
    ) -> Written:
        def make(sdk: "OpenAI") -> "LegacyAPIResponse[Any]":
            return sdk.responses.with_raw_response.create(
                model=model.model,
                input=messages,
                max_output_tokens=tokens,
                reasoning={"effort": "low"},
                store=False,
                text={
                    "format": {
                        "type": "json_schema",
                        "name": "Story",
                        "strict": True,
                        "schema": _story.schema(request.scenes, narrated=request.narrated),
                    }
                },
            )

        expected = Cost(usd=model.story_usd(request.scenes))
        return _openai_answer.read(self._client.call(seconds, make), model, expected)


def _after_paid_call(error: VideoError, spent: Cost) -> VideoError:
    """Return the error of the second call with the cost of the first added; never NotAccepted."""
    if isinstance(error, OutcomeUnknown):
        error.cost = spent
        return error
    cost = _sum(spent, error.cost) if error.cost else spent
    if isinstance(error, ProviderRefused):
        return vendor_errors.refused(_openai.VENDOR, error.error_code, billed=True, cost=cost)
    return vendor_errors.refused(_openai.VENDOR, "story.not_corrected", billed=True, cost=cost)


def _sum(a: Cost, b: Cost) -> Cost:
    units = (a.units or Decimal(0)) + (b.units or Decimal(0))
    return Cost(a.usd + b.usd, units or None, a.unit or b.unit)
