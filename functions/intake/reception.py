"""The use case: an object in the inbox becomes runs, or is refused with an answer.

It looks at the bucket as it is when it looks, not at the order of events: a picture and the JSON
beside it are one job, whichever event comes first, and a repeated event finds its object taken.
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
from intake.parsing import Unreadable

_ENDPOINT = "POST /v1/videos"
_MOST_JSON_BYTES = 6 * 1024 * 1024
_MOST_PICTURE_BYTES = 16 * 1024 * 1024
# Of all pictures that the lines of a batch name: they are fetched one after another, and held
# until every line is found good, by a function of 90 s and 1 GiB.
_MOST_FETCH_SECONDS = 45.0
_MOST_HELD_BYTES = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an object asks for, by line, with the picture that belongs to it."""

    wishes: dict[int, CreateVideoRequest]
    dropped_at_ms: int
    picture: EncodedImage | None = None
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Intake:
    """The inbox, with what it works on."""

    admission: Admission
    database: Database
    store: S3MediaStore

    def receive(self, dropped: InboxObject, *, last: bool) -> str:
        """Take an object in; return what was done with it.

        What can be different in a moment (the database, a limit of requests or runs), and a mistake
        of the program, is raised, to come again. The `last` time it is answered: nobody waits for a
        result that never comes.
        """
        if not dropped.is_ours:
            return "ignored"
        with self.database.transaction() as cursor:
            if inbox.is_taken(cursor, dropped.object_id):
                return "known"
        try:
            done = self._take(dropped)
        except Unreadable as error:
            done = self._refuse(dropped, error.refusal)
        except Exception as error:
            may_change = not isinstance(error, VideoError) or error.retryable
            if may_change and not last:
                raise
            done = self._refuse_finally(dropped, _refusal_of(error))
        inbox_results.write_result(self.database, self.store, dropped.object_id)
        return done

    def _take(self, dropped: InboxObject) -> str:
        caller = self._owner(dropped)
        wanted = self._read(dropped)
        if wanted is None:
            return "belongs to the JSON beside it"
        orders = self._orders(caller, dropped, wanted)
        taken = self._taken(dropped, batch=wanted.batch)
        with self.database.transaction() as cursor:
            if not inbox.insert(cursor, taken):
                return "known"
            if inbox.replaces_another(cursor, taken.object_id):
                inbox_results.forget(self.store, taken, "error")
            for line, order in orders.items():
                self.admission.keep(cursor, caller, order)
                video_id = order.row.session_id
                inbox.insert_job(cursor, taken.object_id, line, video_id, order.run_id)
        for order in orders.values():
            self.admission.start(order.run_id, order.row.session_id)
        return "started"

    def _owner(self, dropped: InboxObject) -> Caller:
        """Return on whose behalf it is, and count it as a request of theirs."""
        with self.database.transaction() as cursor:
            key = keys.owner(cursor, dropped.user_id, _ENDPOINT)
            if key is None:
                raise Forbidden(
                    f"{dropped.user_id} has no API key that may {_ENDPOINT}. An owner of an inbox "
                    "is whoever has one that is active.",
                    code="inbox.owner",
                )
        caller = key.caller()
        windows = self.database.alone(
            lambda cursor: limits.count_request(cursor, caller.key_id, caller.limits)
        )
        if refusal := caller.refusal(windows):
            raise refusal
        return caller

    def _read(self, dropped: InboxObject) -> Wanted | None:
        """Return what the object asks for; None for a picture that a JSON beside it speaks for."""
        extension = dropped.extension
        if extension in parsing.PICTURE:
            return self._of_picture(dropped)
        if extension not in parsing.JOB + parsing.BATCH:
            raise InvalidInput(
                f"A {extension or 'file without an end'} is not read. A job is a .json file, a "
                ".jsonl file with one job a line, or a picture.",
                field="name",
                allowed=[*parsing.JOB, *parsing.BATCH, *parsing.PICTURE],
                code="inbox.type",
            )
        file = self.store.read_version(
            dropped.key, version_id=dropped.version_id, most_bytes=_MOST_JSON_BYTES
        )
        if extension in parsing.BATCH:
            return Wanted(parsing.batch(file.data), _milliseconds(file), batch=True)
        wish = parsing.job(file.data)
        picture = None if wish.has_picture else self._picture_beside(dropped)
        return Wanted({1: wish}, _milliseconds(file), picture)

    def _of_picture(self, dropped: InboxObject) -> Wanted | None:
        if jobs := [key for key, end in self._beside(dropped).items() if end in parsing.JOB]:
            for key in jobs:
                self._check_is_used(dropped.bucket, key)
            return None
        file = self.store.read_version(
            dropped.key, version_id=dropped.version_id, most_bytes=_MOST_PICTURE_BYTES
        )
        wish = parsing.of_metadata(file.metadata)
        if wish is None:
            raise InvalidInput(
                "The picture says nothing of its video. Give it a prompt (x-amz-meta-prompt), or "
                "drop a JSON of the same name beside it.",
                code="inbox.no_prompt",
            )
        return Wanted({1: wish}, _milliseconds(file), _clean(file))

    def _check_is_used(self, bucket: str, key: str) -> None:
        """Raise InvalidInput if the JSON under the key needs no picture beside it, or did not."""
        try:
            json = self.store.read_version(key, most_bytes=_MOST_JSON_BYTES)
        except NotFound:  # it was taken away since
            return
        if parsing.names_a_picture(json.data):
            raise InvalidInput(
                "The JSON beside it names another picture, which is the one that is used.",
                code="inbox.picture_beside",
            )
        spoken_for = InboxObject(bucket, key, json.version_id)
        with self.database.transaction() as cursor:
            if inbox.went_without_picture(cursor, spoken_for.object_id):
                raise InvalidInput(
                    "The JSON beside it had become a video before this picture came. To make one "
                    "with it, drop the JSON again.",
                    code="inbox.late_picture",
                )

    def _picture_beside(self, dropped: InboxObject) -> EncodedImage | None:
        """Return the picture that belongs to a JSON.

        Raises InvalidInput if it is not clear which one that is, or it cannot be read: a video
        without it is not what was meant.
        """
        beside = self._beside(dropped)
        known = [key for key, end in beside.items() if end in parsing.PICTURE]
        other = [key for key, end in beside.items() if end in parsing.OTHER_PICTURES]
        if other and not known:
            raise InvalidInput(
                f"Beside it lies {_name(other[0])}, a picture of a kind that is not read. Convert "
                "it to JPEG or PNG, or take it away, and drop the JSON again.",
                allowed=[*parsing.PICTURE],
                code="inbox.picture_beside",
            )
        if len(known) > 1:
            raise InvalidInput(
                f"Several pictures lie beside it: {', '.join(map(_name, known))}. Leave one, and "
                "drop the JSON again.",
                code="inbox.picture_beside",
            )
        try:
            file = (
                self.store.read_version(known[0], most_bytes=_MOST_PICTURE_BYTES) if known else None
            )
        except NotFound:  # it was taken away since
            return None
        return _clean(file) if file else None

    def _beside(self, dropped: InboxObject) -> dict[str, str]:
        keys = [key for prefix in dropped.prefixes_beside for key in self.store.keys(prefix)]
        return dropped.ends_beside(keys)

    def _orders(
        self, caller: Caller, dropped: InboxObject, wanted: Wanted
    ) -> dict[int, AdmittedVideo]:
        """Check every line; whatever one of them has wrong, nothing of the object is made."""
        orders: dict[int, AdmittedVideo] = {}
        faults, until = [], time.monotonic() + _MOST_FETCH_SECONDS
        for line, wish in wanted.wishes.items():
            new_id = _ids(wanted.dropped_at_ms, dropped, line)
            try:
                if wish.userId not in (None, caller.user_id):
                    raise InvalidInput(
                        f"The folder says whose it is: {caller.user_id}'s.", field="userId"
                    )
                orders[line] = self.admission.check(caller, wish, new_id, wanted.picture)
            except VideoError as error:
                if not wanted.batch or error.retryable:
                    raise
                faults.append(problem.field_error(error, f"/{line}"))
            if wanted.batch and (time.monotonic() > until or _held(orders) > _MOST_HELD_BYTES):
                raise InvalidInput(
                    f"The pictures that lines 1 to {line} name took too long to fetch, or are too "
                    "large together. Upload them (POST /v1/uploads) and name them by id, or drop "
                    "fewer lines at a time. Nothing was started.",
                    code="inbox.pictures",
                )
        if faults:
            raise Unreadable(problem.from_field_errors(faults))
        return orders

    def _refuse_finally(self, dropped: InboxObject, refusal: Refusal) -> str:
        """Refuse the object. Without the database it is answered all the same, and laid aside."""
        try:
            return self._refuse(dropped, refusal)
        except VideoError:
            taken = self._taken(dropped, problem=refusal)
            inbox_results.write_refusal(self.store, taken)
            raise

    def _refuse(self, dropped: InboxObject, refusal: Refusal) -> str:
        taken = self._taken(dropped, problem=refusal)
        with self.database.transaction() as cursor:
            new = inbox.insert(cursor, taken)
        logger.info("object refused", extra={"object_id": taken.object_id, "code": refusal.code})
        return "refused" if new else "known"

    def _taken(
        self, dropped: InboxObject, *, batch: bool = False, problem: Refusal | None = None
    ) -> inbox.ReceivedObject:
        return inbox.ReceivedObject(
            object_id=dropped.object_id,
            user_id=dropped.user_id,
            object_key=dropped.key.replace("\0", "\ufffd"),  # which a row cannot hold
            version_id=dropped.version_id,
            batch=batch,
            problem=problem.model_dump(mode="json") if problem else None,
        )


def _refusal_of(error: Exception) -> Refusal:
    if isinstance(error, VideoError):
        return problem.from_error(error)
    logger.exception("object not taken in")
    metrics.add_metric("ObjectsFailed", MetricUnit.Count, 1)
    return problem.refusal(
        "Internal error",
        "internal",
        "The file could not be taken in for an internal reason. Drop it again, or send it by POST "
        "/v1/videos; if that fails too, the operator finds the reason in the log.",
    )


def _held(orders: Mapping[int, AdmittedVideo]) -> int:
    return sum(len(order.picture.data) for order in orders.values() if order.picture)


def _name(key: str) -> str:
    return key.rpartition("/")[2]


def _milliseconds(file: StoredVersion) -> int:
    return int(file.changed_at.timestamp() * 1000)


def _ids(milliseconds: int, dropped: InboxObject, line: int) -> Callable[[str], str]:
    """Make ids that the same line of the same object always gets."""
    identity = (dropped.bucket, dropped.key, dropped.version_id, str(line))
    return lambda prefix: ids.fixed(prefix, milliseconds, *identity)


def _clean(file: StoredVersion) -> EncodedImage:
    # Imported here: Pillow is only needed for jobs with a picture.
    from common.media import images

    return images.clean(file.data)
