"""Use cases of the first version's endpoints for files: fresh links, conversion, small uploads.

A key that a client names is looked up among the owner's media, never used as it is.
"""

import base64
import hashlib
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from api.schemas.files import (
    ConvertedImage,
    ConvertImage,
    ImageUrl,
    PendingVideoUpload,
    PresignedUrl,
    UploadImage,
    UploadVideo,
    VideoUrl,
)
from api.schemas.uploads import CreateUpload
from api.services.links import LinkService
from api.services.uploads import UploadService
from common.application.image_inputs import media_key_in
from common.database import Database, media, uploads
from common.database.media import Media
from common.database.uploads import Upload
from common.domain import ids
from common.domain.caller import Caller
from common.domain.errors import InvalidInput, MediaError, NotFound, PayloadTooLarge
from common.domain.signed_links import MAX_SECONDS
from common.domain.uploads import InspectedUpload
from common.schemas import data_uri
from common.schemas.base import is_storable
from common.storage import ManagedStore, MediaFolder, upload_key

_WAIT_SECONDS = 12.0
_LOOK_SECONDS = 0.2
# The answer holds a picture twice in base64, and a function answers with at most 6 MB.
_MAX_CONVERTED_BYTES = 2_200_000
_MAX_QUERY_FIELDS = 20  # sites that pass links on add some of their own


@dataclass(frozen=True, slots=True)
class FileService:
    """The use cases, with what they work on. `address` is the API's own, below."""

    database: Database
    store: ManagedStore
    links: LinkService
    uploads: UploadService
    bucket: str

    def link(
        self,
        caller: Caller | None,
        capability: str | None,
        *,
        media_id: str | None,
        key: str | None,
        seconds: int,
        address: str,
    ) -> PresignedUrl:
        """Return fresh links to what the capability opens, or to one of the caller's own media."""
        item, left = self._found(caller, capability, media_id, key)
        seconds = min(seconds, left)
        located = self._located(item, seconds, address)
        return PresignedUrl(**located, url=located["proxyUrl"])

    def convert(
        self, caller: Caller | None, capability: str | None, wish: ConvertImage | None
    ) -> ConvertedImage:
        """Return a picture as text; raises NotFound, InvalidInput or PayloadTooLarge."""
        wish = wish or ConvertImage()
        key = wish.s3Key
        if wish.imageUrl is not None:
            key = media_key_in(wish.imageUrl, self.bucket)
            if key is None or not is_storable(key):
                raise NotFound("The URL is not a link that this API gave out.")
            capability = capability or _capability_in(wish.imageUrl)
        place = self._key_of(caller, capability, wish.id, key)
        stored = self.store.describe(place)
        if not stored.media_type.startswith("image/"):
            raise InvalidInput("The media object is not a picture.", code="media.not_a_picture")
        if stored.size_bytes > _MAX_CONVERTED_BYTES:
            raise PayloadTooLarge(
                "The picture has too many bytes for an answer; read it by its proxyUrl.",
                code="image.too_large",
            )
        text = base64.b64encode(self.store.get(place)).decode()
        return ConvertedImage(
            s3Key=place,
            contentType=stored.media_type,
            base64=text,
            image=f"data:{stored.media_type};base64,{text}",
        )

    def upload_image(self, caller: Caller, wish: UploadImage, address: str) -> ImageUrl:
        """Store a picture that is sent whole, cleaned, and return links to it."""
        from common.media import images  # late: Pillow is only needed for requests with a picture

        picture = images.read(wish.image, "image")
        width, height = images.size(picture)
        media_id = ids.new("med")
        found = InspectedUpload(
            media_type=picture.media_type,
            key=MediaFolder(caller.user_id, media_id).upload("image", "png"),
            size_bytes=len(picture.data),
            sha256=hashlib.sha256(picture.data).hexdigest(),
            width=width,
            height=height,
        )
        announced = Upload(
            media_id=media_id,
            user_id=caller.user_id,
            kind="image",
            media_type=found.media_type,
            size_bytes=found.size_bytes,
            name=wish.fileName,
            request_id=wish.requestId,
        )
        with self.database.transaction() as cursor:
            uploads.insert(cursor, announced)
            uploads.finish(cursor, media_id, found)
            # Before the commit: a row without its object must not exist.
            self.store.put(found.key, picture.data, found.media_type)
            item = media.get(cursor, media_id, caller.user_id)
        located = self._located(item, wish.expiresIn, address)
        return ImageUrl(**located, imageUrl=located["proxyUrl"])

    def upload_video(
        self, caller: Caller, wish: UploadVideo, address: str
    ) -> VideoUrl | PendingVideoUpload:
        """Take a small video, or say how a large one is sent; raises MediaError for a bad one."""
        if wish.video is None:
            return self._in_parts(caller, wish, address)
        data = _bytes_of(wish.video)
        media_id = ids.new("med")
        announced = Upload(
            media_id=media_id,
            user_id=caller.user_id,
            kind="video",
            media_type=wish.contentType,
            size_bytes=len(data),
            name=wish.fileName,
            request_id=wish.requestId,
        )
        with self.database.transaction() as cursor:
            uploads.check_pending(cursor, announced.user_id, announced.size_bytes)
            uploads.insert(cursor, announced)
        # From here it goes the way of every upload: looked at by the function `register`.
        self.store.put(upload_key(caller.user_id, media_id), data, wish.contentType)
        item = self._settled(caller, media_id)
        if item.status == "pending":
            return self._awaited(caller, media_id, wish, address)
        if item.error is not None:
            raise MediaError(item.error["detail"], code=item.error["code"], field="video")
        located = self._located(item, wish.expiresIn, address)
        return VideoUrl(**located, videoUrl=located["proxyUrl"])

    def _key_of(
        self, caller: Caller | None, capability: str | None, media_id: str | None, key: str | None
    ) -> str:
        """Return the key of a media object, or of another file that a link of a video opens."""
        try:
            return str(self._found(caller, capability, media_id, key)[0].key)
        except NotFound:
            if capability is None or key is None or media_id is not None:
                raise
        self.links.lead("image", key, capability, "GET")
        return key

    def _found(
        self, caller: Caller | None, capability: str | None, media_id: str | None, key: str | None
    ) -> tuple[Media, int]:
        """Return the media object, and for how many seconds more its reader may read it."""
        if capability is not None:
            opened = self.links.open(capability, "GET")
            item, seconds = opened.media, max(opened.seconds, 1)
            if (media_id or item.media_id, key or item.key) != (item.media_id, item.key):
                raise NotFound("The link leads to no such media object.")
        elif caller is None:
            raise NotFound("There is no such media object, or no right to read it was sent.")
        elif (media_id is None) == (key is None):
            raise InvalidInput("Name the media object: by its id or by its key.", field="id")
        else:
            with self.database.transaction() as cursor:
                item = (
                    media.get(cursor, media_id, caller.user_id)
                    if media_id
                    else media.by_key(cursor, str(key), caller.user_id)
                )
            seconds = MAX_SECONDS
        if item.key is None:
            raise NotFound(f"The media object is {item.status}; there is nothing to read.")
        return item, seconds

    def _located(self, item: Media, seconds: int, address: str) -> dict[str, Any]:
        with self.database.transaction() as cursor:
            epoch = media.epoch(cursor, item.user_id)
            name = media.request_name(cursor, item)
        return {
            "id": item.media_id,
            "s3Key": item.key,
            "userId": item.user_id,
            "requestId": name or item.video_id or item.media_id,
            "proxyUrl": self.links.make(address, item, epoch=epoch, seconds=seconds).url,
            "expiresIn": seconds,
        }

    def _in_parts(self, caller: Caller, wish: UploadVideo, address: str) -> PendingVideoUpload:
        announced = CreateUpload(
            media_type=wish.contentType,
            size_bytes=wish.fileSize or 0,
            name=wish.fileName,
            in_parts=True,
        )
        made = self.uploads.create(caller, announced, wish.requestId)
        assert made.parts is not None  # it was asked for
        return self._awaited(caller, made.id, wish, address).model_copy(
            update={
                "partSize": made.parts.size_bytes,
                "uploadUrls": made.parts.urls,
                "completeUrl": f"{address}{made.links.complete}",
            }
        )

    def _awaited(
        self, caller: Caller, media_id: str, wish: UploadVideo, address: str
    ) -> PendingVideoUpload:
        return PendingVideoUpload(
            id=media_id,
            userId=caller.user_id,
            requestId=wish.requestId or media_id,
            statusUrl=f"{address}/v1/media/{media_id}",
            partSize=None,
            uploadUrls=None,
            completeUrl=None,
        )

    def _settled(self, caller: Caller, media_id: str) -> Media:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            with self.database.transaction() as cursor:
                item = media.get(cursor, media_id, caller.user_id)
            if item.status != "pending" or time.monotonic() > deadline:
                return item
            time.sleep(_LOOK_SECONDS)


def _capability_in(url: str) -> str | None:
    """Return the capability that a link of ours carries."""
    try:
        query = parse_qs(urlsplit(url).query, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        return None
    return query.get("t", [None])[-1]


def _bytes_of(text: str) -> bytes:
    try:
        data = data_uri.decode(text)
    except data_uri.Oversize:
        raise PayloadTooLarge(
            f"A video that is sent whole has at most {data_uri.MOST_BYTES / 1e6:.1f} MB. Send its "
            "fileSize instead, and then its parts.",
            field="video",
            code="upload.too_large",
        ) from None
    except ValueError:
        data = b""
    if not data:
        raise InvalidInput(
            "The video is not base64, nor a data URI.", field="video", code="upload.encoding"
        )
    return data
