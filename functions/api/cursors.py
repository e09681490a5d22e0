"""Cursors: where the next page of a list begins, as clients hand it back."""

import base64
import binascii

from common.errors import InvalidInput

_MOST_DIGITS = 18


def encode(row_id: int) -> str:
    """Return the cursor that leads behind a row."""
    return base64.urlsafe_b64encode(str(row_id).encode()).decode().rstrip("=")


def decode(cursor: str | None) -> int | None:
    """Return the row that the cursor leads behind; raises InvalidInput for one that is not ours."""
    if cursor is None:
        return None
    try:
        number = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        number = ""
    if not number.isdecimal() or len(number) > _MOST_DIGITS:
        raise InvalidInput("The cursor is not one that this API gave out.", field="cursor")
    return int(number)
