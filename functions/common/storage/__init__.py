"""The port to the place where media lie, and the keys they lie under.

Keys are built here and nowhere else, from identifiers that the application made or checked, so
text of a client never becomes part of one. The layout is that of `docs/architecture.md`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from common.domain.errors import InvalidInput, NotFound

_SLUG = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# The bucket's other folders: nobody's media may lie there.
_RESERVED = frozenset({"inbox", "outbox"})


def is_slug(text: str) -> bool:
    """Say whether the text may name a user's or a video's folder."""
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
                    "An identifier may hold letters, digits, - and _ only, and be neither "
                    f"{' nor '.join(sorted(_RESERVED))}."
                )

    @classmethod
    def of(cls, key: str) -> "MediaFolder":
        """Return the folder that the key was made in."""
        user_id, video_id, _ = key.split("/", 2)
        return cls(user_id, video_id)

    @property
    def prefix(self) -> str:
        """What all its keys begin with."""
        return f"{self.user_id}/{self.video_id}/"

    def reference(self, version: int) -> str:
        """Key of the user's own picture."""
        return self._key("user-uploads", f"reference_image_{version}.png")

    def scene_reference(self, scene: int, version: int) -> str:
        """Key of the user's own picture for one version of a scene."""
        return self._key("user-uploads", f"reference_image_{scene}_{version}.png")

    def upload(self, kind: str, suffix: str) -> str:
        """Key of what the user uploaded, as it was found good; a picture is a reference."""
        name = "reference_image_1" if kind == "image" else f"{kind}_1"
        return self._key("user-uploads", f"{name}.{suffix}")

    def image(self, scene: int, version: int) -> str:
        """Key of the picture of a scene."""
        return self._key("reference-frames", f"generated_frame_{scene}_{version}.png")

    def narration(self, scene: int, version: int) -> str:
        """Key of what is said in a scene."""
        return self._key("narrations", f"narration_{scene}_{version}.wav")

    def clip(self, scene: int, version: int) -> str:
        """Key of the clip of a scene."""
        return self._key("video-clips", f"generated_clip_{scene}_{version}.mp4")

    def final(self, version: int, suffix: str = "mp4", number: int = 0) -> str:
        """Key of the finished video, or of its rendition `number`."""
        shape = f"_shape_{number}" if number else ""
        return self._key("video-clips", f"final_video_{version}{shape}.{suffix}")

    def poster(self, version: int, suffix: str = "jpg") -> str:
        """Key of the still that stands for the finished video."""
        return self._key("video-clips", f"final_video_{version}.{suffix}")

    def thumbnail(self, scene: int, version: int) -> str:
        """Key of the small still of a scene in the finished video."""
        return self._key("video-clips", f"thumbnail_{scene}_{version}.jpg")

    def preview(self, version: int, suffix: str) -> str:
        """Key of the small moving picture of the finished video."""
        return self._key("video-clips", f"preview_{version}.{suffix}")

    def captions(self, version: int, suffix: str) -> str:
        """Key of the captions of the finished video."""
        return self._key("video-clips", f"captions_{version}.{suffix}")

    def provenance(self, version: int) -> str:
        """Key of the record of how the video was made."""
        return self._key("provenance", f"manifest_{version}.json")

    def delivery(self, token: str) -> str:
        """Key under which a provider leaves a clip that it writes to the bucket itself."""
        return self._key("video-clips", f"delivered/{token}")

    def receipt(self, token: str) -> str:
        """Key of what a paid call brought, by the attempt's token."""
        return self._key("receipts", f"{token}.json")

    def _key(self, folder: str, name: str) -> str:
        return f"{self.user_id}/{self.video_id}/{folder}/{name}"


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """An object that somebody left in the bucket, with what they wrote on it."""

    data: bytes
    version_id: str
    metadata: Mapping[str, str]
    changed_at: datetime


# No user's folder begins like this, so nobody's media lie where raw uploads arrive.
_ARRIVALS = "_uploads"
_ARRIVAL = re.compile(rf"{_ARRIVALS}/({_SLUG.pattern})/(med_[0-9A-Z]{{26}})")


def upload_key(user_id: str, media_id: str) -> str:
    """Return the key under which a client leaves an upload, before anybody has looked at it."""
    key = f"{_ARRIVALS}/{user_id}/{media_id}"
    parse_upload_key(key)
    return key


def parse_upload_key(key: str) -> tuple[str, str]:
    """Return user and upload of an arrival's key; raises NotFound for what is none."""
    match = _ARRIVAL.fullmatch(key)
    if match is None:
        raise NotFound("The key is not one of an upload.")
    return match[1], match[2]


class MediaStore(Protocol):
    """Stores media by key. Writing the same key again replaces the object whole."""

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store bytes."""
        ...

    def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Store a file, in parts when it is large."""
        ...

    def get(self, key: str) -> bytes:
        """Return the bytes; raises NotFound."""
        ...

    def get_file(self, key: str, path: Path) -> None:
        """Write the object to a file; raises NotFound."""
        ...

    def link(self, key: str, *, seconds: int, filename: str | None = None) -> str:
        """Return a URL that reads the object without credentials for so many seconds."""
        ...


class ErasableStore(Protocol):
    """A store of which whole folders can be erased."""

    def erase(self, folder: MediaFolder) -> int:
        """Delete every version of every object of the folder for good; return how many."""
        ...


@dataclass(frozen=True, slots=True)
class PresignedForm:
    """What to post, as multipart/form-data: the fields, and after them the `file`."""

    url: str
    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store knows of an object. `etag` is in double quotes, as HTTP sends it."""

    size_bytes: int
    media_type: str
    etag: str
    changed_at: datetime
    version_id: str


class ManagedStore(MediaStore, Protocol):
    """A media store in which clients leave things, ask after them and have them taken away."""

    def describe(self, key: str) -> ObjectInfo:
        """Say what is known of the object without reading it; raises NotFound."""
        ...

    def delete(self, *keys: str) -> None:
        """Delete the objects, up to 1,000; one that is not there is no error."""
        ...

    def delete_version(self, key: str, version_id: str) -> None:
        """Delete one version with its bytes, at once and for good."""
        ...

    def form(self, key: str, media_type: str, size_bytes: int, *, seconds: int) -> PresignedForm:
        """Return a form with which exactly such an object is put there, without credentials."""
        ...

    def begin_parts(self, key: str, media_type: str) -> str:
        """Begin an object that is sent in parts; return its name until it is whole."""
        ...

    def part_links(
        self, key: str, parts_id: str, sizes: Sequence[int], *, seconds: int
    ) -> list[str]:
        """Return a URL for each part, which takes exactly that many bytes."""
        ...

    def join_parts(self, key: str, parts_id: str, etags: Sequence[str]) -> None:
        """Make the object of all its parts; raises InvalidInput when they are not those sent."""
        ...

    def drop_parts(self, key: str, parts_id: str) -> None:
        """Forget the object and the parts that were sent; no error when that is done already."""
        ...
