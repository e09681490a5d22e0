"""Cursors: where the next page of a list begins, as clients hand it back.

Rows are numbered over all owners, so a number would tell how many there are. It is sealed: a MAC
of the number and of the list that it belongs to, and the number under a pad made of that MAC (the
construction of SIV, RFC 5297). The same row has the same cursor, which opens in its own list only.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.domain.errors import InvalidInput

_BYTES = 8
_LABEL = b"ai-video-generator/cursor/v1"


@dataclass(frozen=True, slots=True)
class Cursors:
    """Seals and opens cursors; `secret` is the stack's, and the one before it while both hold."""

    secret: Callable[[], Mapping[str, str]]

    def encode(self, row_id: int, *scope: str) -> str:
        """Return the cursor that leads behind a row of the list `scope`."""
        key = _key(self.secret()["SECRET_KEY"])
        number = row_id.to_bytes(_BYTES)
        tag = _mac(key, number, *scope)
        return base64.urlsafe_b64encode(tag + _xor(number, _mac(key, tag))).decode().rstrip("=")

    def decode(self, cursor: str | None, *scope: str) -> int | None:
        """Return the row that the cursor leads behind; raises InvalidInput for any other text."""
        if cursor is None:
            return None
        try:
            whole = base64.b64decode(
                cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, ValueError):
            whole = b""
        tag, sealed = whole[:_BYTES], whole[_BYTES:]
        secret = self.secret()
        for name in ("SECRET_KEY", "PREVIOUS_SECRET_KEY"):
            if len(sealed) == _BYTES and secret.get(name):
                key = _key(secret[name])
                number = _xor(sealed, _mac(key, tag))
                if hmac.compare_digest(tag, _mac(key, number, *scope)):
                    return int.from_bytes(number)
        raise InvalidInput(
            "The cursor is not one that this list gave out, or is of an earlier release. Begin "
            "with the first page.",
            field="cursor",
        )


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _LABEL, "sha256")


def _mac(key: bytes, data: bytes, *scope: str) -> bytes:
    text = json.dumps(scope).encode()
    return hmac.digest(key, data + text, "sha256")[:_BYTES]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
