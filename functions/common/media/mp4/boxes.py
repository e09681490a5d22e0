"""Boxes of an MP4 file: a size, a type of 4 bytes and a body (ISO/IEC 14496-12, section 4.2)."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO


class NotConcatenable(Exception):
    """The file cannot be concatenated by its index. The message is a reason that follows "it"."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box in a byte string or a file: `start` and `end` are the offsets of its body."""

    name: bytes
    start: int
    end: int


def children(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes between two offsets.

    Raises NotConcatenable if a box reaches beyond the end.
    """
    end = len(data) if end is None else end
    while start < end:
        box = _box(data[start : start + 16], start, end)
        yield box
        start = box.end


def top_level(file: BinaryIO, size: int) -> Iterator[Box]:
    """Yield the top-level boxes of a file of `size` bytes; raises NotConcatenable."""
    offset = 0
    while offset < size:
        file.seek(offset)
        box = _box(file.read(16), offset, size)
        yield box
        offset = box.end


def find(data: bytes, path: bytes, within: Box | None = None) -> Box:
    """Return the box at a path such as `mdia/minf`.

    Raises NotConcatenable unless there is exactly one.
    """
    box = within or Box(b"", 0, len(data))
    for name in path.split(b"/"):
        matches = [child for child in children(data, box.start, box.end) if child.name == name]
        if len(matches) != 1:
            raise NotConcatenable(
                f"has {len(matches)} boxes {name.decode('latin-1')!r} instead of one"
            )
        box = matches[0]
    return box


def pack(name: bytes, *fields: bytes) -> bytes:
    """Return a box as bytes."""
    body = b"".join(fields)
    return struct.pack(">I4s", len(body) + 8, name) + body


def pack_full(name: bytes, version: int, flags: int, *fields: bytes) -> bytes:
    """Return a full box, which has a version and flags, as bytes."""
    return pack(name, struct.pack(">I", version << 24 | flags), *fields)


def _box(header: bytes, start: int, end: int) -> Box:
    if len(header) < 8 or end - start < 8:
        raise NotConcatenable("ends within the header of a box")
    size, name = int.from_bytes(header[:4], "big"), header[4:8]
    body = start + 8
    if size == 1 and len(header) == 16:
        size, body = int.from_bytes(header[8:16], "big"), start + 16
    elif size == 0:
        size = end - start
    if size < body - start or start + size > end:
        raise NotConcatenable(
            f"has a box {name.decode('latin-1')!r} that reaches beyond its parent"
        )
    return Box(name, body, start + size)
