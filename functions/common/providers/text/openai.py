"""Stories by OpenAI's text models: one answer in a strict schema, checked again by us."""

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

# Together below the 230 s of the function `story`.
_SECONDS, _REPAIR_SECONDS = 120.0, 90.0
# Room for reasoning and for scripts that take many tokens; what is not used is not paid.
_TOKENS, _TOKENS_PER_SCENE = 4_000, 700


def create(context: ProviderContext) -> "OpenAIText":
    """Return the provider."""
    return OpenAIText(context)


class OpenAIText:
    """Writes stories.

    A story that cannot be used (cut off, or against the rules that it was given) is sent back once
    with what is wrong with it. That is a second paid call, made only after the first is beyond
    doubt: it was answered and charged. Both costs are summed. If the outcome of the second is
    unknown, the whole is `OutcomeUnknown`; if it is refused or not accepted, the whole is refused
    and billed, and never `NotAccepted`, under which it would be tried again from the start.
    """

    def __init__(self, context: ProviderContext) -> None:
        self._client = _openai.Client(context, "responses")

    def write_story(self, request: StoryRequest) -> StoryResult:
        """Return the story."""
        model = models.find("text", "openai", request.model)
        system, wish = prompts.story(request)
        asked: ResponseInputParam = [
            {"role": "system", "content": system},
            {"role": "user", "content": wish},
        ]
        tokens = _TOKENS + _TOKENS_PER_SCENE * request.scenes
        first = self._ask(model, request, asked, tokens, _SECONDS)
        if first.text is None:
            # Not a word about it to the model: it would not know how to be shorter.
            return self._second(model, request, asked, 2 * tokens, first.cost)
        try:
            return StoryResult(_story.read(first.text, request), first.cost)
        except _story.BrokenRules as broken:
            repair = prompts.story_repair(broken.faults, request.scenes)
        asked += [{"role": "assistant", "content": first.text}, {"role": "user", "content": repair}]
        return self._second(model, request, asked, tokens, first.cost)

    def _second(
        self,
        model: Model,
        request: StoryRequest,
        asked: "ResponseInputParam",
        tokens: int,
        spent: Cost,
    ) -> StoryResult:
        try:
            written = self._ask(model, request, asked, tokens, _REPAIR_SECONDS)
        except VideoError as error:
            raise _after_one_paid_call(error, spent) from None
        cost = _sum(spent, written.cost)
        if written.text is None:
            raise vendor_errors.refused(_openai.VENDOR, "story.truncated", billed=True, cost=cost)
        try:
            return StoryResult(_story.read(written.text, request), cost)
        except _story.BrokenRules:
            raise vendor_errors.refused(
                _openai.VENDOR, "story.invalid", billed=True, cost=cost
            ) from None

    def _ask(
        self,
        model: Model,
        request: StoryRequest,
        asked: "ResponseInputParam",
        tokens: int,
        seconds: float,
    ) -> Written:
        def make(sdk: "OpenAI") -> "LegacyAPIResponse[Any]":
            return sdk.responses.with_raw_response.create(
                model=model.model,
                input=asked,
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


def _after_one_paid_call(error: VideoError, spent: Cost) -> VideoError:
    if isinstance(error, OutcomeUnknown):
        error.cost = spent
        return error
    cost = _sum(spent, error.cost) if error.cost else spent
    if isinstance(error, ProviderRefused):
        return vendor_errors.refused(_openai.VENDOR, error.error_code, billed=True, cost=cost)
    return vendor_errors.refused(_openai.VENDOR, "story.not_corrected", billed=True, cost=cost)


def _sum(one: Cost, other: Cost) -> Cost:
    units = (one.units or Decimal(0)) + (other.units or Decimal(0))
    return Cost(one.usd + other.usd, units or None, one.unit or other.unit)
