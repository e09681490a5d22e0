"""POST /v1/responses: validates the request, writes a matching story, and counts tokens.

Its own modes, all charged (the tokens were used):

refusal         completed, but the content is a refusal
truncation      incomplete, reason max_output_tokens, the JSON ends in the middle
reasoning_only  incomplete, reason max_output_tokens, no message at all
content_filter  incomplete, reason content_filter
failed          HTTP 200 with status failed (option `code`, default server_error); not charged
commentary      a commentary message before the final one
one_scene_less  the story has one scene too few, where the schema allows it
links           the texts contain a link
not_fitting     the text is JSON that does not fit the schema
wrapped         the text is the option `around` with the JSON in place of `%s`; `quoted`: as a
                JSON string

Responses are also truncated when max_output_tokens is too small for reasoning and text.
"""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.stand_ins import openai_models, openai_objects, openai_schema, openai_story
from tests.stand_ins.faults import Fault
from tests.stand_ins.openai_errors import (
    Refused,
    check_names,
    invalid_type,
    invalid_value,
    missing,
)
from tests.stand_ins.openai_models import NOT_REASONING, Model

MODES = frozenset(
    {
        *("refusal", "truncation", "reasoning_only", "content_filter", "failed", "commentary"),
        *("one_scene_less", "links", "not_fitting", "wrapped"),
    }
)
_NAMES = frozenset(
    {
        *("model", "input", "instructions", "max_output_tokens", "max_tool_calls", "metadata"),
        *("parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key"),
        *("prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier"),
        *("service_tier", "store", "stream", "stream_options", "temperature", "text"),
        *("tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user", "background"),
        *("include", "conversation", "context_management", "moderation"),
    }
)
_ROLES = ("user", "assistant", "system", "developer")
_EFFORTS = {"none": 0, "minimal": 16, "low": 64, "medium": 192, "high": 512, "xhigh": 1024}
_EFFORTS["max"] = 2048
_LEAST_TOKENS = 16


@dataclass(frozen=True, slots=True)
class CheckedRequest:
    """A valid request: the texts of the messages in order, the user's last one at the end."""

    body: dict[str, Any]
    model: Model
    texts: list[str]
    schema: openai_schema.Schema | None
    effort: str

    @property
    def limit(self) -> int | None:
        """The maximum of output tokens, including reasoning."""
        value: int | None = self.body.get("max_output_tokens")
        return value


@dataclass(frozen=True, slots=True)
class Result:
    """The response object and its price in US dollars."""

    body: dict[str, Any]
    usd: Decimal


def check(body: Any) -> CheckedRequest:
    """Return the checked request. Raises Refused."""
    check_names(body, _NAMES)
    model = openai_models.find(body.get("model"), "text")
    if "input" not in body:
        raise missing("input")
    for name in ("stream", "background"):
        if body.get(name):
            raise invalid_value(name, True, "false (this stand-in does no more)")
    limit = body.get("max_output_tokens")
    if limit is not None and (not isinstance(limit, int) or limit < _LEAST_TOKENS):
        raise Refused(
            400,
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= "
            f"{_LEAST_TOKENS}, but got {limit} instead.",
            code="integer_below_min_value",
            param="max_output_tokens",
        )
    return CheckedRequest(body, model, _texts(body), _schema(body.get("text", {})), _effort(body))


def _effort(body: dict[str, Any]) -> str:
    effort = (body.get("reasoning") or {}).get("effort") or "medium"
    if effort not in _EFFORTS:
        raise invalid_value("reasoning.effort", effort, ", ".join(f"'{e}'" for e in _EFFORTS))
    if body["model"] in NOT_REASONING:
        if "reasoning" in body:
            raise _unsupported("reasoning.effort")
        return "none"
    for name in ("temperature", "top_p", "top_logprobs"):
        if effort != "none" and body.get(name) is not None:
            raise _unsupported(name)
    return str(effort)


def _unsupported(name: str) -> Refused:
    return Refused(
        400,
        f"Unsupported parameter: '{name}' is not supported with this model.",
        code="unsupported_parameter",
        param=name,
    )


def _texts(body: dict[str, Any]) -> list[str]:
    given = body["input"]
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    if not isinstance(given, list) or not given:
        raise invalid_type("input", "a string or an array", given)
    texts: list[tuple[str, str]] = [("system", body.get("instructions") or "")]
    for number, message in enumerate(given):
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise invalid_value(f"input[{number}].role", message, ", ".join(_ROLES))
        texts.append((message["role"], _content(message.get("content"), f"input[{number}]")))
    users = [number for number, (role, _) in enumerate(texts) if role == "user"]
    if not users:
        raise missing("input")
    texts.append(texts.pop(users[-1]))
    return [text for _, text in texts]


def _content(content: Any, where: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise invalid_type(f"{where}.content", "a string or an array", content)
    for number, part in enumerate(content):
        if part.get("type") not in ("input_text", "output_text", "input_image"):
            allowed = "'input_text', 'input_image', 'output_text', 'refusal', 'input_file'"
            raise invalid_value(f"{where}.content[{number}].type", part.get("type"), allowed)
    return "\n".join(part.get("text", "") for part in content)


def _schema(text: dict[str, Any]) -> openai_schema.Schema | None:
    wanted = text.get("format", {"type": "text"})
    if wanted.get("type") not in ("text", "json_object", "json_schema"):
        raise invalid_value("text.format.type", wanted.get("type"), "'text', 'json_schema'")
    if wanted["type"] != "json_schema":
        return None
    for name in ("name", "schema"):
        if name not in wanted:
            raise missing(f"text.format.{name}")
    if wanted.get("strict"):
        openai_schema.check(wanted["name"], wanted["schema"])
    schema: openai_schema.Schema = wanted["schema"]
    return schema


# -- processing ------------------------------------------------------------------------------------
def respond(checked: CheckedRequest, now: float, fault: Fault | None) -> Result:
    """Return the response object."""
    mode = fault.mode if fault and fault.mode in MODES else ""
    if mode == "failed":
        assert fault is not None
        code = fault.options.get("code", "server_error")
        message = "The server had an error while processing your request."
        error = {"code": code, "message": message}
        return Result(
            openai_objects.response(checked.body, now, "failed", [], None) | {"error": error},
            Decimal(0),
        )
    text = _story(checked, mode)
    if fault and mode == "wrapped":
        text = json.dumps(text) if fault.options.get("quoted") else text
        text = str(fault.options.get("around", "%s")).replace("%s", text)
    thinking = _EFFORTS[checked.effort]
    output_tokens = thinking + count_tokens(text)
    messages = [openai_objects.message(text, "completed", "final_answer")]
    status, reason = "completed", ""
    if mode == "refusal":
        messages = [
            openai_objects.message("", "completed", None) | {"content": [openai_objects.refusal()]}
        ]
    elif mode == "commentary":
        messages = [
            openai_objects.message("Planning the scenes first.", "completed", "commentary"),
            *messages,
        ]
    elif mode == "content_filter":
        status, reason, messages = "incomplete", "content_filter", []
    elif mode == "reasoning_only" or (checked.limit is not None and thinking >= checked.limit):
        status, reason, messages = "incomplete", "max_output_tokens", []
    elif mode == "truncation" or (checked.limit is not None and output_tokens > checked.limit):
        left = 0.5 if checked.limit is None else (checked.limit - thinking) / count_tokens(text)
        cut = text[: int(len(text) * min(left, 0.5))] or text[:1]
        status, reason = "incomplete", "max_output_tokens"
        messages = [openai_objects.message(cut, "incomplete", None)]
    if reason == "max_output_tokens" and checked.limit is not None:
        output_tokens = checked.limit
    reasoning = {"id": openai_objects.new_id("rs"), "type": "reasoning", "summary": []}
    output = [reasoning, *messages] if thinking and reason != "content_filter" else messages
    input_tokens = sum(count_tokens(part) for part in checked.texts) + (40 if checked.schema else 0)
    usage = openai_objects.usage(input_tokens, output_tokens, min(thinking, output_tokens))
    body = openai_objects.response(checked.body, now, status, output, usage)
    if reason:
        body["incomplete_details"] = {"reason": reason}
    return Result(body, checked.model.price(input_tokens, output_tokens))


def _story(checked: CheckedRequest, mode: str) -> str:
    if checked.schema is None:
        return f"A short answer to: {checked.texts[-1][:80]}"
    if mode == "not_fitting":
        return '{"title": 7}'
    scenes = None
    if mode == "one_scene_less":
        wished = (openai_story.requested_scenes(text) for text in reversed(checked.texts))
        scenes = max(1, next((count for count in wished if count), 3) - 1)
    extra = "See https://example.com/page. " if mode == "links" else ""
    return openai_story.as_text(
        openai_story.write(checked.schema, checked.texts, scenes=scenes, extra=extra)
    )


def count_tokens(text: str) -> int:
    """Return an estimate of a text's tokens."""
    return -(-len(text) // 4)
