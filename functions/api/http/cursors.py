"""Pagination cursors: opaque, encrypted and authenticated row ids.

Row ids are sequential over all owners, so a plain id would reveal how many rows exist. A cursor is
a MAC of the id and of its list (the scope), followed by the id encrypted with a pad derived from
that MAC (the construction of SIV, RFC 5297). The encoding is deterministic: the same row always has
the same cursor, which is valid in its own list only.
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
    """Encoder and decoder of cursors.

    `secret` returns the stack's secret, and during a rotation the previous one too.
    """

    secret: Callable[[], Mapping[str, str]]

    def encode(self, row_id: int, *scope: str) -> str:
        """Return the cursor of the page that begins after this row of the list `scope`."""
        key = _key(self.secret()["SECRET_KEY"])
        number = row_id.to_bytes(_BYTES)
        tag = _mac(key, number, *scope)
        return base64.urlsafe_b64encode(tag + _xor(number, _mac(key, tag))).decode().rstrip("=")

    def decode(self, cursor: str | None, *scope: str) -> int | None:
        """Return the row id after which the page begins; None without a cursor.

        Raises InvalidInput for a cursor that was not issued for this list.
        """
        if cursor is None:
            return None
        try:
            data = base64.b64decode(
                cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True
            )
        except (binascii.Error, ValueError):
            data = b""
        tag, sealed = data[:_BYTES], data[_BYTES:]
        secret = self.secret()
        for name in ("SECRET_KEY", "PREVIOUS_SECRET_KEY"):
            if len(sealed) == _BYTES and secret.get(name):
                key = _key(secret[name])
                number = _xor(sealed, _mac(key, tag))
                if hmac.compare_digest(tag, _mac(key, number, *scope)):
                    return int.from_bytes(number)
        raise InvalidInput(
            "The cursor is invalid: it belongs to another list or to an earlier release. Start "
            "again from the first page.",
            field="cursor",
        )


def _key(secret: str) -> bytes:
    return hmac.digest(secret.encode(), _LABEL, "sha256")


def _mac(key: bytes, data: bytes, *scope: str) -> bytes:
    text = json.dumps(scope).encode()
    return hmac.digest(key, data + text, "sha256")[:_BYTES]


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
