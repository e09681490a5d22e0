"""Signed capabilities: the right to read one object for a while, in a URL. Touches nothing.

A capability is 80 characters of base64url: 28 bytes that say what it opens, and the HMAC-SHA256 of
them under a key that is derived from the stack's secret. 60 bytes are exactly 80 characters, with
no bit left over, so no two texts mean the same.

    version 1 | key id 2 | method 1 | expiry 4 (seconds since 1970) | epoch 4 | id 16 | MAC 32

Version 1 names a media object by its id, never by its key. Version 2 is for files that are no media
objects (posters, captions, ...): it names the video, and the MAC is over the file's key too.

The owner's `epoch` stands in the database; raising it kills all of their capabilities at once.
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

WITHOUT_A_KEY = frozenset({"GET /api/get_presigned_url", "POST /api/convert_s3_image_to_base64"})
"""Endpoints that take a capability or an API key; the authorizer lets nobody's requests in."""

_FACTS = struct.Struct(">BHBII16s")
_MAC_BYTES = 32
_MEDIA, _FILE = 1, 2  # versions
_PREFIXES = {_MEDIA: "med", _FILE: "vid"}
_FORM = re.compile(r"[A-Za-z0-9_-]{80}")
# A right may be narrowed, never widened: who may read may also ask how large it is.
_COVERS: Mapping[int, frozenset[Method]] = {1: frozenset({"GET", "HEAD"}), 2: frozenset({"HEAD"})}
_NUMBERS: Mapping[Method, int] = {"GET": 1, "HEAD": 2}
_LABEL = b"ai-video-generator/media-capability/v1"


@dataclass(frozen=True, slots=True)
class SignedLink:
    """What a verified capability opens, if its owner's epoch is still this one.

    `id` is that of a media object, or of the video whose file was named by its key.
    """

    id: str
    epoch: int
    expires_at: int


class LinkSigner:
    """Makes and checks capabilities; one secret signs, a second one may still be good.

    The key id in a capability is derived from the secret, so that a secret is rotated by putting
    a new one in its place and the old one beside it (docs/operations.md).
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
        """Return a capability that opens a media object for so many seconds from `now`.

        With `key`, it opens that file of the video `identifier`.
        """
        if not 1 <= seconds <= MAX_SECONDS:
            raise ValueError(f"a capability lives 1 to {MAX_SECONDS} seconds, not {seconds}")
        facts = _FACTS.pack(
            _MEDIA if key is None else _FILE,
            self._key_id,
            _NUMBERS[method],
            int(now) + seconds,
            epoch,
            ids.to_bytes(identifier),
        )
        return urlsafe_b64encode(facts + _mac(self._key, facts, key)).decode()

    def verify(
        self, text: str, *, method: Method, now: float, key: str | None = None
    ) -> SignedLink:
        """Return what the capability opens; raises NotFound unless it is good for the method.

        `key` is the one in the link; without it, only a media object can be opened.
        """
        if not _FORM.fullmatch(text):
            raise _no_such_media()
        whole = urlsafe_b64decode(text)
        facts, mac = whole[:-_MAC_BYTES], whole[-_MAC_BYTES:]
        version, key_id, number, expires_at, epoch, identifier = _FACTS.unpack(facts)
        signing_key, named = self._keys.get(key_id), key if version == _FILE else None
        if signing_key is None or not hmac.compare_digest(mac, _mac(signing_key, facts, named)):
            raise _no_such_media()
        if version not in _PREFIXES or expires_at <= now or method not in _COVERS.get(number, ()):
            raise _no_such_media()
        return SignedLink(ids.from_bytes(_PREFIXES[version], identifier), epoch, expires_at)


def _no_such_media() -> NotFound:
    return NotFound("There is no such media object, or the link to it is no longer good.")


def _mac(signing_key: bytes, facts: bytes, key: str | None) -> bytes:
    # The facts have a fixed length, so a key behind them is not mistaken for a part of them.
    return hmac.digest(signing_key, facts + (key or "").encode(errors="surrogatepass"), "sha256")


def _key_id(secret: str) -> int:
    return int.from_bytes(_derive(secret, b"key id")[:2])


def _derive(secret: str, purpose: bytes) -> bytes:
    """Return 32 bytes of HKDF-SHA256 (RFC 5869) of the secret, without salt."""
    extracted = hmac.digest(bytes(hashlib.sha256().digest_size), secret.encode(), "sha256")
    return hmac.digest(extracted, _LABEL + b"/" + purpose + b"\x01", "sha256")
