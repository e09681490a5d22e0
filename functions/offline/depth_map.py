"""Depth maps in PNG files, written by the offline image provider for the video provider.

The private chunk `vgLy` contains a JSON document and one zlib-compressed byte per pixel: the number
of its depth band, 0 for the farthest. Other programs ignore the chunk; editors may keep it.
"""

import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

CHUNK = b"vgLy"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_MAX_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class Depth:
    """A depth map: `labels` (mode L) has the band of each pixel, `facts` the JSON document."""

    labels: Image.Image
    facts: Mapping[str, Any]


def add(info: PngInfo, depth: Depth) -> None:
    """Add the depth map to the chunks of a PNG that is about to be saved."""
    head = json.dumps(
        {**depth.facts, "size": list(depth.labels.size)}, separators=(",", ":"), sort_keys=True
    ).encode()
    body = zlib.compress(depth.labels.tobytes(), 6)
    info.add(CHUNK, struct.pack(">I", len(head)) + head + body, after_idat=False)


def read(data: bytes) -> Depth | None:
    """Return the depth map of a PNG, or None if it is missing or damaged."""
    chunk = _chunk(data)
    if chunk is None or len(chunk) < 4:
        return None
    (length,) = struct.unpack(">I", chunk[:4])
    try:
        facts = json.loads(chunk[4 : 4 + length])
        width, height = (int(v) for v in facts["size"])
        if not 0 < width * height <= _MAX_PIXELS:
            return None
        unpacked = zlib.decompressobj().decompress(chunk[4 + length :], width * height + 1)
        labels = Image.frombytes("L", (width, height), unpacked)
    except (ValueError, KeyError, TypeError, zlib.error):
        return None
    return Depth(labels, facts)


def _chunk(data: bytes) -> bytes | None:
    if not data.startswith(_SIGNATURE):
        return None
    offset = len(_SIGNATURE)
    while offset + 12 <= len(data):
        (length,) = struct.unpack(">I", data[offset : offset + 4])
        name = data[offset + 4 : offset + 8]
        body = data[offset + 8 : offset + 8 + length]
        if name == CHUNK:
            (expected,) = struct.unpack(
                ">I", data[offset + 8 + length : offset + 12 + length] or b"\0" * 4
            )
            return body if zlib.crc32(name + body) == expected else None
        if name == b"IEND":
            return None
        offset += 12 + length
    return None
