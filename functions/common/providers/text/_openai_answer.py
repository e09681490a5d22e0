"""Parsing of responses of OpenAI's Responses API: the final text, or the reason for its absence.

HTTP status 200 has many meanings there. A refusal is `completed`; a truncated text is `incomplete`,
and so is a response that used all its tokens for reasoning; a server failure is `failed`. A message
may be a commentary instead of the final answer, so not all texts are concatenated.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from common.domain.errors import ProviderRefused, VideoError
from common.domain.models import Model
from common.domain.video import Cost
from common.providers import _openai, vendor_errors


class _Loose(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Reason(_Loose):
    code: str | None = None
    reason: str | None = None


class _Part(_Loose):
    type: str
    text: str | None = None


class _Item(_Loose):
    type: str
    phase: str | None = None
    content: list[_Part] | None = None


class _Response(_Loose):
    status: str
    output: list[_Item]
    error: _Reason | None = None
    incomplete_details: _Reason | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The model's final text and its cost. `text` is None if the token limit truncated it."""

    text: str | None
    cost: Cost


def read(body: dict[str, Any], model: Model, expected: Cost) -> Written:
    """Return the final text of a response.

    `expected` is the cost if the response has no `usage`. Raises ProviderRefused, NotAccepted or
    OutcomeUnknown, with the cost if it is known.
    """
    try:
        response = _Response.model_validate(body)
    except ValidationError:
        raise vendor_errors.unknown(_openai.VENDOR) from None
    reported_cost = _openai.cost(model, body.get("usage"))
    cost = reported_cost or expected
    if response.status == "completed":
        return Written(_final_text(response, cost), cost)
    reason = response.incomplete_details.reason if response.incomplete_details else None
    if response.status == "incomplete":
        if reason == "content_filter":
            vendor_errors.log_vendor_error(_openai.VENDOR, 200, reason, body.get("id"))
            raise _refused("safety.output", cost)
        return Written(None, cost)
    code = response.error.code if response.error else None
    vendor_errors.log_vendor_error(_openai.VENDOR, 200, code or response.status, body.get("id"))
    if response.status == "failed":
        raise _from_failure(code, reported_cost)
    raise vendor_errors.unknown(_openai.VENDOR)


def _final_text(response: _Response, cost: Cost) -> str:
    parts = [
        part
        for item in response.output
        if item.type == "message" and item.phase in (None, "final_answer")
        for part in item.content or []
    ]
    if any(part.type == "refusal" for part in parts):
        raise _refused("safety.input", cost)
    return "".join(part.text or "" for part in parts if part.type == "output_text")


def _from_failure(code: str | None, reported_cost: Cost | None) -> VideoError:
    """Return the error for a `failed` response: it certainly ended without a text.

    OpenAI does not document if such a response is charged. Without `usage` the charge is unknown,
    even if the code says that the model was overloaded, so the call is never repeated
    automatically.
    """
    billed = True if reported_cost else None
    by_default = "provider.unavailable" if code == "rate_limit_exceeded" else "provider.internal"
    return _openai.from_code(code, billed=billed, cost=reported_cost) or vendor_errors.refused(
        _openai.VENDOR, by_default, billed=billed, cost=reported_cost
    )


def _refused(code: str, cost: Cost) -> ProviderRefused:
    return vendor_errors.refused(_openai.VENDOR, code, billed=True, cost=cost)
