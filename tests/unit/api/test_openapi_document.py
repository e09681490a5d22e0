"""The OpenAPI document avoids constructs that common client generators do not support."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from common.schemas.requests import CreateVideoRequest

TEXT = (Path(__file__).parents[3] / "docs" / "openapi.json").read_text()
DOCUMENT = json.loads(TEXT)
SCHEMAS = DOCUMENT["components"]["schemas"]


def operations() -> Iterator[dict[str, Any]]:
    for path in DOCUMENT["paths"].values():
        yield from path.values()


def test_success_field_has_no_constant() -> None:
    """openapi-generator 7.26 reads a constant `true` as the string "true" and rejects it."""
    assert SCHEMAS["GeneratedStory"]["properties"]["success"]["type"] == "boolean"
    assert not re.search(r'"const": (true|false)', TEXT)


def test_optional_body_is_a_single_schema() -> None:
    """openapi-python-client 0.29 sends its marker for an omitted body if the body may be null."""
    bodies = [operation["requestBody"] for operation in operations() if "requestBody" in operation]
    assert any(not body.get("required") for body in bodies)
    for body in bodies:
        for content in body["content"].values():
            assert "$ref" in content["schema"]


def test_every_schema_is_referenced() -> None:
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', TEXT)) == SCHEMAS.keys()


def test_schema_is_the_same_in_requests_and_responses() -> None:
    """Otherwise each has two names, and generators make two incompatible classes."""
    assert not [name for name in SCHEMAS if "-" in name]


def test_multipart_form_is_listed_before_json() -> None:
    """hey-api offers only the first media type."""
    forms = [
        list(operation["requestBody"]["content"])
        for operation in operations()
        if "multipart/form-data" in operation.get("requestBody", {}).get("content", {})
    ]
    assert len(forms) == 3
    assert all(media_types == ["multipart/form-data", "application/json"] for media_types in forms)


def test_response_fields_that_are_always_present_are_required() -> None:
    assert {"success", "story"} <= set(SCHEMAS["GeneratedStory"]["required"])
    assert "object" in SCHEMAS["VideoObject"]["required"]
    assert set(SCHEMAS["CreateVideoRequest"]["required"]) == {"prompt"}


def test_operation_ids_are_unique_and_in_camel_case() -> None:
    ids = [operation["operationId"] for operation in operations()]
    assert len(ids) == len(set(ids))
    assert [name for name in ids if not re.fullmatch(r"[a-z]+([A-Z0-9][a-z0-9]*)*", name)] == []


def test_every_operation_has_one_declared_tag() -> None:
    declared = {tag["name"] for tag in DOCUMENT["tags"]}
    used = {tuple(operation["tags"]) for operation in operations()}
    assert used == {(name,) for name in declared}


def test_v1_fields_and_parameters_are_snake_case() -> None:
    v1 = {path: methods for path, methods in DOCUMENT["paths"].items() if path.startswith("/v1/")}
    names = {
        parameter["name"]
        for methods in v1.values()
        for operation in methods.values()
        for parameter in operation.get("parameters", [])
        if parameter["in"] != "header"
    }
    used: set[str] = set()
    waiting = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(v1)))
    while waiting:
        used |= waiting
        waiting = (
            set(
                re.findall(
                    r"#/components/schemas/(\w+)", json.dumps([SCHEMAS[name] for name in waiting])
                )
            )
            - used
        )
    names |= {field for name in used for field in SCHEMAS[name].get("properties", {})}
    assert {"request_id", "next_cursor"} <= names
    assert [name for name in sorted(names) if not re.fullmatch(r"[a-z0-9_]+", name)] == []


@pytest.mark.parametrize("names", [("request_id", "user_id"), ("requestId", "userId")])
def test_create_video_accepts_the_old_camel_case_names(names: tuple[str, str]) -> None:
    body = {"prompt": "A kite", names[0]: "kite", names[1]: "ann"}
    request = CreateVideoRequest.model_validate(body)
    assert (request.request_id, request.user_id) == ("kite", "ann")
