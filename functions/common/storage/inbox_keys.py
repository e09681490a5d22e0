"""Keys of the objects in the bucket's `inbox/`, and of their results in `outbox/`. Pure functions.

The result of `inbox/{user_id}/{name}` has the key `outbox/{user_id}/{name}.result.json` or
`….error.json`. The client chooses the name. In the result's key, all of its special characters are
percent-encoded, and no segment of it is `.` or `..`.
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
# S3 keys have up to 1024 bytes, and percent-encoding can triple the length of a name.
_MOST_NAME_CHARACTERS = 700

Kind = Literal["result", "error"]


@dataclass(frozen=True, slots=True)
class InboxObject:
    """One version of an object under `inbox/{user_id}/`."""

    bucket: str
    key: str
    version_id: str

    @property
    def is_user_file(self) -> bool:
        """Return whether the object is a file in a user's inbox, not a folder."""
        prefix, _, rest = self.key.partition("/")
        owner, _, name = rest.partition("/")
        return prefix == INBOX and is_slug(owner) and bool(name) and not name.endswith("/")

    @property
    def user_id(self) -> str:
        """The user whose inbox contains the object."""
        return self.key.split("/", 2)[1]

    @property
    def name(self) -> str:
        """The name within the inbox, which may contain slashes."""
        return self.key.split("/", 2)[2]

    @property
    def extension(self) -> str:
        """The name's extension in lower case, such as `.json`."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def object_id(self) -> str:
        """SHA-256 of bucket, key and version: the same for every delivery of its event."""
        return hashlib.sha256(
            json.dumps([self.bucket, self.key, self.version_id]).encode()
        ).hexdigest()

    @property
    def stem(self) -> str:
        """The key without the extension."""
        return self.key[: len(self.key) - len(PurePosixPath(self.name).suffix)]

    @property
    def companion_prefixes(self) -> list[str]:
        """The prefixes of all keys that `ends_beside` can match."""
        names = [f"{self.stem}."]
        if PurePosixPath(self.stem).suffix:
            names.append(self.stem)
        variants = [(name, normalize("NFC", name), normalize("NFD", name)) for name in names]
        return list(dict.fromkeys(prefix for variant in variants for prefix in variant))

    def companions(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the other keys that belong to the same job, with their extensions.

        Two names belong together if they differ only in their extension, or if one is the other
        with an extension added, such as `photo.jpg.json`. Names are compared in Unicode form NFC,
        because macOS decomposes accented letters. The extensions are in lower case.
        """
        stem, whole = normalize("NFC", self.stem), normalize("NFC", self.key)
        companions = {}
        for key in keys:
            name = normalize("NFC", key)
            extension = PurePosixPath(name).suffix
            names = (stem, stem + extension, whole + extension)
            if key != self.key and extension and name in names:
                companions[key] = extension.lower()
        return companions


def result_key(user_id: str, object_key: str, kind: Kind) -> str:
    """Return the key of the result of an inbox object."""
    name = "/".join(_encode(part) for part in object_key.split("/")[2:])
    if len(name) > _MOST_NAME_CHARACTERS:
        name = hashlib.sha256(object_key.encode()).hexdigest()
    return f"{OUTBOX}/{user_id}/{name}.{kind}.json"


def _encode(part: str) -> str:
    encoded = quote(part, safe="")
    return encoded.replace(".", "%2E") if not part.strip(".") else encoded
