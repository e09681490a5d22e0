"""API keys: `vg_<live|test>_`, 36 random characters, and a checksum of 6. Pure functions.

With the checksum (CRC-32, like in GitHub's tokens) a mistyped key is rejected without a database
query, and secret scanners recognize a leaked one. Only the SHA-256 of a key is stored. It needs no
salt or slow hash, because 36 random characters are 214 bits.
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
    """Derive the operator's key, which creates the first keys of a new deployment."""
    digest = hmac.digest(secret_key.encode(), f"operator:{user_id}".encode(), "sha512")
    return _complete("vg_live_" + _base62(int.from_bytes(digest), _BODY))


def is_well_formed(key: str) -> bool:
    """Return whether the key has a valid format and checksum."""
    return bool(_PATTERN.fullmatch(key)) and _complete(key[:-_CHECKSUM]) == key


def digest(key: str) -> bytes:
    """Return the SHA-256 of a key, which is stored instead of the key."""
    return hashlib.sha256(key.encode()).digest()


def prefix(key: str) -> str:
    """Return the first characters of a key, which identify it in listings."""
    return key[:_PREFIX]


def keys_match(a: str, b: str) -> bool:
    """Compare two keys in constant time."""
    return hmac.compare_digest(a.encode(), b.encode())


def _complete(start: str) -> str:
    return start + _base62(zlib.crc32(start.encode()), _CHECKSUM)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(digits)
