"""The API in process: API Gateway's rules, the authorizer and the function."""

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
_MOST_BYTES = 10 * 1024 * 1024  # API Gateway's limit for a request body
_GATEWAY_ERRORS = {error.response_type: error for error in ERRORS}


@dataclass
class Service:
    """Sends requests in process; checks and records every response of a documented operation."""

    observed: set[Seen] = field(default_factory=set)

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
        """Send one request; `body` is sent as JSON, or `text` unchanged."""
        request_headers = {"X-API-Key": key} if key else {}
        if body is not None:
            request_headers["Content-Type"], text = "application/json", json.dumps(body)
        return self.send(method, path, {**request_headers, **(headers or {})}, text)

    def send(
        self, method: str, path: str, headers: dict[str, str], body: str | bytes | None
    ) -> Reply:
        """Send one request and check the response against the OpenAPI document."""
        data = body.encode(errors="replace") if isinstance(body, str) else body
        reply = _respond(method, path, headers, data)
        if method == "HEAD":  # the response to HEAD has no body
            reply = replace(reply, text="")
        observed = answers.check(method, path, reply.status, reply.headers, reply.text or "")
        if observed:
            self.observed.add(observed)
        return reply


def _respond(method: str, path: str, headers: dict[str, str], data: bytes | None) -> Reply:
    from api.handler import handler

    url_path = urlsplit(path).path
    operation = answers.operation_of(method, path)
    if operation is None and (method != "GET" or url_path not in answers.NOT_DESCRIBED):
        has_authorization = any(name.lower() == "authorization" for name in headers)
        return _gateway_error(
            "INVALID_SIGNATURE" if has_authorization else "MISSING_AUTHENTICATION_TOKEN"
        )
    if data is not None and len(data) > _MOST_BYTES:
        return _gateway_error("REQUEST_TOO_LARGE")
    context: dict[str, str] | None = None
    if operation is not None and not operation.public:
        authorization = _authorize(method, url_path, headers)
        if isinstance(authorization, Reply):
            return authorization
        context = authorization
    binary = any(  # binaryMediaTypes of the gateway
        name.lower() == "content-type" and value.startswith("multipart/form-data")
        for name, value in headers.items()
    )
    decode = base64.b64encode if binary else bytes
    text = None if data is None else decode(data).decode(errors="replace")
    event = event_of(method, path, headers, text, authorizer=context, base64=binary)
    return reply_of(quietly(handler, event, Context()))


def _authorize(method: str, url_path: str, headers: dict[str, str]) -> dict[str, str] | Reply:
    """Return the authorizer's context, or the gateway's error response."""
    from authorizer import handler as authorizer

    arn, context = f"{_ARN}/{method}{url_path}", Context(function_name="authorizer")
    try:
        policy = authorizer.handler({"methodArn": arn, "headers": headers}, context)  # type: ignore[arg-type] # a minimal event and context
    except authorizer.UnauthorizedError:
        return _gateway_error("UNAUTHORIZED")
    except RuntimeError:
        return _gateway_error("AUTHORIZER_FAILURE")
    (statement,) = policy["policyDocument"]["Statement"]
    if not any(fnmatchcase(arn, allowed) for allowed in statement["Resource"]):
        return _gateway_error("ACCESS_DENIED")
    context_: dict[str, str] = policy["context"]
    return context_


def _gateway_error(response_type: str) -> Reply:
    error = _GATEWAY_ERRORS[response_type]
    body = {**error.body, "request_id": "in-process"}
    return Reply(error.status, error.headers, json.dumps(body))
