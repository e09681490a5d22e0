"""Identifiers: a prefix that says what it is, and a ULID (time-ordered, 80 random bits)."""

import secrets
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new(prefix: str) -> str:
    """Return a new identifier such as `vid_01KB0M5S3V6Q8R2C4D7E9FGHJK`."""
    number = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    return f"{prefix}_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
