"""What came back from OpenAI's Responses API: a text, or why there is none.

Status 200 has many meanings there. A refusal is `completed`; a text that did not fit is
`incomplete`, and so is one whose whole budget went into reasoning; a failure of the server is
`failed`. A message may be a commentary beside the answer, so texts are never simply joined.
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
    """The model's final text. It is None when the budget ended before the text did."""

    text: str | None
    cost: Cost


def read(body: dict[str, Any], model: Model, expected: Cost) -> Written:
    """Return what the model wrote; `expected` is the cost if the answer does not tell it.

    Raises ProviderRefused, NotAccepted or OutcomeUnknown, with what was charged.
    """
    try:
        response = _Response.model_validate(body)
    except ValidationError:
        raise vendor_errors.unknown(_openai.VENDOR) from None
    told = _openai.cost(model, body.get("usage"))
    cost = told or expected
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
        raise _of_failure(code, told)
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


def _of_failure(code: str | None, told: Cost | None) -> VideoError:
    """Return what a failure means: a definite end without a text.

    Whether it was charged is not documented. Without `usage` nobody knows, also when the code says
    that the model was too busy: it is not tried again by itself.
    """
    billed = True if told else None
    own = "provider.unavailable" if code == "rate_limit_exceeded" else "provider.internal"
    return _openai.of_code(code, billed=billed, cost=told) or vendor_errors.refused(
        _openai.VENDOR, own, billed=billed, cost=told
    )


def _refused(code: str, cost: Cost) -> ProviderRefused:
    return vendor_errors.refused(_openai.VENDOR, code, billed=True, cost=cost)
