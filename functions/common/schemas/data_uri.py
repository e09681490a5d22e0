"""Files that come inside JSON, as base64 or as a data URI."""

import base64
import re
from urllib.parse import unquote

MOST_BYTES = 4_400_000  # as base64 within the 6 MB that a function takes

# The media type and its parameters do not matter: the bytes are judged.
_DATA_URI = re.compile(r"data:[^\n]{0,1000}?;\s*base64\s*,", re.IGNORECASE)
_URL_SAFE = str.maketrans("-_", "+/")


class Oversize(ValueError):
    """More than MOST_BYTES."""


def decode(text: str) -> bytes:
    """Return the bytes of base64 text or a base64 data URI.

    Line breaks and spaces, the URL-safe alphabet (RFC 4648, section 5), percent-encoding and
    missing padding are all read. Raises Oversize before anything is decoded, and ValueError for
    text that is not base64.
    """
    text = text.strip()
    match = _DATA_URI.match(text)
    encoded = text[match.end() :] if match else text
    encoded = unquote(encoded) if "%" in encoded else encoded
    encoded = "".join(encoded.split()).translate(_URL_SAFE).rstrip("=")
    if len(encoded) > MOST_BYTES * 4 // 3 + 4:
        raise Oversize
    return base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
