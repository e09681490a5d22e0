"""What holds of every answer of the API, whoever gave it, and which documented ones were seen.

Used by the clients of all tiers, so that every request of every test is a check.
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
NOT_DESCRIBED = {"/openapi.json", "/docs"}  # the descriptions themselves
HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": None,  # same-site, but for media
    "cache-control": "no-store",
}
# What an error never tells: the inside of the program, of the database, of the account.
LEAKS = re.compile(
    r"Traceback|File \"|\.py\b|psycopg|botocore|pydantic|/var/task|arn:aws|AKIA[A-Z0-9]{12}"
    r"|\bSELECT\b.+\bFROM\b|\bINSERT INTO\b|\bUPDATE \w+ SET\b|vg_(?:live|test)_\w{20,}"
)

Seen = tuple[str, str, int]


@dataclass(frozen=True)
class Operation:
    """A method of a path, as it is documented."""

    method: str
    path: str
    described: Mapping[str, Any]

    @property
    def public(self) -> bool:
        """Whether it needs no API key."""
        return self.described.get("security") == []

    @property
    def keyless(self) -> int:
        """What a request without a key is answered: 404 where the capability of a link will do."""
        return 404 if {} in self.described.get("security", []) else 401

    @property
    def statuses(self) -> list[int]:
        """The documented statuses."""
        return [int(status) for status in self.described["responses"]]

    def parameters(self, place: str) -> list[dict[str, Any]]:
        """Parameters in `path`, `query` or `header`."""
        return [one for one in self.described.get("parameters", []) if one["in"] == place]

    @property
    def body(self) -> dict[str, Any] | None:
        """Schema of the JSON body, if it has one."""
        content = self.described.get("requestBody", {}).get("content", {})
        schema: dict[str, Any] | None = content.get("application/json", {}).get("schema")
        return schema


OPERATIONS = [
    Operation(method.upper(), path, described)
    for path, methods in DOCUMENT["paths"].items()
    for method, described in methods.items()
]
DOCUMENTED = {(one.method, one.path, status) for one in OPERATIONS for status in one.statuses}


def operation_of(method: str, path: str) -> Operation | None:
    """Return the operation that answers a request; literal paths come before templates.

    A slash that is written as %2F divides too, for the function decodes its path, and one at the
    end says nothing. No identifier of ours holds one, so a gateway that passes it on as it is leads
    to none of them either.
    """
    place = re.sub("%2F", "/", urlsplit(path).path, flags=re.IGNORECASE).rstrip("/")
    found = [
        one for one in OPERATIONS if one.method == method and _pattern(one.path).fullmatch(place)
    ]
    return min(found, key=lambda one: one.path.count("{"), default=None)


def check(
    method: str, path: str, status: int, headers: Mapping[str, str], text: str
) -> Seen | None:
    """Hold an answer against what is documented; raises AssertionError with what is wrong.

    Returns which documented answer it was; None for a path that is no operation.
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
        if method == "OPTIONS":  # a browser asks before a page may call
            assert (status, text) == (204, ""), where
        elif urlsplit(path).path not in NOT_DESCRIBED:
            assert status in (403, 404), f"{where}, and is no operation"
        return None
    answers = operation.described["responses"]
    assert str(status) in answers, f"{where} is not documented: {text[:300]}"
    content = answers[str(status)].get("content", {})
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
    assert leak is None, f"{where} tells {leak and leak[0]!r}: {text[:500]}"
    if status in (429, 503):
        assert headers.get("retry-after", "").isdigit(), f"{where} does not say when to come back"


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
    """Return a problem document as it would be for any other request."""
    body = json.loads(text)
    body.pop("request_id", None)
    return json.dumps(body)
