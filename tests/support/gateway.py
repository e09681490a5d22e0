"""The function `api` behind an imitation of API Gateway."""

import json
import time
import uuid
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.stand_ins.step_functions import StepFunctions

HOST = "api.test"
ADDRESS = f"http://{HOST}/live"  # of the stage `local`


@dataclass(frozen=True)
class Reply:
    """The response that a client gets."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.text)


@dataclass
class Context:
    """The context object of an invocation, with the remaining time."""

    remaining_ms: int = 28_000
    function_name: str = "api"
    memory_limit_in_mb: int = 1024
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:api"
    aws_request_id: str = "request"

    def get_remaining_time_in_millis(self) -> int:
        """Return the milliseconds until the function times out."""
        return self.remaining_ms


def quietly(handler: Callable[..., Any], event: dict[str, Any], context: Any) -> Any:
    """Invoke a function and ignore Powertools' warning about missing metrics."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "No application metrics")
        return handler(event, context or Context())


def event_of(
    method: str,
    path: str,
    headers: dict[str, str],
    text: str | None,
    *,
    authorizer: dict[str, str] | None = None,
    base64: bool = False,
    age_seconds: float = 0,
) -> dict[str, Any]:
    """Return the event of a request that a REST API received `age_seconds` ago."""
    url = urlsplit(path)
    query = parse_qs(url.query, keep_blank_values=True)
    return {
        "resource": url.path,
        "path": unquote(url.path),
        "httpMethod": method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "pathParameters": None,
        "stageVariables": None,
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "stage": "live",
            "domainName": HOST,
            "requestTimeEpoch": round((time.time() - age_seconds) * 1000),
            "path": f"/live{url.path}",
            "httpMethod": method,
            "identity": {"sourceIp": "127.0.0.1"},
            "authorizer": authorizer,
        },
        "body": text,
        "isBase64Encoded": base64,
    }


def reply_of(result: dict[str, Any]) -> Reply:
    """Return the client's view of a function's result."""
    multiple = result.get("multiValueHeaders") or {}
    headers = {name: values[-1] for name, values in multiple.items()}
    return Reply(result["statusCode"], headers | (result.get("headers") or {}), result["body"])


@dataclass
class Gateway:
    """Invokes the function as API Gateway does after the authorizer has accepted a key."""

    machine: StepFunctions
    user_id: str = "alice"
    key_id: str = "key_1"
    scopes: str = ""
    live: bool = True
    context: Context = field(default_factory=Context)
    age_seconds: float = 0

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        user_id: str | None = None,
        text: str | None = None,
        base64: bool = False,
    ) -> Reply:
        """Send a request with `body` as JSON, or with `text` unchanged."""
        from api.handler import handler

        sent = {"Content-Type": "application/json"} if body is not None else {}
        sent |= headers or {}
        authorizer = {
            "key_id": self.key_id,
            "user_id": user_id or self.user_id,
            "live": "true" if self.live else "false",
            "scopes": self.scopes,
            "per_minute": "100000",
            "per_hour": "100000",
            "max_runs": "100000",
            "daily_cap_usd": "",
            "monthly_cap_usd": "",
        }
        text = text if body is None else json.dumps(body)
        event = event_of(
            method,
            path,
            sent,
            text,
            authorizer=authorizer,
            base64=base64,
            age_seconds=self.age_seconds,
        )
        return reply_of(quietly(handler, event, self.context))
