"""Checks of API responses against the OpenAPI document.

The clients of all tiers use them, so every request of every test is also a check.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs

DOCUMENT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "openapi.json").read_text()
)
PROBLEM = "application/problem+json"
NOT_DESCRIBED = {"/openapi.json", "/docs"}
HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": None,  # same-site, but for media
    "cache-control": "no-store",
}
# Internals of the program, the database and the account, which no error may contain.
LEAKS = re.compile(
    r"Traceback|File \"|\.py\b|psycopg|botocore|pydantic|/var/task|arn:aws|AKIA[A-Z0-9]{12}"
    r"|\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|\bUPDATE \w+ SET\b|vg_(?:live|test)_\w{20,}"
)

Seen = tuple[str, str, int]


@dataclass(frozen=True)
class Operation:
    """A documented operation."""

    method: str
    path: str
    described: Mapping[str, Any]

    @property
    def public(self) -> bool:
        """Return whether the operation needs no API key."""
        return self.described.get("security") == []

    @property
    def keyless(self) -> int:
        """Return the status without an API key: 404 if a signed link is enough, otherwise 401."""
        return 404 if {} in self.described.get("security", []) else 401

    @property
    def statuses(self) -> list[int]:
        """Return the documented statuses."""
        return [int(status) for status in self.described["responses"]]

    def parameters(self, location: str) -> list[dict[str, Any]]:
        """Return the parameters in `path`, `query` or `header`."""
        parameters = self.described.get("parameters", [])
        return [parameter for parameter in parameters if parameter["in"] == location]

    @property
    def body(self) -> dict[str, Any] | None:
        """Return the schema of the JSON body, or None."""
        content = self.described.get("requestBody", {}).get("content", {})
        schema: dict[str, Any] | None = content.get("application/json", {}).get("schema")
        return schema


OPERATIONS = [
    Operation(method.upper(), path, described)
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]
DOCUMENTED = {
    (operation.method, operation.path, status)
    for operation in OPERATIONS
    for status in operation.statuses
}


def operation_of(method: str, path: str) -> Operation | None:
    """Return the operation of a request, or None. Literal paths win over templates.

    The function decodes its path, so `%2F` separates segments too. A trailing slash is ignored.
    """
    decoded = re.sub("%2F", "/", urlsplit(path).path, flags=re.IGNORECASE).rstrip("/")
    matches = [
        operation
        for operation in OPERATIONS
        if operation.method == method and _pattern(operation.path).fullmatch(decoded)
    ]
    return min(matches, key=lambda operation: operation.path.count("{"), default=None)


def check(
    method: str, path: str, status: int, headers: Mapping[str, str], text: str
) -> Seen | None:
    """Check a response against the document; raises AssertionError if it differs.

    Returns the documented response that it matches, or None if the path is no operation.
    """
    where = f"{method} {urlsplit(path).path} -> {status}"
    low = {name.lower(): value for name, value in headers.items()}
    for name, value in HEADERS.items():
        assert name in low, f"{where} lacks {name}"
        assert value is None or low[name] == value, f"{where} has {name}: {low[name]}"
    if status >= 400 and method != "HEAD":
        _check_problem(where, status, low, text)
    operation = operation_of(method, path)
    if operation is None:
        if method == "OPTIONS":  # a CORS preflight request
            assert (status, text) == (204, ""), where
        elif urlsplit(path).path not in NOT_DESCRIBED:
            assert status in (403, 404), f"{where}, and is no operation"
        return None
    responses = operation.described["responses"]
    assert str(status) in responses, f"{where} is not documented: {text[:300]}"
    content = responses[str(status)].get("content", {})
    if method == "HEAD" or not content:
        assert not text, f"{where} has a body: {text[:300]}"
        return operation.method, operation.path, status
    media_type = low.get("content-type", "").partition(";")[0]
    assert media_type in content, f"{where} is {media_type}, not one of {list(content)}"
    _validator(operation.method, operation.path, status, media_type).validate(json.loads(text))
    return operation.method, operation.path, status


def _check_problem(where: str, status: int, headers: Mapping[str, str], text: str) -> None:
    assert headers.get("content-type", "").startswith(PROBLEM), f"{where}: {headers}"
    body = json.loads(text)
    assert body["status"] == status, where
    assert body["success"] is False, where
    assert body["error"] == body["detail"], where
    assert body["code"] and body["title"], where  # noqa: PT018 - both are texts
    leak = LEAKS.search(text)
    assert leak is None, f"{where} leaks {leak and leak[0]!r}: {text[:500]}"
    if status in (429, 503):
        assert headers.get("retry-after", "").isdigit(), f"{where} has no Retry-After"


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{\w+\}", template)
    return re.compile("[^/]+".join(map(re.escape, parts)))


@cache
def _validator(method: str, path: str, status: int, media_type: str) -> Any:
    described = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]
    schema = described["content"][media_type]["schema"]
    return jsonschema_rs.Draft202012Validator(
        {"components": DOCUMENT["components"], "allOf": [schema]}
    )


def without_request_id(text: str) -> str:
    """Return a problem document without the id of its request."""
    body = json.loads(text)
    body.pop("request_id", None)
    return json.dumps(body)
