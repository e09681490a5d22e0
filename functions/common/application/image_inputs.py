"""Input images of clients: inline, as a media object of the user, or by URL.

A link of this API or its bucket is never fetched: its key is looked up among the user's media, like
a key that is sent directly.
"""

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from common.database import Cursor, Database, media
from common.domain.errors import InvalidInput, NotFound
from common.domain.uploads import IMAGE_TYPES
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
    """A sanitized image, and the key of the user's media object if it was read from one.

    `fitted` is true if the image differs from that object because it was resized.
    """

    picture: EncodedImage
    key: str | None = None
    fitted: bool = False


@dataclass(frozen=True, slots=True)
class ImageInputs:
    """Reads input images of users. Links to `bucket` are recognized as links to media."""

    database: Database
    store: MediaStore
    bucket: str
    client: SafeHttpsClient = field(default_factory=SafeHttpsClient)

    def read(
        self, user_id: str, text: str, named: str, size: tuple[int, int] | None = None
    ) -> ResolvedImage:
        """Return the image of the request's field `named`; see `read_all`."""
        (source,) = self.read_all(user_id, {named: text}, size)
        return source

    def read_all(
        self, user_id: str, texts: Mapping[str, str], size: tuple[int, int] | None = None
    ) -> list[ResolvedImage]:
        """Return the images of a request's fields, resized to `size` (width, height) if given.

        `texts` maps field names to base64, a data URI, the id or key of one of the user's media, a
        link of this API to one, or any public https URL. URLs are fetched in parallel, so all of
        them together take no longer than the limit of one. Raises InvalidInput, PayloadTooLarge,
        and NotFound for media that are not the user's.
        """
        # Imported here: Pillow is only needed for requests with an image.
        from common.media import images

        keys = {named: self._media_key(user_id, text, named) for named, text in texts.items()}

        def file(named: str) -> bytes:
            key, text = keys[named], texts[named]
            if key is not None:
                return self.store.get(key)
            if _is_url(text):
                return self.client.fetch(text, named=named, accepts=IMAGE_TYPES).data
            return images.decode_base64(text, named)

        with ThreadPoolExecutor(len(texts)) as pool:
            files = dict(zip(texts, pool.map(file, texts), strict=True))
        if len(files) > 1:
            images.check_total(files)
        return [_resolved(files[named], named, key, size) for named, key in keys.items()]

    def resolve(self, user_id: str, request: CreateVideoRequest) -> EncodedImage | None:
        """Return the reference image from `image`, `image_id` or `image_url`; None without one.

        Raises InvalidInput or PayloadTooLarge with the name of that field.
        """
        if request.image:
            from common.media import images

            return images.read(request.image, "image")
        named, text = (
            ("image_id", request.image_id) if request.image_id else ("image_url", request.image_url)
        )
        if not text:
            return None
        if named == "image_url" and not _is_url(text):
            raise InvalidInput("The value is not a URL.", field=named, code="url.invalid")
        try:
            return self.read(user_id, text, named).picture
        except NotFound as error:
            raise InvalidInput(error.detail, field=named) from None

    def _media_key(self, user_id: str, text: str, named: str) -> str | None:
        """Return the key of the user's media object in the text; None if there is none in it."""
        key = media_key_in(text, self.bucket)
        if key is None and not _MEDIA_ID.fullmatch(text):
            return None
        if key is not None and not is_storable(key):
            raise InvalidInput("The link does not name media.", field=named, code="url.invalid")
        with self.database.transaction() as cursor:
            if key is not None and _is_beside_media(cursor, key, user_id):
                return key
            if key is None:
                item = media.get(cursor, text, user_id)
            else:
                item = media.by_key(cursor, key, user_id)
        if item.key is None or item.media_type not in IMAGE_TYPES:
            raise InvalidInput(
                "The media object is not an image, or the image is not ready yet.", field=named
            )
        return item.key


def _resolved(
    data: bytes, named: str, key: str | None, size: tuple[int, int] | None
) -> ResolvedImage:
    from common.media import images

    if key is None or size is None:
        return ResolvedImage(images.clean(data, named, size), key)
    stored = EncodedImage(data)
    fitted = images.fit(stored, size)
    return ResolvedImage(fitted, key, fitted=fitted is not stored)


def media_key_in(text: str, bucket: str) -> str | None:
    """Return the S3 key in a link of the API or its bucket, or the text if it is a key itself."""
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
    """Return whether the key is an image of the user's video without a media object.

    These are posters, thumbnails and reference images, to which the API returns links too.
    """
    if not _BESIDE.fullmatch(key):
        return False
    folder = MediaFolder.of(key)
    return folder.user_id == user_id and media.is_video_of(cursor, folder.video_id, user_id)


def _is_url(text: str) -> bool:
    return "://" in text[:10]
