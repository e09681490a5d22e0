"""A strict parser of multipart/form-data bodies."""

from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message


@dataclass(frozen=True, slots=True)
class Part:
    """A part. A part without `filename` is a text field."""

    name: str
    filename: str | None
    content_type: str | None
    data: bytes

    def text(self) -> str:
        """Return the data as text. Raises ValueError if it is not UTF-8."""
        return self.data.decode()


def parse(headers: Mapping[str, str], body: bytes) -> list[Part]:
    """Return the parts in order. Raises ValueError if the body is not multipart/form-data."""
    outer = Message()
    outer["content-type"] = headers.get("content-type", "")
    boundary = outer.get_param("boundary")
    if outer.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        raise ValueError("The content type is not multipart/form-data with a boundary.")
    mark = b"--" + boundary.encode()
    first, *pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if first or not pieces or not pieces[-1].startswith(b"--"):
        raise ValueError("The body does not end with its boundary.")
    return [_part(piece) for piece in pieces[:-1]]


def _part(piece: bytes) -> Part:
    head, separator, data = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    if not separator:
        raise ValueError("A part has no end of its headers.")
    message = Message()
    for line in head.decode().split("\r\n"):
        header, _, value = line.partition(":")
        message[header] = value.strip()
    name, filename = (
        message.get_param(key, header="content-disposition") for key in ("name", "filename")
    )
    if not isinstance(name, str):
        raise ValueError("A part has no name.")
    return Part(
        name, filename if isinstance(filename, str) else None, message["content-type"], data
    )
