"""Files that come inside JSON, as base64 or as a data URI."""

import base64
import re

MOST_BYTES = 4_400_000  # as base64 within the 6 MB that a function takes


class Oversize(ValueError):
    """More than MOST_BYTES."""


def decode(text: str, uri: re.Pattern[str]) -> bytes:
    """Return the bytes; `uri` matches how a data URI of the kind that is taken begins.

    Raises Oversize before anything is decoded, and ValueError for what is no base64.
    """
    match = uri.match(text)
    encoded = text[match.end() :] if match else text
    if len(encoded) > MOST_BYTES * 4 // 3 + 4:
        raise Oversize
    return base64.b64decode(encoded, validate=True)
