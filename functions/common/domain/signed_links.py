"""Signatures of signed links: a URL reads one object until it expires. Pure functions.

A signature is 80 characters of base64url: a payload of 28 bytes and its HMAC-SHA256, under a key
that is derived from the stack's secret. 60 bytes are exactly 80 characters without unused bits, so
each signature has only one encoding.

    version 1 | key id 2 | method 1 | expiry 4 (seconds since 1970) | epoch 4 | id 16 | MAC 32

Version 1 contains the id of a media object, never its S3 key. Version 2 is for files that are not
media objects (posters, captions, ...): it contains the video's id, and the MAC covers the file's
S3 key too.

The owner's `epoch` is stored in the database. Incrementing it revokes all links of that owner.
"""

import hashlib
import hmac
import re
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from common.domain import ids
from common.domain.errors import NotFound

DEFAULT_SECONDS = 3600
MAX_SECONDS = 24 * 3600
Method = Literal["GET", "HEAD"]

SIGNED_LINK_ENDPOINTS = frozenset(
    {"GET /api/get_presigned_url", "POST /api/convert_s3_image_to_base64"}
)
"""Endpoints that accept a signed link instead of an API key; the authorizer admits requests to them
without a key."""

_PAYLOAD = struct.Struct(">BHBII16s")
_MAC_BYTES = 32
_MEDIA, _FILE = 1, 2  # versions
_PREFIXES = {_MEDIA: "med", _FILE: "vid"}
_PATTERN = re.compile(r"[A-Za-z0-9_-]{80}")
# A link for GET also allows HEAD, but not the reverse.
_ALLOWED: Mapping[int, frozenset[Method]] = {1: frozenset({"GET", "HEAD"}), 2: frozenset({"HEAD"})}
_NUMBERS: Mapping[Method, int] = {"GET": 1, "HEAD": 2}
_LABEL = b"ai-video-generator/media-capability/v1"


@dataclass(frozen=True, slots=True)
class SignedLink:
    """A verified signed link, valid while its owner's epoch is `epoch`.

    `id` is the id of a media object, or of the video if the link is for a file by its S3 key.
    `expires_at` is in seconds since 1970.
    """

    id: str
    epoch: int
    expires_at: int


class LinkSigner:
    """Signs and verifies links. `secret` signs; signatures of `previous` are valid too.

    The key id in a signature is derived from its secret, so a secret is rotated by replacing it and
    keeping the old one as `previous` (docs/operations.md).
    """

    def __init__(self, secret: str, previous: str | None = None) -> None:
        self._key = _derive(secret, b"key")
        self._key_id = _key_id(secret)
        self._keys = {_key_id(old): _derive(old, b"key") for old in (previous,) if old}
        self._keys[self._key_id] = self._key

    def sign(
        self,
        identifier: str,
        *,
        epoch: int,
        now: float,
        seconds: int,
        method: Method = "GET",
        key: str | None = None,
    ) -> str:
        """Return a signature for a media object that expires `seconds` after `now`.

        With `key`, the signature is for that file of the video `identifier`. Raises ValueError for
        more than `MAX_SECONDS`.
        """
        if not 1 <= seconds <= MAX_SECONDS:
            raise ValueError(f"a signed link lasts 1 to {MAX_SECONDS} seconds, not {seconds}")
        payload = _PAYLOAD.pack(
            _MEDIA if key is None else _FILE,
            self._key_id,
            _NUMBERS[method],
            int(now) + seconds,
            epoch,
            ids.to_bytes(identifier),
        )
        return urlsafe_b64encode(payload + _mac(self._key, payload, key)).decode()

    def verify(
        self, text: str, *, method: Method, now: float, key: str | None = None
    ) -> SignedLink:
        """Verify a signature and return its link.

        `key` is the S3 key in the URL, if it has one. Raises NotFound if the signature is invalid,
        expired, or for another method.
        """
        if not _PATTERN.fullmatch(text):
            raise _not_found()
        signature = urlsafe_b64decode(text)
        payload, mac = signature[:-_MAC_BYTES], signature[-_MAC_BYTES:]
        version, key_id, number, expires_at, epoch, identifier = _PAYLOAD.unpack(payload)
        signing_key, file_key = self._keys.get(key_id), key if version == _FILE else None
        if signing_key is None:
            raise _not_found()
        if not hmac.compare_digest(mac, _mac(signing_key, payload, file_key)):
            raise _not_found()
        if version not in _PREFIXES or expires_at <= now or method not in _ALLOWED.get(number, ()):
            raise _not_found()
        return SignedLink(ids.from_bytes(_PREFIXES[version], identifier), epoch, expires_at)


def _not_found() -> NotFound:
    return NotFound("The media object does not exist, or the link to it is no longer valid.")


def _mac(signing_key: bytes, payload: bytes, key: str | None) -> bytes:
    # The payload has a fixed length, so an appended key is never ambiguous.
    return hmac.digest(signing_key, payload + (key or "").encode(errors="surrogatepass"), "sha256")


def _key_id(secret: str) -> int:
    return int.from_bytes(_derive(secret, b"key id")[:2])


def _derive(secret: str, purpose: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA256 (RFC 5869) of the secret, without salt."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret.encode(), "sha256")
    return hmac.digest(extracted, _LABEL + b"/" + purpose + b"\x01", "sha256")
