"""The OpenAPI document avoids what common generators of clients stumble over."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parents[3] / "docs" / "openapi.json").read_text()
DOCUMENT = json.loads(TEXT)
SCHEMAS = DOCUMENT["components"]["schemas"]


def operations() -> Iterator[dict[str, Any]]:
    for path in DOCUMENT["paths"].values():
        yield from path.values()


def test_success_is_any_boolean() -> None:
    """openapi-generator 7.26 reads a constant `true` as the text "true", and refuses it."""
    assert SCHEMAS["GeneratedStory"]["properties"]["success"]["type"] == "boolean"
    assert not re.search(r'"const": (true|false)', TEXT)


def test_a_body_that_can_be_left_out_is_one_schema() -> None:
    """openapi-python-client 0.29 sends the absence of a body that may also be null."""
    bodies = [one["requestBody"] for one in operations() if "requestBody" in one]
    assert any(not body.get("required") for body in bodies)
    for body in bodies:
        for content in body["content"].values():
            assert "$ref" in content["schema"]


def test_every_schema_belongs_to_something() -> None:
    assert set(re.findall(r'"#/components/schemas/([^"]+)"', TEXT)) == SCHEMAS.keys()


def test_a_schema_is_the_same_in_requests_and_answers() -> None:
    """Otherwise each has two names, of which generators make classes that do not fit together."""
    assert not [name for name in SCHEMAS if "-" in name]


def test_a_form_is_offered_before_json() -> None:
    """hey-api offers only the first media type."""
    forms = [
        list(one["requestBody"]["content"])
        for one in operations()
        if "multipart/form-data" in one.get("requestBody", {}).get("content", {})
    ]
    assert len(forms) == 3
    assert all(names == ["multipart/form-data", "application/json"] for names in forms)


def test_what_an_answer_always_holds_is_required() -> None:
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
