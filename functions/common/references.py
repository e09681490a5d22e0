"""A picture, however a client names it: in itself, as an object of theirs, or by a URL."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from common.database import Database, media
from common.errors import InvalidInput, NotFound, PayloadTooLarge
from common.foreign import ForeignHttps
from common.storage import MediaStore
from common.video import Picture

_TYPES = ("image/png", "image/jpeg", "image/webp")
_MEDIA_ID = re.compile(r"med_[0-9A-Z]{26}")
_KEY = re.compile(
    r"[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}/(?:reference-frames|user-uploads)/[\w.-]+"
)
_KEY_PARTS = 4


@dataclass(frozen=True, slots=True)
class Source:
    """A clean picture, and the key of the owner's object that it was read from, if it was one."""

    picture: Picture
    key: str | None = None


@dataclass(frozen=True, slots=True)
class References:
    """Reads pictures of a user."""

    database: Database
    store: MediaStore
    foreign: ForeignHttps = field(default_factory=ForeignHttps)

    def read(self, user_id: str, text: str, named: str) -> Source:
        """Return the picture that the request's field `named` names.

        That is base64 or a data URI, the id or key of one of the user's media, any link that this
        API gave out for one, or an https URL of anybody. Raises InvalidInput, PayloadTooLarge, or
        NotFound for what is not the user's.
        """
        key = self._own(user_id, text, named)
        if key is not None:
            return Source(_clean(self.store.get(key), named), key)
        if "://" in text[:10]:
            return Source(_clean(self._fetch(text, named), named))
        return Source(_inline(text, named))

    def _own(self, user_id: str, text: str, named: str) -> str | None:
        """Return the key of the object that the text names; None if it names none of ours."""
        with self.database.transaction() as cursor:
            if _MEDIA_ID.fullmatch(text):
                item = media.get(cursor, text, user_id)
            elif (key := _key_in(text)) is not None and key.startswith(f"{user_id}/"):
                item = media.by_key(cursor, key, user_id)
            elif _KEY.fullmatch(text):
                raise NotFound("There is no such media object.")
            else:
                return None
        if item.key is None or item.media_type not in _TYPES:
            raise InvalidInput("It is no picture that is ready.", field=named)
        return item.key

    def _fetch(self, url: str, named: str) -> bytes:
        return self.foreign.fetch(url, named=named, accepts=_TYPES).data


def _key_in(text: str) -> str | None:
    """Return the key in a link that the API or the store gave out, or the text if it is one."""
    path = text
    if "://" in text[:10]:
        parts = unquote(urlsplit(text).path).split("/")
        path = "/".join(parts[-_KEY_PARTS:])
    return path if _KEY.fullmatch(path) else None


def _clean(data: bytes, named: str) -> Picture:
    # Imported here: Pillow is only needed for requests with a picture.
    from common import pictures

    try:
        return pictures.clean(data)
    except InvalidInput as error:
        raise _about(error, named) from None


def _inline(text: str, named: str) -> Picture:
    from common import pictures

    try:
        return pictures.read(text)
    except InvalidInput as error:
        raise _about(error, named) from None
    except PayloadTooLarge as error:
        raise PayloadTooLarge(error.detail, field=named, code=error.error_code) from None


def _about(error: InvalidInput, named: str) -> InvalidInput:
    return InvalidInput(error.detail, field=named, allowed=error.allowed, code=error.error_code)
