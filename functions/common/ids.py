"""Identifiers: a prefix that says what it is, and a ULID (time-ordered, 80 random bits)."""

import secrets
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def new(prefix: str) -> str:
    """Return a new identifier such as `vid_01KB0M5S3V6Q8R2C4D7E9FGHJK`."""
    return _text(prefix, (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80))


def to_bytes(identifier: str) -> bytes:
    """Return the 16 bytes of an identifier that `new` made."""
    number = 0
    for character in identifier.rpartition("_")[2]:
        number = number << 5 | _CROCKFORD.index(character)
    return number.to_bytes(16)


def from_bytes(prefix: str, ulid: bytes) -> str:
    """Return the identifier of 16 bytes."""
    return _text(prefix, int.from_bytes(ulid))


def _text(prefix: str, number: int) -> str:
    return f"{prefix}_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
