"""File uploads as multipart/form-data (RFC 7578), converted to the JSON body of the route.

The parser is the package `multipart` with strict limits, so that a hostile form is rejected within
milliseconds. Features that no browser uses are rejected: encoded parts and nested forms.
"""

import base64
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Response
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from api.http.validation import check_encoding
from common.domain.errors import Malformed, UnsupportedMediaType

if TYPE_CHECKING:
    from multipart import MultipartSegment

MEDIA_TYPE = "multipart/form-data"
_NUMBERS = {"expiresIn", "fileSize"}
_MAX_DIGITS = 12
_MAX_PARTS = 10
_MAX_HEADERS = 8  # of a part
_MAX_HEADER_BYTES = 1024
_MAX_MEDIA_TYPE = 256
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]")  # RFC 2046, 5.1.1
_PLAIN_ENCODINGS = ("7bit", "8bit", "binary")
_CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "iso-8859-1": "latin-1"}

FILE_FIELD = "x-file-field"
"""OpenAPI extension of a route: the JSON field for the form's file. `describe` removes it."""


def describe(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Add the form as a second media type to an operation that accepts one."""
    file_field = operation.pop(FILE_FIELD, None)
    if file_field is None:
        return
    content = operation["requestBody"]["content"]
    name = content["application/json"]["schema"]["$ref"].rpartition("/")[2]
    fields = {
        field: schema
        for field, schema in schemas[name]["properties"].items()
        if field != file_field
    }
    schemas[f"{name}Form"] = {
        **schemas[name],
        "title": f"{name}Form",
        "description": "The same request as a form. Send the file as raw bytes.",
        "properties": {"file": {"type": "string", "format": "binary"}, **fields},
        "required": ["file"],
    }
    content[MEDIA_TYPE] = {"schema": {"$ref": f"#/components/schemas/{name}Form"}}


def of(file_field: str) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Return a middleware that converts a form to JSON; its file becomes the field `file_field`."""

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        event = app.current_event
        media_type = event.headers.get("content-type", "")
        if media_type.partition(";")[0].strip().lower() == MEDIA_TYPE:
            check_encoding(event)
            text = event.body or ""
            # API Gateway passes binary media types to Lambda in base64.
            try:
                raw = base64.b64decode(text) if event.is_base64_encoded else text.encode()
            except ValueError:
                raise Malformed("The body is not a valid form with a file.") from None
            fields = _fields(media_type, raw, file_field)
            event.raw_event.update(body=json.dumps(fields), isBase64Encoded=False)
            for name in [
                name for name in event.raw_event["headers"] if name.lower() == "content-type"
            ]:
                event.raw_event["headers"][name] = "application/json"
        return call(app)

    return middleware


def _fields(media_type: str, raw: bytes, file_field: str) -> dict[str, Any]:
    """Return the fields of the form; its one file, whatever its name, as base64.

    An empty field counts as omitted, because browsers also send fields that were not filled in.
    """
    fields: dict[str, Any] = {}
    for part, data in _parts(media_type, raw):
        is_file = part.filename is not None or part.name in ("file", file_field)
        name = file_field if is_file else str(part.name)
        if name in fields:
            raise Malformed(
                "The form has more than one file." if is_file else "The form has a field twice."
            )
        fields[name] = base64.b64encode(data).decode() if is_file else _value(part, name, data)
    if not fields:
        raise Malformed("The body is not a valid form with a file.")
    return {name: value for name, value in fields.items() if value != "" or name == file_field}


def _parts(media_type: str, raw: bytes) -> "list[tuple[MultipartSegment, bytes]]":
    """Return the parts of the form with their bytes; raises Malformed or UnsupportedMediaType."""
    # Imported here, to keep it out of the cold start of other requests.
    from multipart import MultipartError, ParserLimitReached, PushMultipartParser
    from multipart import parse_options_header as parse_options

    if len(media_type) > _MAX_MEDIA_TYPE:
        raise Malformed(f"The Content-Type has more than {_MAX_MEDIA_TYPE} characters.")
    boundary = parse_options(media_type)[1].get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed("The Content-Type of a form needs a boundary of 1 to 70 ASCII characters.")
    parts: list[tuple[MultipartSegment, bytes]] = []
    try:
        with PushMultipartParser(
            boundary,
            max_header_size=_MAX_HEADER_BYTES,
            max_header_count=_MAX_HEADERS,
            max_segment_count=_MAX_PARTS,
            strict=True,
        ) as parser:
            for event in parser.parse(raw):
                if isinstance(event, bytes | bytearray):
                    parts[-1] = (parts[-1][0], parts[-1][1] + event)
                elif event is not None:
                    _check(event)
                    parts.append((event, b""))
    except ParserLimitReached:
        raise Malformed(
            f"A form has at most {_MAX_PARTS} fields, and a field at most {_MAX_HEADERS} headers "
            f"of {_MAX_HEADER_BYTES} bytes."
        ) from None
    except MultipartError:
        raise Malformed("The body is not a valid form with a file.") from None
    return parts


def _check(part: "MultipartSegment") -> None:
    """Raise UnsupportedMediaType for a part that is encoded, or that is itself a message."""
    encoding = part.header("Content-Transfer-Encoding", "binary").strip().lower()
    if encoding not in _PLAIN_ENCODINGS:
        raise UnsupportedMediaType(
            "A field of the form has a Content-Transfer-Encoding. Send raw bytes without it."
        )
    if (part.content_type or "").startswith(("multipart/", "message/")):
        raise UnsupportedMediaType("A field of the form contains a nested message. Send a file.")


def _value(part: "MultipartSegment", name: str, data: bytes) -> str | int:
    """Return a field that is not a file: text, or an integer for the fields in _NUMBERS."""
    charset = _CHARSETS.get((part.charset or "utf-8").lower())
    if charset is None:
        raise UnsupportedMediaType(
            "A field of the form has an unsupported charset. Send it in UTF-8."
        )
    try:
        text = data.decode(charset)
    except UnicodeDecodeError:
        raise Malformed("A field of the form is not valid UTF-8.") from None
    is_number = name in _NUMBERS and text.isascii() and text.isdecimal()
    return int(text) if is_number and len(text) <= _MAX_DIGITS else text
