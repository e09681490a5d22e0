"""Use cases of the legacy endpoints for files: fresh links, conversion, small uploads.

An S3 key from a client is looked up among the media of its owner; it is never used directly.
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
_POLL_SECONDS = 0.2
# The response contains the image twice in base64, and Lambda limits a response to 6 MB.
_MAX_CONVERTED_BYTES = 2_200_000
_MAX_QUERY_FIELDS = 20  # sites that forward links append tracking parameters


@dataclass(frozen=True, slots=True)
class FileService:
    """The use cases of the legacy endpoints for files. `address` is the base URL of the API."""

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
        """Return a fresh link to the object of the capability, or to one of the caller's media.

        A link made with a capability expires no later than the capability.
        """
        item, remaining = self._find(caller, capability, media_id, key)
        seconds = min(seconds, remaining)
        fields = self._link_fields(item, seconds, address)
        return PresignedUrl(**fields, url=fields["proxyUrl"])

    def convert(
        self, caller: Caller | None, capability: str | None, request: ConvertImage | None
    ) -> ConvertedImage:
        """Return an image in base64; raises NotFound, InvalidInput or PayloadTooLarge."""
        request = request or ConvertImage()
        key = request.s3Key
        if request.imageUrl is not None:
            key = media_key_in(request.imageUrl, self.bucket)
            if key is None or not is_storable(key):
                raise NotFound("The URL is not a signed link of this API.")
            capability = capability or _capability_in(request.imageUrl)
        stored_key = self._key_of(caller, capability, request.id, key)
        stored = self.store.describe(stored_key)
        if not stored.media_type.startswith("image/"):
            raise InvalidInput("The media object is not an image.", code="media.not_a_picture")
        if stored.size_bytes > _MAX_CONVERTED_BYTES:
            raise PayloadTooLarge(
                "The image is too large for a JSON response. Read it from its proxyUrl.",
                code="image.too_large",
            )
        text = base64.b64encode(self.store.get(stored_key)).decode()
        return ConvertedImage(
            s3Key=stored_key,
            contentType=stored.media_type,
            base64=text,
            image=f"data:{stored.media_type};base64,{text}",
        )

    def upload_image(self, caller: Caller, request: UploadImage, address: str) -> ImageUrl:
        """Re-encode and store an image; return links to it."""
        from common.media import images  # imported late, to keep Pillow out of cold starts

        image = images.read(request.image, "image")
        width, height = images.size(image)
        media_id = ids.new("med")
        inspected = InspectedUpload(
            media_type=image.media_type,
            key=MediaFolder(caller.user_id, media_id).upload("image", "png"),
            size_bytes=len(image.data),
            sha256=hashlib.sha256(image.data).hexdigest(),
            width=width,
            height=height,
        )
        upload = Upload(
            media_id=media_id,
            user_id=caller.user_id,
            kind="image",
            media_type=inspected.media_type,
            size_bytes=inspected.size_bytes,
            name=request.fileName,
            request_id=request.requestId,
        )
        with self.database.transaction() as cursor:
            uploads.insert(cursor, upload)
            uploads.finish(cursor, media_id, inspected)
            # Before the commit: a row without its object must not exist.
            self.store.put(inspected.key, image.data, inspected.media_type)
            item = media.get(cursor, media_id, caller.user_id)
        fields = self._link_fields(item, request.expiresIn, address)
        return ImageUrl(**fields, imageUrl=fields["proxyUrl"])

    def upload_video(
        self, caller: Caller, request: UploadVideo, address: str
    ) -> VideoUrl | PendingVideoUpload:
        """Store a small video, or start a multipart upload.

        Raises MediaError if the video is invalid.
        """
        if request.video is None:
            return self._start_multipart(caller, request, address)
        data = _bytes_of(request.video)
        media_id = ids.new("med")
        upload = Upload(
            media_id=media_id,
            user_id=caller.user_id,
            kind="video",
            media_type=request.contentType,
            size_bytes=len(data),
            name=request.fileName,
            request_id=request.requestId,
        )
        with self.database.transaction() as cursor:
            uploads.check_pending(cursor, upload.user_id, upload.size_bytes)
            uploads.insert(cursor, upload)
        # From here on it is an ordinary upload, which the function `register` inspects.
        self.store.put(upload_key(caller.user_id, media_id), data, request.contentType)
        item = self._wait_until_inspected(caller, media_id)
        if item.status == "pending":
            return self._pending(caller, media_id, request, address)
        if item.error is not None:
            raise MediaError(item.error["detail"], code=item.error["code"], field="video")
        fields = self._link_fields(item, request.expiresIn, address)
        return VideoUrl(**fields, videoUrl=fields["proxyUrl"])

    def _key_of(
        self, caller: Caller | None, capability: str | None, media_id: str | None, key: str | None
    ) -> str:
        """Return the key of a media object, or of another file of a video with a signed link."""
        try:
            return str(self._find(caller, capability, media_id, key)[0].key)
        except NotFound:
            if capability is None or key is None or media_id is not None:
                raise
        self.links.authorize("image", key, capability, "GET")
        return key

    def _find(
        self, caller: Caller | None, capability: str | None, media_id: str | None, key: str | None
    ) -> tuple[Media, int]:
        """Return the media object, and the remaining seconds of the permission to read it."""
        if capability is not None:
            link = self.links.open(capability, "GET")
            item, seconds = link.media, max(link.seconds, 1)
            if (media_id or item.media_id, key or item.key) != (item.media_id, item.key):
                raise NotFound("The signed link is not valid for this media object.")
        elif caller is None:
            raise NotFound(
                "The media object does not exist, or the request has neither an API key nor a "
                "signed link."
            )
        elif (media_id is None) == (key is None):
            raise InvalidInput("Send either the id or the key of the media object.", field="id")
        else:
            with self.database.transaction() as cursor:
                item = (
                    media.get(cursor, media_id, caller.user_id)
                    if media_id
                    else media.by_key(cursor, str(key), caller.user_id)
                )
            seconds = MAX_SECONDS
        if item.key is None:
            raise NotFound(f"The media object is {item.status}, so it has no file.")
        return item, seconds

    def _link_fields(self, item: Media, seconds: int, address: str) -> dict[str, Any]:
        with self.database.transaction() as cursor:
            epoch = media.epoch(cursor, item.user_id)
            request_id = media.request_name(cursor, item)
        return {
            "id": item.media_id,
            "s3Key": item.key,
            "userId": item.user_id,
            "requestId": request_id or item.video_id or item.media_id,
            "proxyUrl": self.links.make(address, item, epoch=epoch, seconds=seconds).url,
            "expiresIn": seconds,
        }

    def _start_multipart(
        self, caller: Caller, request: UploadVideo, address: str
    ) -> PendingVideoUpload:
        create = CreateUpload(
            media_type=request.contentType,
            size_bytes=request.fileSize or 0,
            name=request.fileName,
            in_parts=True,
        )
        upload = self.uploads.create(caller, create, request.requestId)
        assert upload.parts is not None  # because of `in_parts`
        return self._pending(caller, upload.id, request, address).model_copy(
            update={
                "partSize": upload.parts.size_bytes,
                "uploadUrls": upload.parts.urls,
                "completeUrl": f"{address}{upload.links.complete}",
            }
        )

    def _pending(
        self, caller: Caller, media_id: str, request: UploadVideo, address: str
    ) -> PendingVideoUpload:
        return PendingVideoUpload(
            id=media_id,
            userId=caller.user_id,
            requestId=request.requestId or media_id,
            statusUrl=f"{address}/v1/media/{media_id}",
            partSize=None,
            uploadUrls=None,
            completeUrl=None,
        )

    def _wait_until_inspected(self, caller: Caller, media_id: str) -> Media:
        deadline = time.monotonic() + _WAIT_SECONDS
        while True:
            with self.database.transaction() as cursor:
                item = media.get(cursor, media_id, caller.user_id)
            if item.status != "pending" or time.monotonic() > deadline:
                return item
            time.sleep(_POLL_SECONDS)


def _capability_in(url: str) -> str | None:
    """Return the capability in the query of a signed link."""
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
            f"A video in a single request can have at most {data_uri.MAX_BYTES / 1e6:.1f} MB. "
            "Send its fileSize instead, and then upload it in parts.",
            field="video",
            code="upload.too_large",
        ) from None
    except ValueError:
        data = b""
    if not data:
        raise InvalidInput(
            "The video is neither base64 nor a data URI.", field="video", code="upload.encoding"
        )
    return data
