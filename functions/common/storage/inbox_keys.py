"""What is dropped into the bucket's `inbox/`, and where the answer to it lies. Touches nothing.

`inbox/{user_id}/{name}` is answered under `outbox/{user_id}/{name}.result.json` or
`….error.json`. The name is the client's; in our key every character of it that is not a plain one
is percent-encoded, and no part of it is `.` or `..`.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal
from unicodedata import normalize
from urllib.parse import quote

from common.storage import is_slug

INBOX, OUTBOX = "inbox", "outbox"
# S3 takes keys of up to 1024 bytes; encoded, a name can be three times as long.
_MOST_NAME_CHARACTERS = 700

Kind = Literal["result", "error"]


@dataclass(frozen=True, slots=True)
class InboxObject:
    """One version of an object under `inbox/{user_id}/`."""

    bucket: str
    key: str
    version_id: str

    @property
    def is_ours(self) -> bool:
        """Say whether it is a file of somebody: no folder, and the owner's name is one."""
        top, _, rest = self.key.partition("/")
        owner, _, name = rest.partition("/")
        return top == INBOX and is_slug(owner) and bool(name) and not name.endswith("/")

    @property
    def user_id(self) -> str:
        """The owner whose folder it lies in."""
        return self.key.split("/", 2)[1]

    @property
    def name(self) -> str:
        """Its name in that folder; there may be folders in it."""
        return self.key.split("/", 2)[2]

    @property
    def extension(self) -> str:
        """The end of its name, such as `.json`; lower case."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def object_id(self) -> str:
        """SHA-256 of bucket, key and version: the same for every delivery of its event."""
        return hashlib.sha256(
            json.dumps([self.bucket, self.key, self.version_id]).encode()
        ).hexdigest()

    @property
    def stem(self) -> str:
        """Its key without the end of its name."""
        return self.key[: len(self.key) - len(PurePosixPath(self.name).suffix)]

    @property
    def prefixes_beside(self) -> list[str]:
        """Prefixes of all keys that `ends_beside` may find."""
        names = [f"{self.stem}."]
        if PurePosixPath(self.stem).suffix:
            names.append(self.stem)
        forms = [(name, normalize("NFC", name), normalize("NFD", name)) for name in names]
        return list(dict.fromkeys(form for each in forms for form in each))

    def ends_beside(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the other keys that belong to the same job, and the ends of their names.

        These have the same name but for its end, or one has the end added to the whole name of the
        other, as in `photo.jpg.json`. macOS decomposes accented letters in names; they count as
        composed. The ends are in lower case.
        """
        stem, whole = normalize("NFC", self.stem), normalize("NFC", self.key)
        found = {}
        for key in keys:
            name = normalize("NFC", key)
            end = PurePosixPath(name).suffix
            if key != self.key and end and name in (stem, stem + end, whole + end):
                found[key] = end.lower()
        return found


def result_key(user_id: str, object_key: str, kind: Kind) -> str:
    """Return where the answer to the object lies."""
    name = "/".join(_plain(part) for part in object_key.split("/")[2:])
    if len(name) > _MOST_NAME_CHARACTERS:
        name = hashlib.sha256(object_key.encode()).hexdigest()
    return f"{OUTBOX}/{user_id}/{name}.{kind}.json"


def _plain(part: str) -> str:
    encoded = quote(part, safe="")
    return encoded.replace(".", "%2E") if not part.strip(".") else encoded
