"""Identifiers: a prefix for the type, and a ULID (48 bits of time, then 80 random bits)."""

import hashlib
import json
import secrets
import time

_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_DAY_MS = 24 * 60 * 60 * 1000


def new(prefix: str) -> str:
    """Return a new identifier such as `vid_01KB0M5S3V6Q8R2C4D7E9FGHJK`."""
    return _text(prefix, _now_ms() << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS))


def derived(prefix: str, *parts: str) -> str:
    """Return an identifier that is the same for the same parts throughout a day (UTC).

    A repeated request on the same day gets the same identifier. Its time is the start of the day.
    """
    return fixed(prefix, _now_ms() // _DAY_MS * _DAY_MS, *parts)


def fixed(prefix: str, milliseconds: int, *parts: str) -> str:
    """Return an identifier that is always the same for the same time and parts.

    `milliseconds` counts from 1970. The SHA-256 of the parts replaces the random bits.
    """
    digest = hashlib.sha256(json.dumps([prefix, *parts]).encode()).digest()
    bits = int.from_bytes(digest[: _RANDOM_BITS // 8])
    return _text(prefix, milliseconds << _RANDOM_BITS | bits)


def to_bytes(identifier: str) -> bytes:
    """Return the 16 bytes of an identifier's ULID."""
    number = 0
    for character in identifier.rpartition("_")[2]:
        number = number << 5 | _CROCKFORD.index(character)
    return number.to_bytes(16)


def from_bytes(prefix: str, ulid: bytes) -> str:
    """Return the identifier with the ULID of these 16 bytes."""
    return _text(prefix, int.from_bytes(ulid))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _text(prefix: str, number: int) -> str:
    return f"{prefix}_" + "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))
