"""Files that are sent as a form: turned into the JSON that the route takes, before it is judged."""

import base64
import json
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from common.errors import Malformed

_FORM = "multipart/form-data"
_NUMBERS = {"expiresIn", "fileSize"}
_MOST_FIELDS = 10


DESCRIBED = "x-file-field"
"""Where a route says which of its fields a form's file becomes; only `describe` reads it."""


def describe(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Say in the OpenAPI document that an operation takes a form too, if it does."""
    file_field = operation.pop(DESCRIBED, None)
    if file_field is None:
        return
    content = operation["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields = {
        field: told for field, told in schemas[name]["properties"].items() if field != file_field
    }
    schemas[f"{name}Form"] = {
        **schemas[name],
        "title": f"{name}Form",
        "description": "The same as a form, with the file as it is.",
        "properties": {"file": {"type": "string", "format": "binary"}, **fields},
        "required": ["file"],
    }
    content[_FORM] = {"schema": {"$ref": f"#/components/schemas/{name}Form"}}


def of(file_field: str) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Make the middleware of a route that also takes a form: its file becomes that JSON field."""

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        event = app.current_event
        media_type = event.headers.get("content-type", "")
        if media_type.partition(";")[0].strip().lower() == _FORM:
            text = event.body or ""
            # The gateway sends forms in base64, because they are no text.
            try:
                raw = base64.b64decode(text) if event.is_base64_encoded else text.encode()
            except ValueError:
                raise Malformed("The body is not a form with a file.") from None
            fields = _fields(media_type, raw, file_field)
            event.raw_event.update(body=json.dumps(fields), isBase64Encoded=False)
            for name in [
                name for name in event.raw_event["headers"] if name.lower() == "content-type"
            ]:
                event.raw_event["headers"][name] = "application/json"
        return call(app)

    return middleware


def _fields(media_type: str, raw: bytes, file_field: str) -> dict[str, Any]:
    """Return the form's fields; the one file in it, whatever it is called, as base64."""
    head = f"Content-Type: {media_type}\r\n\r\n".encode("latin-1", "replace")
    message = BytesParser(policy=HTTP).parsebytes(head + raw)
    parts = list(message.iter_parts()) if message.is_multipart() else []
    if not parts or len(parts) > _MOST_FIELDS:
        raise Malformed("The body is not a form with a file.")
    fields: dict[str, Any] = {}
    for part in parts:
        name = part.get_param("name", header="content-disposition")
        data = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(data, bytes):
            raise Malformed("A field of the form has no name or no content.")
        if part.get_filename() is not None or name in ("file", file_field):
            fields[file_field] = base64.b64encode(data).decode()
        else:
            text = data.decode("utf-8", "replace")
            fields[name] = int(text) if name in _NUMBERS and text.isdecimal() else text
    return fields
