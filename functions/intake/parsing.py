"""The parser of inbox files. Pure functions; an invalid file is reported with all its errors."""

from collections.abc import Mapping
from email.errors import MessageError
from email.header import decode_header, make_header
from typing import Any

from pydantic import ValidationError

from common.domain.errors import Malformed
from common.schemas import problem
from common.schemas.base import read_json
from common.schemas.problem import FieldError, Refusal
from common.schemas.requests import CreateVideoRequest

JOB = (".json",)
BATCH = (".jsonl", ".ndjson")
IMAGE = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif")

# Unsupported image types, which are reported instead of ignored.
UNSUPPORTED_IMAGE = (
    ".heic",
    ".heif",
    ".gif",
    ".tif",
    ".tiff",
    ".bmp",
    ".svg",
    ".jxl",
    ".jp2",
    ".psd",
    ".ico",
    ".apng",
    ".dng",
    ".raw",
    ".cr2",
    ".cr3",
    ".nef",
    ".arw",
    ".orf",
    ".rw2",
    ".pdf",
    ".ai",
    ".eps",
)

MOST_LINES = 100
_ENCODINGS = {
    b"\x1f\x8b": "compressed (gzip)",
    b"PK\x03\x04": "compressed (ZIP)",
    b"\x28\xb5\x2f\xfd": "compressed (Zstandard)",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
# Fields of `CreateVideoRequest` that an object's metadata can set, as text.
_NUMBERS = ("scenes", "seconds", "seed")
_TEXTS = ("prompt", "ratio", "style", "mood", "max_cost", "on_unknown")


class InvalidFile(Exception):
    """The file is not a valid job; `refusal` has the reasons."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def job(data: bytes) -> CreateVideoRequest:
    """Parse a job: JSON like the body of `POST /v1/videos`. Raises Unreadable."""
    request, errors = _validate(_json(_text(data)), "")
    if request is None:
        raise InvalidFile(problem.from_field_errors(errors))
    return request


def names_an_image(data: bytes) -> bool:
    """Return whether the job has an image in its fields; False for an invalid job."""
    try:
        return job(data).has_reference_image
    except InvalidFile:
        return False


def batch(data: bytes) -> dict[int, CreateVideoRequest]:
    """Parse one job per line and return the requests by line number; skip blank lines.

    Raises Unreadable with the errors of all lines.
    """
    lines = {n: line for n, line in enumerate(_text(data).split("\n"), 1) if line.strip()}
    if not 1 <= len(lines) <= MOST_LINES:
        raise InvalidFile(
            problem.from_field_errors(
                [
                    FieldError(
                        pointer="", detail=f"has {len(lines)} jobs; 1 to {MOST_LINES} are allowed"
                    )
                ]
            )
        )
    requests, errors = {}, []
    for number, line in lines.items():
        try:
            request, line_errors = _validate(read_json(line, "line"), f"/{number}")
        except Malformed as error:
            request, line_errors = None, [problem.field_error(error, f"/{number}")]
        errors += line_errors
        if request is not None:
            requests[number] = request
    if errors:
        raise InvalidFile(problem.from_field_errors(errors))
    return requests


def of_metadata(metadata: Mapping[str, str]) -> CreateVideoRequest | None:
    """Parse the user-defined metadata of an image (`x-amz-meta-…`); None without a prompt.

    Other names are ignored, because clients' tools add metadata too. Raises Unreadable.
    """
    values = {name.lower(): _decoded(value) for name, value in metadata.items()}
    if "prompt" not in values:
        return None
    fields: dict[str, Any] = {name: values[name] for name in _TEXTS if name in values}
    fields |= {name: _number(values[name]) for name in _NUMBERS if name in values}
    request, errors = _validate(fields, "/metadata")
    if request is None:
        raise InvalidFile(problem.from_field_errors(errors))
    return request


def _validate(value: Any, pointer: str) -> tuple[CreateVideoRequest | None, list[FieldError]]:
    try:
        return CreateVideoRequest.model_validate(value), []
    except ValidationError as error:
        return None, problem.field_errors(error.errors(include_url=False), pointer)


def _text(data: bytes) -> str:
    for start, name in _ENCODINGS.items():
        if data.startswith(start):
            raise InvalidFile(
                problem.from_error(Malformed(f"The file is {name}. Save it as UTF-8."))
            )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidFile(
            problem.from_error(Malformed(f"The file is not UTF-8 text (at byte {error.start})."))
        ) from None


def _json(text: str) -> Any:
    try:
        return read_json(text, "file")
    except Malformed as error:
        raise InvalidFile(problem.from_error(error)) from None


def _decoded(value: str) -> str:
    """Decode a metadata value, which S3 returns as encoded words (RFC 2047) if it is not ASCII."""
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def _number(text: str) -> int | str:
    """Return the text as a number, or unchanged for an error of the schema's validation."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else text
