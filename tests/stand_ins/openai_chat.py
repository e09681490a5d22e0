"""POST /v1/chat/completions, implemented by converting to /v1/responses, with the same story."""

import secrets
from typing import Any

from tests.stand_ins import openai_responses
from tests.stand_ins.faults import Fault
from tests.stand_ins.openai_errors import check_names, missing
from tests.stand_ins.openai_responses import CheckedRequest, Result

MODES = frozenset({"refusal", "truncation", "reasoning_only", "content_filter"})
_NAMES = frozenset(
    {
        *("model", "messages", "max_completion_tokens", "max_tokens", "response_format", "n"),
        *("temperature", "top_p", "reasoning_effort", "store", "metadata", "user", "seed"),
        *("safety_identifier", "service_tier", "prompt_cache_key", "stream", "stop"),
    }
)
_REASONS = {"content_filter": "content_filter", "max_output_tokens": "length"}


def check(body: Any) -> CheckedRequest:
    """Return the checked request. Raises Refused."""
    check_names(body, _NAMES)
    if "messages" not in body:
        raise missing("messages")
    converted = {"model": body.get("model"), "input": body["messages"], "store": body.get("store")}
    if body.get("max_completion_tokens") is not None:
        converted["max_output_tokens"] = body["max_completion_tokens"]
    if body.get("stream"):
        converted["stream"] = True
    if body.get("reasoning_effort"):
        converted["reasoning"] = {"effort": body["reasoning_effort"]}
    form = body.get("response_format")
    if form:
        converted["text"] = {"format": {"type": form["type"], **form.get("json_schema", {})}}
    return openai_responses.check(converted)


def respond(checked: CheckedRequest, now: float, fault: Fault | None) -> Result:
    """Return the completion object."""
    result = openai_responses.respond(checked, now, fault)
    usage, body = result.body["usage"], result.body
    parts = [part for item in body["output"] for part in item.get("content", ())]
    text = next((part["text"] for part in parts if part["type"] == "output_text"), None)
    refusal = next((part["refusal"] for part in parts if part["type"] == "refusal"), None)
    reason = (body["incomplete_details"] or {}).get("reason")
    message: dict[str, Any] = {
        "role": "assistant",
        "annotations": [],
        "content": None if refusal else text or "",
        "refusal": refusal,
    }
    completion = {
        "id": f"chatcmpl-{secrets.token_urlsafe(22)}",
        "object": "chat.completion",
        "created": int(now),
        "model": checked.body["model"],
        "choices": [
            {
                "index": 0,
                "message": message,
                "logprobs": None,
                "finish_reason": _REASONS[reason] if reason else "stop",
            }
        ],
        "usage": {
            "prompt_tokens": usage["input_tokens"],
            "completion_tokens": usage["output_tokens"],
            "total_tokens": usage["total_tokens"],
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": usage["output_tokens_details"]["reasoning_tokens"],
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
        "service_tier": "default",
        "system_fingerprint": None,
    }
    return Result(completion, result.usd)
