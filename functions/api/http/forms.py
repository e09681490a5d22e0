"""Files that are sent as a form (RFC 7578): turned into the JSON that the route takes.

The parser is the package `multipart`, behind limits of our own, so that a form costs milliseconds
before it is refused. What no browser sends is refused: encoded parts, forms in forms.
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
    content[MEDIA_TYPE] = {"schema": {"$ref": f"#/components/schemas/{name}Form"}}


def of(file_field: str) -> Callable[[APIGatewayRestResolver, NextMiddleware], Response[Any]]:
    """Make the middleware of a route that also takes a form: its file becomes that JSON field."""

    def middleware(app: APIGatewayRestResolver, call: NextMiddleware) -> Response[Any]:
        event = app.current_event
        media_type = event.headers.get("content-type", "")
        if media_type.partition(";")[0].strip().lower() == MEDIA_TYPE:
            check_encoding(event)
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
    """Return the form's fields; the one file in it, whatever it is called, as base64.

    A field that is empty counts as left out, because browsers send those that nobody filled in.
    """
    fields: dict[str, Any] = {}
    for part, data in _parts(media_type, raw):
        is_file = part.filename is not None or part.name in ("file", file_field)
        name = file_field if is_file else str(part.name)
        if name in fields:
            raise Malformed(
                "The form has more than one file."
                if is_file
                else "A field of the form is sent twice."
            )
        fields[name] = base64.b64encode(data).decode() if is_file else _value(part, name, data)
    if not fields:
        raise Malformed("The body is not a form with a file.")
    return {name: value for name, value in fields.items() if value != "" or name == file_field}


def _parts(media_type: str, raw: bytes) -> "list[tuple[MultipartSegment, bytes]]":
    """Return the parts of the form with their bytes; raises Malformed or UnsupportedMediaType."""
    # Imported here: it is only needed for forms.
    from multipart import MultipartError, ParserLimitReached, PushMultipartParser
    from multipart import parse_options_header as parse_options

    if len(media_type) > _MAX_MEDIA_TYPE:
        raise Malformed(f"The Content-Type has more than {_MAX_MEDIA_TYPE} characters.")
    boundary = parse_options(media_type)[1].get("boundary", "")
    if not _BOUNDARY.fullmatch(boundary):
        raise Malformed("The Content-Type of the form has no boundary of 1 to 70 plain characters.")
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
        raise Malformed("The body is not a form with a file.") from None
    return parts


def _check(part: "MultipartSegment") -> None:
    """Refuse a part whose bytes are not what was meant to be sent."""
    encoding = part.header("Content-Transfer-Encoding", "binary").strip().lower()
    if encoding not in _PLAIN_ENCODINGS:
        raise UnsupportedMediaType(
            "A field of the form has a Content-Transfer-Encoding. Send its bytes as they are."
        )
    if (part.content_type or "").startswith(("multipart/", "message/")):
        raise UnsupportedMediaType("A field of the form holds another message. Send a file.")


def _value(part: "MultipartSegment", name: str, data: bytes) -> str | int:
    """Return a field that is no file: text, or the number that it stands for."""
    charset = _CHARSETS.get((part.charset or "utf-8").lower())
    if charset is None:
        raise UnsupportedMediaType("A field of the form is not in UTF-8.")
    try:
        text = data.decode(charset)
    except UnicodeDecodeError:
        raise Malformed("A field of the form is not text in UTF-8.") from None
    is_number = name in _NUMBERS and text.isascii() and text.isdecimal()
    return int(text) if is_number and len(text) <= _MAX_DIGITS else text
