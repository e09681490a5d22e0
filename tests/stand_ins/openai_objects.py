"""The objects of /v1/responses, with every key that the vendor sends."""

import secrets
from collections.abc import Callable
from typing import Any

REFUSAL = "I'm sorry, but I can't help with that."


def refusal() -> dict[str, str]:
    return {"type": "refusal", "refusal": REFUSAL}


def message(text: str, status: str, phase: str | None) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    message = {
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [part],
    }
    return message | ({"phase": phase} if phase else {})


def usage(input_tokens: int, output_tokens: int, thinking: int) -> dict[str, Any]:
    return {
        "input_tokens": input_tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": output_tokens,
        "output_tokens_details": {"reasoning_tokens": thinking},
        "total_tokens": input_tokens + output_tokens,
    }


def new_id(kind: str) -> str:
    return f"{kind}_{secrets.token_hex(16)}"


_ECHOED: dict[str, Callable[[dict[str, Any]], Any]] = {
    "instructions": lambda body: body.get("instructions"),
    "max_output_tokens": lambda body: body.get("max_output_tokens"),
    "max_tool_calls": lambda body: body.get("max_tool_calls"),
    "model": lambda body: body["model"],
    "parallel_tool_calls": lambda body: body.get("parallel_tool_calls", True),
    "previous_response_id": lambda _: None,
    "prompt_cache_key": lambda body: body.get("prompt_cache_key"),
    "reasoning": lambda body: {"summary": None} | (body.get("reasoning") or {"effort": "medium"}),
    "safety_identifier": lambda body: body.get("safety_identifier"),
    "service_tier": lambda _: "default",
    "store": lambda body: body.get("store", True),
    "temperature": lambda body: body.get("temperature", 1.0),
    "tool_choice": lambda _: "auto",
    "tools": lambda _: [],
    "top_logprobs": lambda _: 0,
    "top_p": lambda body: body.get("top_p", 1.0),
    "truncation": lambda body: body.get("truncation", "disabled"),
    "user": lambda body: body.get("user"),
    "metadata": lambda body: body.get("metadata") or {},
}


def response(
    body: dict[str, Any], now: float, status: str, output: list[Any], usage: dict[str, Any] | None
) -> dict[str, Any]:
    text = body.get("text", {})
    return {
        "id": new_id("resp"),
        "object": "response",
        "created_at": int(now),
        "status": status,
        "background": False,
        "completed_at": int(now) if status == "completed" else None,
        "error": None,
        "incomplete_details": None,
        "output": output,
        **{name: echo(body) for name, echo in _ECHOED.items()},
        "text": {
            "format": {"description": None, **text["format"]}
            if "format" in text
            else {"type": "text"},
            "verbosity": text.get("verbosity", "medium"),
        },
        "usage": usage,
    }
