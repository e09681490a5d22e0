"""The media store in Amazon S3."""

import re
import unicodedata
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from botocore.exceptions import BotoCoreError, ClientError

from common.aws import clients
from common.domain.errors import (
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    PermanentError,
    TransientError,
    VideoError,
)
from common.storage import MediaFolder, ObjectInfo, PresignedForm, StoredVersion

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectRequestTypeDef, ObjectIdentifierTypeDef

_PART_BYTES = 16 * 1024 * 1024
_WRONG_PARTS = {"InvalidPart", "InvalidPartOrder", "EntityTooSmall", "NoSuchUpload"}
_COPY_BYTES = 1024 * 1024


class S3MediaStore:
    """A media store in one private bucket, with presigned URLs for clients."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store bytes in one request; S3 verifies their checksum."""
        try:
            clients.s3().put_object(Bucket=self._bucket, Key=key, Body=data, ContentType=media_type)
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "stored") from error

    def put_file(self, key: str, path: Path, media_type: str) -> None:
        """Store a file; one of more than 16 MiB by a parallel multipart upload.

        Every part is sent with its SHA-256, so S3 rejects a part that was corrupted on the way.
        """
        # Imported here, because only the functions that store clips and videos need it.
        from s3transfer.manager import TransferConfig, TransferManager

        config = TransferConfig(
            multipart_threshold=_PART_BYTES,
            multipart_chunksize=_PART_BYTES,
            max_request_concurrency=4,
        )
        arguments = {"ContentType": media_type, "ChecksumAlgorithm": "SHA256"}
        try:
            with TransferManager(clients.s3(), config) as transfer:
                upload = transfer.upload(str(path), self._bucket, key, extra_args=arguments)
                upload.result()
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "stored") from error

    def get(self, key: str) -> bytes:
        """Return the object's bytes; raises NotFound."""
        try:
            return clients.s3().get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "read") from error

    def read_version(
        self, key: str, *, version_id: str | None = None, most_bytes: int
    ) -> StoredVersion:
        """Return one version of an object, by default the newest, with its metadata.

        Raises NotFound, and PayloadTooLarge without reading an object of more than `most_bytes`.
        """
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key}
        if version_id is not None:
            request["VersionId"] = version_id
        try:
            response = clients.s3().get_object(**request)
            with closing(response["Body"]) as body:
                if response["ContentLength"] > most_bytes:
                    raise PayloadTooLarge(
                        f"The object has {response['ContentLength']} bytes; the limit is "
                        f"{most_bytes}.",
                        code="inbox.too_large",
                    )
                data = body.read()
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "read") from error
        return StoredVersion(
            data, response["VersionId"], response["Metadata"], response["LastModified"]
        )

    def keys(self, prefix: str) -> list[str]:
        """Return up to 1,000 keys with the prefix."""
        try:
            response = clients.s3().list_objects_v2(Bucket=self._bucket, Prefix=prefix)
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "listed") from error
        return [entry["Key"] for entry in response.get("Contents", [])]

    def get_file(self, key: str, path: Path) -> None:
        """Download the object to a file; a failed download leaves no file. Raises NotFound."""
        try:
            body = clients.s3().get_object(Bucket=self._bucket, Key=key)["Body"]
            with path.open("wb") as file:
                for chunk in body.iter_chunks(_COPY_BYTES):
                    file.write(chunk)
        except (BotoCoreError, ClientError) as error:
            path.unlink(missing_ok=True)
            raise _app_error(error, "read") from error

    def describe(self, key: str) -> ObjectInfo:
        """Return the object's metadata without reading it; raises NotFound."""
        try:
            head = clients.s3().head_object(Bucket=self._bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "read") from error
        changed_at = head["LastModified"].astimezone(UTC)
        return ObjectInfo(
            head["ContentLength"], head["ContentType"], head["ETag"], changed_at, head["VersionId"]
        )

    def delete(self, *keys: str) -> None:
        """Delete objects. In a versioned bucket, the lifecycle rule removes the old versions."""
        if not keys:
            return
        try:
            self._delete_all([{"Key": key} for key in keys])
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "deleted") from error

    def erase(self, folder: MediaFolder) -> int:
        """Delete all versions of all objects in the folder, and their delete markers."""
        count = 0
        try:
            pages = clients.s3().get_paginator("list_object_versions")
            for page in pages.paginate(Bucket=self._bucket, Prefix=folder.prefix):
                entries = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
                if not entries:
                    continue
                self._delete_all(
                    [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in entries]
                )
                count += len(entries)
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "deleted") from error
        return count

    def _delete_all(self, objects: "Sequence[ObjectIdentifierTypeDef]") -> None:
        """Delete up to 1,000 objects or versions of objects in one request."""
        response = clients.s3().delete_objects(
            Bucket=self._bucket, Delete={"Objects": objects, "Quiet": True}
        )
        if response.get("Errors"):
            raise _incomplete_deletion(response["Errors"][0].get("Code", ""))

    def delete_version(self, key: str, version_id: str) -> None:
        """Delete one version of an object permanently."""
        try:
            clients.s3().delete_object(Bucket=self._bucket, Key=key, VersionId=version_id)
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "deleted") from error

    def form(self, key: str, media_type: str, size_bytes: int, *, seconds: int) -> PresignedForm:
        """Return a presigned POST for exactly this key, media type and size."""
        fields = {"Content-Type": media_type}
        signed = clients.s3().generate_presigned_post(
            self._bucket,
            key,
            Fields=fields,
            Conditions=[fields, ["content-length-range", size_bytes, size_bytes]],
            ExpiresIn=seconds,
        )
        return PresignedForm(signed["url"], signed["fields"])

    def create_multipart_upload(self, key: str, media_type: str) -> str:
        """Create a multipart upload and return its id."""
        try:
            upload = clients.s3().create_multipart_upload(
                Bucket=self._bucket, Key=key, ContentType=media_type
            )
        except (BotoCoreError, ClientError) as error:
            raise _app_error(error, "stored") from error
        return upload["UploadId"]

    def part_links(
        self, key: str, parts_id: str, sizes: Sequence[int], *, seconds: int
    ) -> list[str]:
        """Return a presigned URL for each part; its signature covers the part's size in bytes."""
        upload = {"Bucket": self._bucket, "Key": key, "UploadId": parts_id}
        return [
            clients.s3().generate_presigned_url(
                "upload_part",
                Params={**upload, "PartNumber": number, "ContentLength": size},
                ExpiresIn=seconds,
            )
            for number, size in enumerate(sizes, start=1)
        ]

    def complete_multipart_upload(self, key: str, parts_id: str, etags: Sequence[str]) -> None:
        """Complete a multipart upload; raises InvalidInput if the ETags do not match the parts."""
        try:
            clients.s3().complete_multipart_upload(
                Bucket=self._bucket,
                Key=key,
                UploadId=parts_id,
                MultipartUpload={
                    "Parts": [
                        {"PartNumber": number, "ETag": etag}
                        for number, etag in enumerate(etags, start=1)
                    ]
                },
            )
        except (BotoCoreError, ClientError) as error:
            if _code(error) in _WRONG_PARTS:
                raise InvalidInput(
                    "The ETags do not match the uploaded parts. Send the ETag of each part, in "
                    "order.",
                    field="etags",
                    code="upload.parts",
                ) from error
            raise _app_error(error, "stored") from error

    def abort_multipart_upload(self, key: str, parts_id: str) -> None:
        """Abort a multipart upload; a missing one is not an error."""
        try:
            clients.s3().abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=parts_id)
        except (BotoCoreError, ClientError) as error:
            if _code(error) != "NoSuchUpload":
                raise _app_error(error, "deleted") from error

    def location(self, key: str) -> str:
        """Return the `s3://` URI of a key, for AWS services that write to the bucket."""
        return f"s3://{self._bucket}/{key}"

    def link(
        self,
        key: str,
        *,
        seconds: int,
        filename: str | None = None,
        method: Literal["GET", "HEAD"] = "GET",
    ) -> str:
        """Return a presigned URL that allows only the method.

        It expires after `seconds`, or earlier with the session of the function's role.
        """
        request: GetObjectRequestTypeDef = {"Bucket": self._bucket, "Key": key}
        if filename:
            request["ResponseContentDisposition"] = disposition(filename)
        return clients.s3().generate_presigned_url(
            f"{method.lower()}_object", Params=dict(request), ExpiresIn=seconds
        )


def disposition(filename: str) -> str:
    """Return a Content-Disposition header (RFC 6266) with an ASCII fallback for old clients."""
    plain = unicodedata.normalize("NFKD", filename).encode("ascii", "ignore").decode()
    stem, dot, suffix = re.sub(r"[^\w.-]+", "", plain).rpartition(".")
    fallback = f"{stem.strip('-.') or 'video'}{dot}{suffix}"
    return f"attachment; filename=\"{fallback}\"; filename*=UTF-8''{quote(filename, safe='')}"


def _incomplete_deletion(code: str) -> TransientError:
    return TransientError(
        f"S3 did not delete all objects ({code}). Try again.", code="storage.unavailable"
    )


def _code(error: BotoCoreError | ClientError) -> str:
    """Return S3's error code; an empty string if the error is not a response of S3."""
    return error.response.get("Error", {}).get("Code", "") if isinstance(error, ClientError) else ""


def _app_error(error: BotoCoreError | ClientError, done: str) -> VideoError:
    """Translate an S3 error to one of the application, by code and status."""
    if not isinstance(error, ClientError):
        return TransientError(
            f"S3 could not be reached; nothing was {done}. Try again.", code="storage.unavailable"
        )
    code = _code(error)
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # Without the permission to list the bucket, S3 responds with 403 for a missing object.
    if code in {"NoSuchKey", "404"} or (done == "read" and code in {"AccessDenied", "403"}):
        return NotFound("The media object does not exist.", code="storage.not_found")
    if status >= 500 or status == 429 or code in {"SlowDown", "RequestTimeout"}:
        return TransientError(
            f"S3 is busy; nothing was {done}. Try again.", code="storage.unavailable"
        )
    return PermanentError(
        f"S3 refused the request with {code or status}; nothing was {done}.",
        code="storage.refused",
    )
