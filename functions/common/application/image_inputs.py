"""A picture, however a client names it: in itself, as an object of theirs, or by a URL.

A link that this API or its store gave out is never visited: the key in it is looked up among the
owner's media, like one that is sent by itself.
"""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from common.database import Cursor, Database, media
from common.domain.errors import InvalidInput, NotFound
from common.domain.uploads import PICTURES
from common.domain.video import EncodedImage
from common.fetch import SafeHttpsClient
from common.schemas.base import is_storable
from common.schemas.requests import CreateVideoRequest
from common.storage import MediaFolder, MediaStore

_MEDIA_ID = re.compile(r"med_[0-9A-Z]{26}")
_KEY = re.compile(
    r"[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,64}/(?:reference-frames|user-uploads)/[\w.-]+"
)
_BESIDE = re.compile(
    r"[A-Za-z0-9_-]{1,64}/vid_[0-9A-Z]{26}/(?:user-uploads/reference_image[0-9_]+\.png"
    r"|video-clips/(?:final_video|thumbnail)[0-9_]+\.(?:jpg|webp|png))"
)
_PROXY = re.compile(r"/api/proxy_s3_(?:image|video)/")


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """A clean picture, and the key of the owner's object that it was read from, if it was one.

    `fitted`: it is not as that object holds it, because it had to get another size.
    """

    picture: EncodedImage
    key: str | None = None
    fitted: bool = False


@dataclass(frozen=True, slots=True)
class ImageInputs:
    """Reads pictures of a user. `bucket` is the store's, by which its own links are known."""

    database: Database
    store: MediaStore
    bucket: str
    foreign: SafeHttpsClient = field(default_factory=SafeHttpsClient)

    def read(
        self, user_id: str, text: str, named: str, size: tuple[int, int] | None = None
    ) -> ResolvedImage:
        """Return the picture that the request's field `named` names; as `read_all`."""
        (source,) = self.read_all(user_id, {named: text}, size)
        return source

    def read_all(
        self, user_id: str, texts: Mapping[str, str], size: tuple[int, int] | None = None
    ) -> list[ResolvedImage]:
        """Return the pictures that the fields of a request name, at that size if one is given.

        Each is base64 or a data URI, the id or key of one of the user's media, any link that this
        API gave out for one, or an https URL of anybody. URLs are fetched side by side, so that
        all of them take as long as one may. Raises InvalidInput, PayloadTooLarge, or NotFound for
        what is not the user's.
        """
        # Imported here: Pillow is only needed for requests with a picture.
        from common.media import images

        keys = {named: self._own(user_id, text, named) for named, text in texts.items()}

        def file(named: str) -> bytes:
            key, text = keys[named], texts[named]
            if key is not None:
                return self.store.get(key)
            if _is_url(text):
                return self.foreign.fetch(text, named=named, accepts=PICTURES).data
            return images.file_in(text, named)

        with ThreadPoolExecutor(len(texts)) as pool:
            files = dict(zip(texts, pool.map(file, texts), strict=True))
        if len(files) > 1:
            images.check_total(files)
        return [_source(files[named], named, key, size) for named, key in keys.items()]

    def resolve(self, user_id: str, wish: CreateVideoRequest) -> EncodedImage | None:
        """Return the reference picture of a wish, in whichever of its three fields it is.

        Raises InvalidInput or PayloadTooLarge about that field.
        """
        if wish.image:
            from common.media import images

            return images.read(wish.image, "image")
        named, text = (
            ("image_id", wish.image_id) if wish.image_id else ("image_url", wish.image_url)
        )
        if not text:
            return None
        if named == "image_url" and not _is_url(text):
            raise InvalidInput("It is no URL.", field=named, code="url.invalid")
        try:
            return self.read(user_id, text, named).picture
        except NotFound as error:
            raise InvalidInput(error.detail, field=named) from None

    def _own(self, user_id: str, text: str, named: str) -> str | None:
        """Return the key of the object that the text names; None if it names none of ours."""
        key = media_key_in(text, self.bucket)
        if key is None and not _MEDIA_ID.fullmatch(text):
            return None
        if key is not None and not is_storable(key):
            raise InvalidInput("It is no link to media.", field=named, code="url.invalid")
        with self.database.transaction() as cursor:
            if key is not None and _is_beside_media(cursor, key, user_id):
                return key
            if key is None:
                item = media.get(cursor, text, user_id)
            else:
                item = media.by_key(cursor, key, user_id)
        if item.key is None or item.media_type not in PICTURES:
            raise InvalidInput("It is not an image, or the image is not ready yet.", field=named)
        return item.key


def _source(
    data: bytes, named: str, key: str | None, size: tuple[int, int] | None
) -> ResolvedImage:
    from common.media import images

    if key is None or size is None:
        return ResolvedImage(images.clean(data, named, size), key)
    stored = EncodedImage(data)
    fitted = images.fit(stored, size)
    return ResolvedImage(fitted, key, fitted=fitted is not stored)


def media_key_in(text: str, bucket: str) -> str | None:
    """Return the key in a link that the API or its store gave out, or the text if it is one."""
    if not _is_url(text):
        return text if _KEY.fullmatch(text) else None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    path = unquote(parts.path)
    if _PROXY.search(path):
        return _PROXY.split(path)[-1]
    if parts.netloc.startswith(f"{bucket}.s3"):
        return path.removeprefix("/")
    if path.startswith(f"/{bucket}/"):
        return path.removeprefix(f"/{bucket}/")
    return None


def _is_beside_media(cursor: Cursor, key: str, user_id: str) -> bool:
    """Return whether it is a picture of the user's video that is no media object of its own.

    The API gives out links to these too: posters, thumbnails and reference pictures.
    """
    if not _BESIDE.fullmatch(key):
        return False
    folder = MediaFolder.of(key)
    return folder.user_id == user_id and media.is_video_of(cursor, folder.video_id, user_id)


def _is_url(text: str) -> bool:
    return "://" in text[:10]
