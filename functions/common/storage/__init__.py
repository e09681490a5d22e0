"""The ports of the media store, and the S3 keys of media.

All keys are built here, from identifiers that the application generated or validated, so text of a
client never becomes part of a key. docs/architecture.md shows the layout.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from common.domain.errors import InvalidInput, NotFound

CONCURRENT_TRANSFERS = 8
"""Files that a function downloads or uploads at the same time."""

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# Other prefixes of the bucket, which must not be a user's folder.
_RESERVED = frozenset({"inbox", "outbox"})


def is_slug(text: str) -> bool:
    """Return whether the text is a valid user or video id for a key."""
    return bool(_SLUG.fullmatch(text)) and text not in _RESERVED


@dataclass(frozen=True, slots=True)
class MediaFolder:
    """The keys of one video: `{user_id}/{video_id}/…`. Versions count from 1."""

    user_id: str
    video_id: str

    def __post_init__(self) -> None:
        for part in (self.user_id, self.video_id):
            if not is_slug(part):
                raise InvalidInput(
                    "An identifier has only letters, digits, `-` and `_`, and is neither "
                    f"{' nor '.join(sorted(_RESERVED))}."
                )

    @classmethod
    def of(cls, key: str) -> "MediaFolder":
        """Return the folder of the key."""
        user_id, video_id, _ = key.split("/", 2)
        return cls(user_id, video_id)

    @property
    def prefix(self) -> str:
        """The prefix of all keys in the folder."""
        return f"{self.user_id}/{self.video_id}/"

    def reference(self, version: int) -> str:
        """Return the key of the user's reference image."""
        return self._key("user-uploads", f"reference_image_{version}.png")

    def scene_reference(self, scene: int, version: int) -> str:
        """Return the key of the user's reference image for one version of a scene."""
        return self._key("user-uploads", f"reference_image_{scene}_{version}.png")

    def upload(self, kind: str, suffix: str) -> str:
        """Return the key of an inspected upload; an image has the key of a reference image."""
        name = "reference_image_1" if kind == "image" else f"{kind}_1"
        return self._key("user-uploads", f"{name}.{suffix}")

    def image(self, scene: int, version: int) -> str:
        """Return the key of a scene's image."""
        return self._key("reference-frames", f"generated_frame_{scene}_{version}.png")

    def narration(self, scene: int, version: int) -> str:
        """Return the key of a scene's narration."""
        return self._key("narrations", f"narration_{scene}_{version}.wav")

    def clip(self, scene: int, version: int) -> str:
        """Return the key of a scene's clip."""
        return self._key("video-clips", f"generated_clip_{scene}_{version}.mp4")

    def final(self, version: int, suffix: str = "mp4", number: int = 0) -> str:
        """Return the key of the finished video, or of its rendition `number`."""
        shape = f"_shape_{number}" if number else ""
        return self._key("video-clips", f"final_video_{version}{shape}.{suffix}")

    def poster(self, version: int, suffix: str = "jpg") -> str:
        """Return the key of the finished video's poster."""
        return self._key("video-clips", f"final_video_{version}.{suffix}")

    def thumbnail(self, scene: int, version: int) -> str:
        """Return the key of a scene's thumbnail from the finished video."""
        return self._key("video-clips", f"thumbnail_{scene}_{version}.jpg")

    def preview(self, version: int, suffix: str) -> str:
        """Return the key of the finished video's animated preview."""
        return self._key("video-clips", f"preview_{version}.{suffix}")

    def captions(self, version: int, suffix: str) -> str:
        """Return the key of the finished video's captions."""
        return self._key("video-clips", f"captions_{version}.{suffix}")

    def provenance(self, version: int) -> str:
        """Return the key of the video's provenance manifest."""
        return self._key("provenance", f"manifest_{version}.json")

    def delivery(self, token: str) -> str:
        """Return the key of a clip that its provider writes to the bucket."""
        return self._key("video-clips", f"delivered/{token}")

    def receipt(self, token: str) -> str:
        """Return the key of the receipt of a paid call, by the attempt's token."""
        return self._key("receipts", f"{token}.json")

    def _key(self, folder: str, name: str) -> str:
        return f"{self.user_id}/{self.video_id}/{folder}/{name}"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of an object, with its user-defined metadata."""

    data: bytes
    version_id: str
    metadata: Mapping[str, str]
    changed_at: datetime


# The prefix of uploads before their inspection. No user id begins with an underscore.
_UPLOADS = "_uploads"
_UPLOAD = re.compile(rf"{_UPLOADS}/({_SLUG.pattern})/(med_[0-9A-Z]{{26}})")


def upload_key(user_id: str, media_id: str) -> str:
    """Return the key to which a client uploads a file, before its inspection."""
    key = f"{_UPLOADS}/{user_id}/{media_id}"
    parse_upload_key(key)
    return key


def parse_upload_key(key: str) -> tuple[str, str]:
    """Return user id and media id of an upload's key; raises NotFound for any other key."""
    match = _UPLOAD.fullmatch(key)
    if match is None:
        raise NotFound("The key does not belong to an upload.")
    return match[1], match[2]


class MediaStore(Protocol):
    """A store of media by key. Writing an existing key replaces the whole object."""

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store bytes."""
        ...

    def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Store a file; a large one by multipart upload."""
        ...

    def get(self, key: str) -> bytes:
        """Return the object's bytes; raises NotFound."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to a file; raises NotFound."""
        ...

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        """Return a presigned URL that reads the object and expires after `seconds`."""
        ...


class ErasableStore(Protocol):
    """A store that can erase whole folders."""

    def erase(self, folder: MediaFolder) -> int:
        """Delete all versions of all objects in the folder permanently; return their number."""
        ...


@dataclass(frozen=True, slots=True)
class PresignedForm:
    """A presigned POST: send the fields as multipart/form-data, followed by the field `file`."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Metadata of an object. `etag` is in double quotes, like in HTTP."""

    size_bytes: int
    media_type: str
    etag: str
    changed_at: datetime
    version_id: str


class ManagedStore(MediaStore, Protocol):
    """A media store that clients can upload to, and that can describe and delete objects."""

    def describe(self, key: str) -> ObjectInfo:
        """Return the object's metadata without reading it; raises NotFound."""
        ...

    def delete(self, *keys: str) -> None:
        """Delete up to 1,000 objects; a missing one is not an error."""
        ...

    def delete_version(self, key: str, version_id: str) -> None:
        """Delete one version of an object permanently."""
        ...

    def form(self, key: str, media_type: str, size_bytes: int, *, seconds: int) -> PresignedForm:
        """Return a presigned POST for exactly this key, media type and size."""
        ...

    def create_multipart_upload(self, key: str, media_type: str) -> str:
        """Create a multipart upload and return its id."""
        ...

    def part_links(
        self, key: str, parts_id: str, sizes: Sequence[int], *, seconds: int
    ) -> list[str]:
        """Return a presigned URL for each part, which accepts exactly that many bytes."""
        ...

    def complete_multipart_upload(self, key: str, parts_id: str, etags: Sequence[str]) -> None:
        """Complete a multipart upload; raises InvalidInput if the ETags do not match the parts."""
        ...

    def abort_multipart_upload(self, key: str, parts_id: str) -> None:
        """Abort a multipart upload; a missing one is not an error."""
        ...
