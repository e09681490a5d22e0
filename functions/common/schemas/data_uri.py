"""Files inside JSON, as base64 or as a data URI."""

import base64
import re
from urllib.parse import unquote

MAX_BYTES = 4_400_000  # as base64 they fit within the 6 MB that Lambda accepts

# The media type and its parameters are ignored: the format is detected from the bytes.
_DATA_URI = re.compile(r"data:[^\n]{0,1000}?;\s*base64\s*,", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")


class Oversize(ValueError):
    """The decoded file would have more than MOST_BYTES."""


def decode(text: str) -> bytes:
    """Decode base64 text or a base64 data URI.

    Line breaks and spaces, the URL-safe alphabet (RFC 4648, section 5), percent-encoding and
    missing padding are accepted. Raises Oversize before decoding, and ValueError for text that is
    not base64.
    """
    text = text.strip()
    match = _DATA_URI.match(text)
    encoded = text[match.end() :] if match else text
    encoded = unquote(encoded) if "%" in encoded else encoded
    encoded = "".join(encoded.split()).translate(_URL_SAFE).rstrip("=")
    if len(encoded) > MAX_BYTES * 4 // 3 + 4:
        raise Oversize
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
