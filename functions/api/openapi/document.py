"""The OpenAPI document, generated from the routes and their models."""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver

from api.http import forms
from api.openapi.responses import ERRORS

VERSION = "1.0.0"
_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')
SERVER = "."  # relative to the document; the API serves its absolute URL
_TAGS = {
    "Videos": "Create a video from a prompt, follow its progress, resume, cancel or delete it.",
    "Media": "The library of generated and uploaded images, clips and videos.",
    "Uploads": "Upload images, videos and audio directly to storage.",
    "Models": "List the available models and estimate costs.",
    "Usage": "Requests, runs and cost by day and key.",
    "Steps": "Run one step at a time. Requests with the same `requestId` build the same video.",
    "Files": "Upload and read single files: as a form, as base64 or in parts.",
    "Links": "Read media through signed links, without an API key.",
    "API keys": "Manage API keys. Requires the operator's API key.",
    "Health": "Check that the service is available.",
}


def drop_response_descriptions(app: APIGatewayRestResolver) -> None:
    """Remove the response descriptions from an application that only serves requests.

    Powertools would build a model of each at the first request of a route, and never use it.
    """
    for route in (*app._static_routes, *app._dynamic_routes):
        route.responses = None


def served(app: APIGatewayRestResolver, address: str) -> str:
    """Return the document as JSON text, with the base URL of this deployment."""
    document = json.loads(text(app))
    document["servers"] = [{"url": address or SERVER}]
    return json.dumps(document, ensure_ascii=False)


@cache
def text(app: APIGatewayRestResolver) -> str:
    """Return the document as JSON text; it is cached and deterministic."""
    # Imported here, to keep the models of the whole OpenAPI standard out of other cold starts.
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
        description="Create finished, animated videos from a prompt and an optional image.\n\n"
        "Request bodies are uncompressed JSON in UTF-8. A field that is null counts as omitted.",
        license_info=License(name="Apache-2.0", identifier="Apache-2.0"),
        security_schemes={
            "bearer": HTTPBearer(),
            "apiKey": APIKey.model_validate({"name": "X-API-Key", "in": "header"}),
        },
        security=[{"bearer": []}, {"apiKey": []}],
        tags=[Tag(name=name, description=text) for name, text in _TAGS.items()],
        servers=[Server(url=SERVER, description="The stage that serves this document.")],
    )
    document = json.loads(raw)
    for path in document["paths"].values():
        for operation in path.values():
            _correct_responses(operation["responses"])
            if "requestBody" in operation:
                _drop_null(operation["requestBody"])
            forms.describe(operation, document["components"]["schemas"])
            if "requestBody" in operation:  # API Gateway accepts 10 MB, Lambda 6 MB
                operation["responses"].setdefault("413", _too_large(operation["responses"]))
            if "401" not in operation["responses"]:
                operation["security"] = []  # public; Powertools omits an empty list
    _clean_schemas(document)
    return json.dumps(_sorted(document), indent=2, ensure_ascii=False)


def _clean_schemas(document: dict[str, Any]) -> None:
    """Remove constructs that client generators misread, and schemas without references.

    In responses, a field with a default is always present, so it becomes required.
    """
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if field.get("const") is True:
                del field["const"]  # openapi-generator reads it as the string "true"
    for name in schemas.keys() - _request_schemas(document):
        schema = schemas[name]
        with_default = {
            name
            for name, field in schema.get("properties", {}).items()
            if field.get("default") is not None
        }
        if with_default:
            schema["required"] = sorted({*schema.get("required", []), *with_default})
    while orphans := schemas.keys() - set(_REFERENCE.findall(json.dumps(document))):
        for orphan in orphans:
            del schemas[orphan]


def _request_schemas(document: dict[str, Any]) -> set[str]:
    """Return the names of the schemas that request bodies use, directly or indirectly."""
    bodies = [
        operation["requestBody"]
        for path in document["paths"].values()
        for operation in path.values()
        if "requestBody" in operation
    ]
    names: set[str] = set()
    new = set(_REFERENCE.findall(json.dumps(bodies)))
    while new:
        names |= new
        schemas = [document["components"]["schemas"][name] for name in new]
        new = set(_REFERENCE.findall(json.dumps(schemas))) - names
    return names


def _drop_null(body: dict[str, Any]) -> None:
    """Remove null from an optional body: client generators would make a class of each variant."""
    for content in body["content"].values():
        choices = content["schema"].get("anyOf", [])
        if {"type": "null"} in choices:
            (content["schema"],) = (choice for choice in choices if choice != {"type": "null"})


def _sorted(value: Any) -> Any:
    """Return JSON with sorted keys; forms first, because some generators use only the first."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: (name != forms.MEDIA_TYPE, name))
        return {name: _sorted(value[name]) for name in names}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _too_large(responses: Mapping[str, Any]) -> dict[str, Any]:
    return {"description": ERRORS[413], "content": responses["500"]["content"]}


def _correct_responses(responses: dict[str, Any]) -> None:
    """Remove what Powertools adds: a string body for empty responses, and its own 422."""
    for status, response in list(responses.items()):
        schema = response.get("content", {}).get("application/json", {}).get("schema", {})
        if schema.get("type") == "string":
            del response["content"]
        elif schema.get("$ref", "").endswith("/HTTPValidationError"):
            del responses[status]
