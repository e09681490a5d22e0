"""The OpenAPI document, made of the routes and their models."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from api.http import forms
from api.openapi.responses import MEANING

VERSION = "1.0.0"
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')
SERVER = "."  # relative to the document; the API answers with its whole address
_TAGS = {
    "Videos": "Whole videos: made by one request, watched, resumed, canceled, deleted.",
    "Media": "Everything that was made or uploaded.",
    "Uploads": "Pictures, clips and music of the caller, sent straight to the store.",
    "Models": "What can be chosen, and what it costs.",
    "Usage": "Requests, runs and cost by day and key.",
    "Steps": "One step at a time. Requests with the same `requestId` work on one video.",
    "Files": "Single files, by form, as base64 or in parts.",
    "Links": "Media by signed links, which need no API key.",
    "API keys": "For the operator.",
    "Health": "Whether the service is up.",
}


def set_answers_aside(app: APIGatewayRestResolver) -> None:
    """Take the descriptions of answers away from an application that is not to be described.

    Powertools builds a model of each answer of a route at its first request, and never uses it.
    """
    for route in (*app._static_routes, *app._dynamic_routes):
        route.responses = None


def served(app: APIGatewayRestResolver, address: str) -> str:
    """Return the document as JSON text, with the address that it was read at."""
    document = json.loads(text(app))
    document["servers"] = [{"url": address or SERVER}]
    return json.dumps(document, ensure_ascii=False)


@cache
def text(app: APIGatewayRestResolver) -> str:
    """Return the document as JSON text, the same for the same routes."""
    # Imported here: these are models of all that OpenAPI knows, and no other request needs them.
    from aws_lambda_powertools.event_handler.openapi.models import (
        APIKey,
        HTTPBearer,
        License,
        Server,
        Tag,
    )

    raw = app.get_openapi_json_schema(
        title="AI Video Generator",
        version=VERSION,
        description="Turns a prompt, and optionally a picture, into a finished animated video.\n\n"
        "Bodies are JSON in UTF-8, uncompressed. A field that is null counts as left out.",
        license_info=License(name="Apache-2.0", identifier="Apache-2.0"),
        security_schemes={
            "bearer": HTTPBearer(),
            "apiKey": APIKey.model_validate({"name": "X-API-Key", "in": "header"}),
        },
        security=[{"bearer": []}, {"apiKey": []}],
        tags=[Tag(name=name, description=text) for name, text in _TAGS.items()],
        servers=[Server(url=SERVER, description="Where this document lies: the API's stage.")],
    )
    document = json.loads(raw)
    for path in document["paths"].values():
        for operation in path.values():
            _say_what_is_true(operation["responses"])
            if "requestBody" in operation:
                _without_null(operation["requestBody"])
            forms.describe(operation, document["components"]["schemas"])
            if "requestBody" in operation:  # API Gateway takes 10 MB, a function 6
                operation["responses"].setdefault("413", _too_large(operation["responses"]))
            if "401" not in operation["responses"]:
                operation["security"] = []  # open to everybody; Powertools leaves it out
    _tidy(document)
    return json.dumps(_in_order(document), indent=2, ensure_ascii=False)


def _tidy(document: dict[str, Any]) -> None:
    """Take away what generators stumble over, and what nothing refers to."""
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("const") is True:
                del field["const"]  # openapi-generator makes it the text "true", which nothing is
    for name in schemas.keys() - _sent(document):
        schema = schemas[name]
        always = {
            name
            for name, field in schema.get("properties", {}).items()
            if field.get("default") is not None
        }
        if always:
            schema["required"] = sorted({*schema.get("required", []), *always})
    while orphans := schemas.keys() - set(_REFERENCE.findall(json.dumps(document))):
        for orphan in orphans:
            del schemas[orphan]


def _sent(document: dict[str, Any]) -> set[str]:
    """Return the names of the schemas of which requests are made."""
    bodies = [
        operation["requestBody"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    found: set[str] = set()
    new = set(_REFERENCE.findall(json.dumps(bodies)))
    while new:
        found |= new
        inside = [document["components"]["schemas"][name] for name in new]
        new = set(_REFERENCE.findall(json.dumps(inside))) - found
    return found


def _without_null(body: dict[str, Any]) -> None:
    """Take the null out of a body that can be left out: generators make a class of each choice."""
    for content in body["content"].values():
        choices = content["schema"].get("anyOf", [])
        if {"type": "null"} in choices:
            (content["schema"],) = (one for one in choices if one != {"type": "null"})


def _in_order(value: Any) -> Any:
    """Return JSON with its names in order; forms first, because some generators offer only one."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: (name != forms.MEDIA_TYPE, name))
        return {name: _in_order(value[name]) for name in names}
    return [_in_order(one) for one in value] if isinstance(value, list) else value


def _too_large(responses: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": MEANING[413], "content": responses["500"]["content"]}


def _say_what_is_true(responses: dict[str, Any]) -> None:
    """Take away what Powertools adds by itself: a body where there is none, a 422 of its own."""
    for status, response in list(responses.items()):
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("type") == "string":
            del response["content"]
        elif schema.get("$ref", "").endswith("/HTTPValidationError"):
            del responses[status]
