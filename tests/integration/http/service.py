"""The whole API in process: a request goes through the gateway's rules, authorizer and function."""

import base64
import json
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import urlsplit

from infra.gateway_responses import ERRORS
from tests.support import answers
from tests.support.answers import Seen
from tests.support.gateway import Context, Reply, event_of, quietly, reply_of

_ARN = "arn:aws:execute-api:us-east-1:000000000000:api/live"
_MOST_BYTES = 10 * 1024 * 1024  # of a request, at API Gateway
_REFUSALS = {error.response_type: error for error in ERRORS}


@dataclass
class Service:
    """Takes requests as clients send them; checks every answer and remembers which it was."""

    seen: set[Seen] = field(default_factory=set)

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        text: str | None = None,
    ) -> Reply:
        """Make one request; `body` is sent as JSON, or `text` as it is."""
        sent = {"X-API-Key": key} if key else {}
        if body is not None:
            sent["Content-Type"], text = "application/json", json.dumps(body)
        return self.send(method, path, {**sent, **(headers or {})}, text)

    def send(
        self, method: str, path: str, headers: dict[str, str], body: str | bytes | None
    ) -> Reply:
        """Answer a request, and hold the answer against what is documented."""
        data = body.encode(errors="replace") if isinstance(body, str) else body
        reply = _answer(method, path, headers, data)
        if method == "HEAD":  # HTTP leaves the body out
            reply = replace(reply, text="")
        seen = answers.check(method, path, reply.status, reply.headers, reply.text or "")
        if seen:
            self.seen.add(seen)
        return reply


def _answer(method: str, path: str, headers: dict[str, str], data: bytes | None) -> Reply:
    from api.handler import handler

    place = urlsplit(path).path
    operation = answers.operation_of(method, path)
    if operation is None and (method != "GET" or place not in answers.NOT_DESCRIBED):
        signed = any(name.lower() == "authorization" for name in headers)
        return _refuse("INVALID_SIGNATURE" if signed else "MISSING_AUTHENTICATION_TOKEN")
    if data is not None and len(data) > _MOST_BYTES:
        return _refuse("REQUEST_TOO_LARGE")
    known: dict[str, str] | None = None
    if operation is not None and not operation.public:
        answer = _authorize(method, place, headers)
        if isinstance(answer, Reply):
            return answer
        known = answer
    binary = any(  # as the gateway is told to take forms
        name.lower() == "content-type" and value.startswith("multipart/form-data")
        for name, value in headers.items()
    )
    decode = base64.b64encode if binary else bytes
    text = None if data is None else decode(data).decode(errors="replace")
    event = event_of(method, path, headers, text, authorizer=known, base64=binary)
    return reply_of(quietly(handler, event, Context()))


def _authorize(method: str, place: str, headers: dict[str, str]) -> dict[str, str] | Reply:
    """Return who calls, or the gateway's refusal."""
    from authorizer import handler as authorizer

    arn, context = f"{_ARN}/{method}{place}", Context(function_name="authorizer")
    try:
        policy = authorizer.handler({"methodArn": arn, "headers": headers}, context)  # type: ignore[arg-type] # what Lambda gives
    except authorizer.UnauthorizedError:
        return _refuse("UNAUTHORIZED")
    except RuntimeError:
        return _refuse("AUTHORIZER_FAILURE")
    (statement,) = policy["policyDocument"]["Statement"]
    if not any(fnmatchcase(arn, allowed) for allowed in statement["Resource"]):
        return _refuse("ACCESS_DENIED")
    context_: dict[str, str] = policy["context"]
    return context_


def _refuse(response_type: str) -> Reply:
    error = _REFUSALS[response_type]
    body = {**error.body, "request_id": "in-process"}
    return Reply(error.status, error.headers, json.dumps(body))
