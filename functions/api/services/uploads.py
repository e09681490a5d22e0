"""Use cases of uploads: announce one, complete or abort it. `functions/register` does the rest."""

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
    """The use cases, with what they work on."""

    database: Database
    store: ManagedStore

    def create(
        self, caller: Caller, wish: CreateUpload, request_id: str | None = None
    ) -> UploadObject:
        """Announce an upload, and say where and how its bytes are to be sent.

        Raises TooManyRequests or PayloadTooLarge when the caller has too much announced already.
        """
        upload = replace(_announced(caller, wish), request_id=request_id)
        key = upload_key(upload.user_id, upload.media_id)
        form = parts = parts_id = None
        with self.database.transaction() as cursor:
            uploads.check_pending(cursor, upload.user_id, upload.size_bytes)
            if upload.size_bytes >= PARTS_FROM_BYTES or wish.in_parts:
                parts_id = self.store.begin_parts(key, upload.media_type)
            uploads.insert(cursor, replace(upload, multipart_id=parts_id))
        if parts_id is not None:
            sizes = part_sizes(upload.size_bytes)
            urls = self.store.part_links(key, parts_id, sizes, seconds=SECONDS_TO_SEND)
            parts = UploadParts(urls=urls)  # type: ignore[call-arg]  # mypy misses the default
        else:
            made = self.store.form(
                key, upload.media_type, upload.size_bytes, seconds=SECONDS_TO_SEND
            )
            form = UploadForm(url=made.url, fields=dict(made.fields))
        here = f"/v1/uploads/{upload.media_id}"
        return UploadObject(
            id=upload.media_id,
            media_type=upload.media_type,
            size_bytes=upload.size_bytes,
            form=form,
            parts=parts,
            expires_at=datetime.now(UTC) + timedelta(seconds=SECONDS_TO_SEND),
            links=UploadLinks(
                self=f"/v1/media/{upload.media_id}",
                complete=f"{here}/complete" if parts else None,
                abort=f"{here}/abort",
            ),
        )

    def complete(self, caller: Caller, media_id: str, sent: CompleteUpload) -> None:
        """Make one object of the parts that were sent; then it is looked at."""
        upload = self._pending(caller, media_id)
        if upload.multipart_id is None:
            raise Conflict("The upload is sent by its form, not in parts.", code="upload.no_parts")
        count = len(part_sizes(upload.size_bytes))
        if len(sent.etags) != count:
            raise InvalidInput(
                f"The file has {count} parts; {len(sent.etags)} were named.",
                field="etags",
                code="upload.parts",
            )
        key = upload_key(upload.user_id, upload.media_id)
        self.store.join_parts(key, upload.multipart_id, sent.etags)

    def abort(self, caller: Caller, media_id: str) -> None:
        """Forget an upload that was not sent, or not yet looked at."""
        upload = self._pending(caller, media_id)
        with self.database.transaction() as cursor:
            media.delete(cursor, media.get(cursor, media_id, caller.user_id))
        if upload.multipart_id:
            self.store.drop_parts(upload_key(upload.user_id, media_id), upload.multipart_id)

    def _pending(self, caller: Caller, media_id: str) -> Upload:
        with self.database.transaction() as cursor:
            item = media.get(cursor, media_id, caller.user_id)
            if item.kind != "upload":
                raise NotFound("There is no such upload.")
            if item.status != "pending":
                raise Conflict(f"The upload is {item.status} already.", code="upload.settled")
            return uploads.pending(cursor, media_id, caller.user_id)


def _announced(caller: Caller, wish: CreateUpload) -> Upload:
    kind = kind_of(wish.media_type)
    if kind is None:
        raise InvalidInput(
            f"Files of type {wish.media_type} are not taken.",
            field="media_type",
            allowed=[*SUFFIXES],
            code="upload.type",
        )
    if wish.size_bytes > MOST_BYTES[kind]:
        raise InvalidInput(
            f"At most {MOST_BYTES[kind] // 1024 // 1024} MiB are taken of a file of that type.",
            field="size_bytes",
            allowed=MOST_BYTES[kind],
            code="upload.size",
        )
    return Upload(
        media_id=ids.new("med"),
        user_id=caller.user_id,
        kind=kind,
        media_type=wish.media_type,
        size_bytes=wish.size_bytes,
        name=wish.name,
    )
