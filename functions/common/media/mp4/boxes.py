"""Boxes: the parts of which an MP4 file consists. Each is a size, a name of 4 bytes, a body."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO


class NotConcatenable(Exception):
    """The file's index is not one that can be joined by its tables; says why, after "it"."""


@dataclass(frozen=True, slots=True)
class Box:
    """A box within some bytes or a file: `start` and `end` enclose its body."""

    name: bytes
    start: int
    end: int


def children(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes between two places; raises Unreadable where one overhangs."""
    end = len(data) if end is None else end
    while start < end:
        box = _box(data[start : start + 16], start, end)
        yield box
        start = box.end


def top_level(file: BinaryIO, size: int) -> Iterator[Box]:
    """Yield the outermost boxes of a file of `size` bytes; raises Unreadable."""
    place = 0
    while place < size:
        file.seek(place)
        box = _box(file.read(16), place, size)
        yield box
        place = box.end


def one(data: bytes, path: bytes, within: Box | None = None) -> Box:
    """Return the box at a path such as `mdia/minf`; raises Unreadable unless there is just one."""
    box = within or Box(b"", 0, len(data))
    for name in path.split(b"/"):
        found = [child for child in children(data, box.start, box.end) if child.name == name]
        if len(found) != 1:
            raise NotConcatenable(
                f"has {len(found)} boxes {name.decode('latin-1')!r} where one belongs"
            )
        box = found[0]
    return box


def make(name: bytes, *parts: bytes) -> bytes:
    """Return a box."""
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, name) + body


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """Return a box that has a version and flags."""
    return make(name, struct.pack(">I", version << 24 | flags), *parts)


def _box(head: bytes, start: int, end: int) -> Box:
    if len(head) < 8 or end - start < 8:
        raise NotConcatenable("ends within the head of a box")
    size, name = int.from_bytes(head[:4], "big"), head[4:8]
    body = start + 8
    if size == 1 and len(head) == 16:
        size, body = int.from_bytes(head[8:16], "big"), start + 16
    elif size == 0:
        size = end - start
    if size < body - start or start + size > end:
        raise NotConcatenable(f"has a box {name.decode('latin-1')!r} that overhangs")
    return Box(name, body, start + size)
