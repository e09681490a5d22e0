"""The use case of the inbox: an object starts runs, or is refused with an error file.

It depends on the current content of the bucket, not on the order of events. An image and a JSON
file of the same name are one job, in any order of their events. It is idempotent: the event of an
object that was received before has no effect.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from common.application import inbox_results
from common.application.admission import Admission, AdmittedVideo
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics
from common.database import Database, inbox, keys, limits
from common.domain import ids
from common.domain.caller import Caller
from common.domain.errors import Forbidden, InvalidInput, NotFound, VideoError
from common.domain.video import EncodedImage
from common.schemas import problem
from common.schemas.problem import Refusal
from common.schemas.requests import CreateVideoRequest
from common.storage import StoredVersion
from common.storage.inbox_keys import InboxObject
from common.storage.s3 import S3MediaStore
from intake import parsing
from intake.parsing import InvalidFile

_ENDPOINT = "POST /v1/videos"
_MOST_JSON_BYTES = 6 * 1024 * 1024
_MOST_IMAGE_BYTES = 16 * 1024 * 1024
# Limits for all images of a batch. They are fetched sequentially and kept in memory until all lines
# are validated, by a function with 90 s and 1 GiB.
_MOST_FETCH_SECONDS = 45.0
_MOST_HELD_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ParsedObject:
    """The requests of an object by line number, with its time in milliseconds and its image."""

    requests: dict[int, CreateVideoRequest]
    changed_at_ms: int
    image: EncodedImage | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """The intake of inbox objects."""

    admission: Admission
    database: Database
    store: S3MediaStore

    def receive(self, inbox_object: InboxObject, *, last: bool) -> str:
        """Receive an object, write its result if it is due, and return the outcome.

        Raises temporary errors (the database, a limit of requests or runs) and internal errors, so
        that the queue delivers the message again. In the `last` delivery these are written as the
        object's result too, so that every object gets a result.
        """
        if not inbox_object.is_user_file:
            return "ignored"
        with self.database.transaction() as cursor:
            if inbox.is_received(cursor, inbox_object.object_id):
                return "known"
        try:
            outcome = self._admit(inbox_object)
        except InvalidFile as error:
            outcome = self._refuse(inbox_object, error.refusal)
        except Exception as error:
            is_temporary = not isinstance(error, VideoError) or error.retryable
            if is_temporary and not last:
                raise
            outcome = self._refuse_finally(inbox_object, _refusal_of(error))
        inbox_results.write_result(self.database, self.store, inbox_object.object_id)
        return outcome

    def _admit(self, inbox_object: InboxObject) -> str:
        caller = self._caller(inbox_object)
        parsed = self._parse(inbox_object)
        if parsed is None:
            return "belongs to the JSON beside it"
        admitted = self._check(caller, inbox_object, parsed)
        received = self._received(inbox_object, batch=parsed.batch)
        with self.database.transaction() as cursor:
            if not inbox.insert(cursor, received):
                return "known"
            if inbox.replaces_another(cursor, received.object_id):
                inbox_results.forget(self.store, received, "error")
            for line, video in admitted.items():
                self.admission.keep(cursor, caller, video)
                video_id = video.row.session_id
                inbox.insert_job(cursor, received.object_id, line, video_id, video.run_id)
        for video in admitted.values():
            self.admission.start(video.run_id, video.row.session_id)
        return "started"

    def _caller(self, inbox_object: InboxObject) -> Caller:
        """Return the caller of the inbox's user, after counting the request for its rate limit.

        Raises Forbidden if the user has no API key, and TooManyRequests.
        """
        with self.database.transaction() as cursor:
            key = keys.key_of_user(cursor, inbox_object.user_id, _ENDPOINT)
            if key is None:
                raise Forbidden(
                    f"The user {inbox_object.user_id} has no active API key that may call "
                    f"{_ENDPOINT}. Create one to use this inbox.",
                    code="inbox.owner",
                )
        caller = key.caller()
        windows = self.database.run_autocommit(
            lambda cursor: limits.count_request(cursor, caller.key_id, caller.limits)
        )
        if refusal := caller.refusal(windows):
            raise refusal
        return caller

    def _parse(self, inbox_object: InboxObject) -> ParsedObject | None:
        """Return the object's requests; None for an image that belongs to a JSON file."""
        extension = inbox_object.extension
        if extension in parsing.IMAGE:
            return self._parse_image(inbox_object)
        if extension not in parsing.JOB + parsing.BATCH:
            files = f"{extension} files" if extension else "files without an extension"
            raise InvalidInput(
                f"The inbox does not support {files}. A job is a .json file, a .jsonl file with "
                "one job per line, or an image.",
                field="name",
                allowed=[*parsing.JOB, *parsing.BATCH, *parsing.IMAGE],
                code="inbox.type",
            )
        file = self.store.read_version(
            inbox_object.key, version_id=inbox_object.version_id, most_bytes=_MOST_JSON_BYTES
        )
        if extension in parsing.BATCH:
            return ParsedObject(parsing.batch(file.data), _milliseconds(file), batch=True)
        request = parsing.job(file.data)
        image = None if request.has_reference_image else self._companion_image(inbox_object)
        return ParsedObject({1: request}, _milliseconds(file), image)

    def _parse_image(self, inbox_object: InboxObject) -> ParsedObject | None:
        companions = self._companions(inbox_object)
        if jobs := [key for key, extension in companions.items() if extension in parsing.JOB]:
            for key in jobs:
                self._check_uses_image(inbox_object.bucket, key)
            return None
        file = self.store.read_version(
            inbox_object.key, version_id=inbox_object.version_id, most_bytes=_MOST_IMAGE_BYTES
        )
        request = parsing.of_metadata(file.metadata)
        if request is None:
            raise InvalidInput(
                "The image has no prompt. Set the metadata x-amz-meta-prompt, or add a JSON file "
                "of the same name.",
                code="inbox.no_prompt",
            )
        return ParsedObject({1: request}, _milliseconds(file), _sanitized(file))

    def _check_uses_image(self, bucket: str, key: str) -> None:
        """Raise InvalidInput if the JSON file has another image or was received before this one."""
        try:
            json = self.store.read_version(key, most_bytes=_MOST_JSON_BYTES)
        except NotFound:  # deleted meanwhile
            return
        if parsing.names_an_image(json.data):
            raise InvalidInput(
                "The JSON file of the same name names another image, which is used instead.",
                code="inbox.picture_beside",
            )
        job = InboxObject(bucket, key, json.version_id)
        with self.database.transaction() as cursor:
            if inbox.has_no_reference_image(cursor, job.object_id):
                raise InvalidInput(
                    "The JSON file of the same name started a video before this image arrived. To "
                    "make a video with the image, upload the JSON file again.",
                    code="inbox.late_picture",
                )

    def _companion_image(self, inbox_object: InboxObject) -> EncodedImage | None:
        """Return the image that belongs to a JSON file; None if it has none.

        Raises InvalidInput if there are several, or if the only one has an unsupported type,
        because the client did not intend a video without the image.
        """
        companions = self._companions(inbox_object)
        images = [key for key, extension in companions.items() if extension in parsing.IMAGE]
        unsupported = [
            key for key, extension in companions.items() if extension in parsing.UNSUPPORTED_IMAGE
        ]
        if unsupported and not images:
            raise InvalidInput(
                f"The type of the image {_name(unsupported[0])} is not supported. Convert it to "
                "JPEG or PNG, or delete it, and upload the JSON file again.",
                allowed=[*parsing.IMAGE],
                code="inbox.picture_beside",
            )
        if len(images) > 1:
            raise InvalidInput(
                f"Several images have the same name: {', '.join(map(_name, images))}. Keep one, "
                "and upload the JSON file again.",
                code="inbox.picture_beside",
            )
        if not images:
            return None
        try:
            file = self.store.read_version(images[0], most_bytes=_MOST_IMAGE_BYTES)
        except NotFound:  # deleted meanwhile
            return None
        return _sanitized(file)

    def _companions(self, inbox_object: InboxObject) -> dict[str, str]:
        keys = [
            key for prefix in inbox_object.companion_prefixes for key in self.store.keys(prefix)
        ]
        return inbox_object.companions(keys)

    def _check(
        self, caller: Caller, inbox_object: InboxObject, parsed: ParsedObject
    ) -> dict[int, AdmittedVideo]:
        """Validate all lines. If one is invalid, no run of the object is started."""
        admitted: dict[int, AdmittedVideo] = {}
        errors, deadline = [], time.monotonic() + _MOST_FETCH_SECONDS
        for line, request in parsed.requests.items():
            new_id = _ids(parsed.changed_at_ms, inbox_object, line)
            try:
                if request.user_id not in (None, caller.user_id):
                    raise InvalidInput(
                        f"The inbox belongs to the user {caller.user_id}.", field="user_id"
                    )
                admitted[line] = self.admission.check(caller, request, new_id, parsed.image)
            except VideoError as error:
                if not parsed.batch or error.retryable:
                    raise
                errors.append(problem.field_error(error, f"/{line}"))
            is_late = time.monotonic() > deadline
            if parsed.batch and (is_late or _image_bytes(admitted) > _MOST_HELD_BYTES):
                raise InvalidInput(
                    f"The images of lines 1 to {line} took too long to fetch, or are too large "
                    "together. Nothing was started. Upload them (POST /v1/uploads) and use their "
                    "ids, or split the file.",
                    code="inbox.pictures",
                )
        if errors:
            raise InvalidFile(problem.from_field_errors(errors))
        return admitted

    def _refuse_finally(self, inbox_object: InboxObject, refusal: Refusal) -> str:
        """Refuse the object in the last delivery.

        If the database is unavailable, this writes the error file anyway and raises, so that the
        message goes to the dead-letter queue.
        """
        try:
            return self._refuse(inbox_object, refusal)
        except VideoError:
            received = self._received(inbox_object, problem=refusal)
            inbox_results.write_refusal(self.store, received)
            raise

    def _refuse(self, inbox_object: InboxObject, refusal: Refusal) -> str:
        received = self._received(inbox_object, problem=refusal)
        with self.database.transaction() as cursor:
            is_new = inbox.insert(cursor, received)
        logger.info("object refused", extra={"object_id": received.object_id, "code": refusal.code})
        return "refused" if is_new else "known"

    def _received(
        self, inbox_object: InboxObject, *, batch: bool = False, problem: Refusal | None = None
    ) -> inbox.ReceivedObject:
        return inbox.ReceivedObject(
            object_id=inbox_object.object_id,
            user_id=inbox_object.user_id,
            object_key=inbox_object.key.replace("\0", "\ufffd"),  # PostgreSQL rejects NUL in text
            version_id=inbox_object.version_id,
            batch=batch,
            problem=problem.model_dump(mode="json") if problem else None,
        )


def _refusal_of(error: Exception) -> Refusal:
    if isinstance(error, VideoError):
        return problem.from_error(error)
    logger.exception("object not received")
    metrics.add_metric("ObjectsFailed", MetricUnit.Count, 1)
    return problem.refusal(
        "Internal error",
        "internal",
        "The file could not be processed because of an internal error. Upload it again, or send it "
        "with POST /v1/videos. If that fails too, contact the operator, whose log has the details.",
    )


def _image_bytes(admitted: Mapping[int, AdmittedVideo]) -> int:
    return sum(len(video.image.data) for video in admitted.values() if video.image)


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _milliseconds(file: StoredVersion) -> int:
    return int(file.changed_at.timestamp() * 1000)


def _ids(milliseconds: int, inbox_object: InboxObject, line: int) -> Callable[[str], str]:
    """Return a generator of ids that are always the same for the same line of an object."""
    identity = (inbox_object.bucket, inbox_object.key, inbox_object.version_id, str(line))
    return lambda prefix: ids.fixed(prefix, milliseconds, *identity)


def _sanitized(file: StoredVersion) -> EncodedImage:
    # Imported here, because only jobs with an image need Pillow.
    from common.media import images

    return images.clean(file.data)
