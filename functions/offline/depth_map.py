"""What the offline painter leaves in its PNG for the camera: which pixel is how far away.

The private chunk `vgLy` holds a JSON document and, compressed, one byte per pixel: the number of
the distance band, 0 the farthest. Other programs skip the chunk; editors may keep it.
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
_MOST_PIXELS = 4_000_000


@dataclass(frozen=True, slots=True)
class Depth:
    """`labels` (mode L) numbers the band of each pixel; `facts` is JSON: see `_painter.facts`."""

    labels: Image.Image
    facts: Mapping[str, Any]


def add(info: PngInfo, depth: Depth) -> None:
    """Put the depth into the chunks of a PNG to be saved."""
    head = json.dumps(
        {**depth.facts, "size": list(depth.labels.size)}, separators=(",", ":"), sort_keys=True
    ).encode()
    body = zlib.compress(depth.labels.tobytes(), 6)
    info.add(CHUNK, struct.pack(">I", len(head)) + head + body, after_idat=False)


def read(data: bytes) -> Depth | None:
    """Return the depth that a PNG carries, or None when it has none or a damaged one."""
    chunk = _chunk(data)
    if chunk is None or len(chunk) < 4:
        return None
    (length,) = struct.unpack(">I", chunk[:4])
    try:
        facts = json.loads(chunk[4 : 4 + length])
        width, height = (int(v) for v in facts["size"])
        if not 0 < width * height <= _MOST_PIXELS:
            return None
        unpacked = zlib.decompressobj().decompress(chunk[4 + length :], width * height + 1)
        labels = Image.frombytes("L", (width, height), unpacked)
    except (ValueError, KeyError, TypeError, zlib.error):
        return None
    return Depth(labels, facts)


def _chunk(data: bytes) -> bytes | None:
    if not data.startswith(_SIGNATURE):
        return None
    at = len(_SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        name = data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        if name == CHUNK:
            (expected,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length] or b"\0" * 4)
            return body if zlib.crc32(name + body) == expected else None
        if name == b"IEND":
            return None
        at += 12 + length
    return None
