"""What a dropped file asks for. Touches nothing; what cannot be read is said with every fault."""

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
PICTURE = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".avif")

# Pictures that are not read: beside a job, or alone, they are named instead of passed over.
OTHER_PICTURES = (
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
# What an object's metadata may say of the video: fields of `CreateVideoRequest`, as text.
_NUMBERS = ("scenes", "seconds", "seed")
_TEXTS = ("prompt", "ratio", "style", "mood", "max_cost", "on_unknown")


class Unreadable(Exception):
    """The file is no job, or not a right one; `refusal` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


def job(data: bytes) -> CreateVideoRequest:
    """Read a job: JSON as the body of `POST /v1/videos`."""
    wish, faults = _wish(_json(_text(data)), "")
    if wish is None:
        raise Unreadable(problem.from_field_errors(faults))
    return wish


def names_a_picture(data: bytes) -> bool:
    """Return whether the job names its picture itself; one that cannot be read does not."""
    try:
        return job(data).has_picture
    except Unreadable:
        return False


def batch(data: bytes) -> dict[int, CreateVideoRequest]:
    """Read jobs, one a line, by the number of the line; blank lines are passed over."""
    lines = {n: line for n, line in enumerate(_text(data).split("\n"), 1) if line.strip()}
    if not 1 <= len(lines) <= MOST_LINES:
        raise Unreadable(
            problem.from_field_errors(
                [
                    FieldError(
                        pointer="", detail=f"has {len(lines)} jobs; 1 to {MOST_LINES} are read"
                    )
                ]
            )
        )
    wishes, faults = {}, []
    for number, line in lines.items():
        try:
            wish, wrong = _wish(read_json(line, "line"), f"/{number}")
        except Malformed as error:
            wish, wrong = None, [problem.field_error(error, f"/{number}")]
        faults += wrong
        if wish is not None:
            wishes[number] = wish
    if faults:
        raise Unreadable(problem.from_field_errors(faults))
    return wishes


def of_metadata(metadata: Mapping[str, str]) -> CreateVideoRequest | None:
    """Read what a picture's own metadata (`x-amz-meta-…`) asks for; None without a prompt.

    Names that are none of a job's are somebody's tools' and say nothing to us.
    """
    told = {name.lower(): _decoded(value) for name, value in metadata.items()}
    if "prompt" not in told:
        return None
    asked: dict[str, Any] = {name: told[name] for name in _TEXTS if name in told}
    asked |= {name: _number(told[name]) for name in _NUMBERS if name in told}
    wish, faults = _wish(asked, "/metadata")
    if wish is None:
        raise Unreadable(problem.from_field_errors(faults))
    return wish


def _wish(value: Any, within: str) -> tuple[CreateVideoRequest | None, list[FieldError]]:
    try:
        return CreateVideoRequest.model_validate(value), []
    except ValidationError as error:
        return None, problem.field_errors(error.errors(include_url=False), within)


def _text(data: bytes) -> str:
    for start, name in _ENCODINGS.items():
        if data.startswith(start):
            raise Unreadable(
                problem.from_error(Malformed(f"The file is {name}. Save it as UTF-8."))
            )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(
            problem.from_error(Malformed(f"The file is not UTF-8 text (at byte {error.start})."))
        ) from None


def _json(text: str) -> Any:
    try:
        return read_json(text, "file")
    except Malformed as error:
        raise Unreadable(problem.from_error(error)) from None


def _decoded(value: str) -> str:
    """S3 gives text beyond ASCII back as encoded words (RFC 2047)."""
    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value


def _number(text: str) -> int | str:
    """Return a number if it is one; of anything else the schema says what is wrong."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else text
