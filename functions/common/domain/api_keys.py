"""API keys: `vg_<live|test>_`, 36 random characters, and a checksum of six. Touches nothing.

The checksum (CRC-32, as in GitHub's tokens) lets a mistyped key be refused without a look into
the database, and a leaked one be recognised by a scanner. Of a key only the SHA-256 is stored:
36 random characters are 214 bits, which no dictionary holds.
"""

import hashlib
import hmac
import re
import secrets
import zlib

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY = 36
_CHECKSUM = 6
_PATTERN = re.compile(rf"vg_(live|test)_[0-9A-Za-z]{{{_BODY + _CHECKSUM}}}")
_PREFIX = len("vg_live_") + 4

OPERATOR_KEY_ID = "operator"
OPERATOR_PER_MINUTE = 200
OPERATOR_PER_HOUR = 10_000
OPERATOR_CONCURRENT_RUNS = 50


def mint(*, live: bool) -> str:
    """Return a new random key."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_BODY))
    return _complete(f"vg_{'live' if live else 'test'}_{body}")


def operator_key(secret_key: str, user_id: str) -> str:
    """Derive the operator's key, which a fresh deployment mints its first keys with."""
    digest = hmac.digest(secret_key.encode(), f"operator:{user_id}".encode(), "sha512")
    return _complete("vg_live_" + _base62(int.from_bytes(digest), _BODY))


def is_well_formed(key: str) -> bool:
    """Say whether the key has the right form and checksum."""
    return bool(_PATTERN.fullmatch(key)) and _complete(key[:-_CHECKSUM]) == key


def digest(key: str) -> bytes:
    """Return what is stored of a key."""
    return hashlib.sha256(key.encode()).digest()


def prefix(key: str) -> str:
    """Return what is shown of a key to tell it from others: its first characters."""
    return key[:_PREFIX]


def digests_match(one: str, other: str) -> bool:
    """Compare two keys in a time that does not depend on where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())


def _complete(start: str) -> str:
    return start + _base62(zlib.crc32(start.encode()), _CHECKSUM)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
