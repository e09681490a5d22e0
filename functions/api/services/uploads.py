"""Use cases of uploads: create, complete, abort. `functions/register` inspects the files."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from api.schemas.uploads import (
    CompleteUpload,
    CreateUpload,
    UploadForm,
    UploadLinks,
    UploadObject,
    UploadParts,
)
from common.database import Database, media, uploads
from common.database.uploads import Upload
from common.domain import ids
from common.domain.caller import Caller
from common.domain.errors import Conflict, InvalidInput, NotFound
from common.domain.uploads import (
    MOST_BYTES,
    PARTS_FROM_BYTES,
    SECONDS_TO_SEND,
    SUFFIXES,
    kind_of,
    part_sizes,
)
from common.storage import ManagedStore, upload_key


@dataclass(frozen=True, slots=True)
class UploadService:
    """The use cases of uploads."""

    database: Database
    store: ManagedStore

    def create(
        self, caller: Caller, request: CreateUpload, request_id: str | None = None
    ) -> UploadObject:
        """Create an upload; return the form or part URLs for its bytes.

        Raises TooManyRequests or PayloadTooLarge if the caller has too many pending uploads.
        """
        upload = replace(_new_upload(caller, request), request_id=request_id)
        key = upload_key(upload.user_id, upload.media_id)
        form = parts = parts_id = None
        with self.database.transaction() as cursor:
            uploads.check_pending(cursor, upload.user_id, upload.size_bytes)
            if upload.size_bytes >= PARTS_FROM_BYTES or request.in_parts:
                parts_id = self.store.create_multipart_upload(key, upload.media_type)
            uploads.insert(cursor, replace(upload, multipart_id=parts_id))
        if parts_id is not None:
            sizes = part_sizes(upload.size_bytes)
            urls = self.store.part_links(key, parts_id, sizes, seconds=SECONDS_TO_SEND)
            parts = UploadParts(urls=urls)  # type: ignore[call-arg]  # mypy misses the default
        else:
            presigned = self.store.form(
                key, upload.media_type, upload.size_bytes, seconds=SECONDS_TO_SEND
            )
            form = UploadForm(url=presigned.url, fields=dict(presigned.fields))
        path = f"/v1/uploads/{upload.media_id}"
        return UploadObject(
            id=upload.media_id,
            media_type=upload.media_type,
            size_bytes=upload.size_bytes,
            form=form,
            parts=parts,
            expires_at=datetime.now(UTC) + timedelta(seconds=SECONDS_TO_SEND),
            links=UploadLinks(
                self=f"/v1/media/{upload.media_id}",
                complete=f"{path}/complete" if parts else None,
                abort=f"{path}/abort",
            ),
        )

    def complete(self, caller: Caller, media_id: str, request: CompleteUpload) -> None:
        """Complete a multipart upload; its inspection then starts.

        Raises NotFound, InvalidInput for a wrong number of ETags, and Conflict for an upload that
        is not multipart or is already settled.
        """
        upload = self._pending(caller, media_id)
        if upload.multipart_id is None:
            raise Conflict(
                "This upload has a form and no parts, so it needs no completion.",
                code="upload.no_parts",
            )
        count = len(part_sizes(upload.size_bytes))
        if len(request.etags) != count:
            raise InvalidInput(
                f"The upload has {count} parts, but {len(request.etags)} ETags were sent.",
                field="etags",
                code="upload.parts",
            )
        key = upload_key(upload.user_id, upload.media_id)
        self.store.complete_multipart_upload(key, upload.multipart_id, request.etags)

    def abort(self, caller: Caller, media_id: str) -> None:
        """Delete an upload that was not sent or not inspected yet; raises NotFound or Conflict."""
        upload = self._pending(caller, media_id)
        with self.database.transaction() as cursor:
            media.delete(cursor, media.get(cursor, media_id, caller.user_id))
        if upload.multipart_id:
            self.store.abort_multipart_upload(
                upload_key(upload.user_id, media_id), upload.multipart_id
            )

    def _pending(self, caller: Caller, media_id: str) -> Upload:
        with self.database.transaction() as cursor:
            item = media.get(cursor, media_id, caller.user_id)
            if item.kind != "upload":
                raise NotFound("The upload does not exist.")
            if item.status != "pending":
                raise Conflict(f"The upload is already {item.status}.", code="upload.settled")
            return uploads.pending(cursor, media_id, caller.user_id)


def _new_upload(caller: Caller, request: CreateUpload) -> Upload:
    kind = kind_of(request.media_type)
    if kind is None:
        raise InvalidInput(
            f"Files of type {request.media_type} are not supported.",
            field="media_type",
            allowed=[*SUFFIXES],
            code="upload.type",
        )
    if request.size_bytes > MOST_BYTES[kind]:
        raise InvalidInput(
            f"A file of this type can have at most {MOST_BYTES[kind] // 1024 // 1024} MiB.",
            field="size_bytes",
            allowed=MOST_BYTES[kind],
            code="upload.size",
        )
    return Upload(
        media_id=ids.new("med"),
        user_id=caller.user_id,
        kind=kind,
        media_type=request.media_type,
        size_bytes=request.size_bytes,
        name=request.name,
    )
