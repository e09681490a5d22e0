"""Requests that may be repeated (draft-ietf-httpapi-idempotency-key-header-07).

A route that starts or makes something takes the header, and the use case behind it asks:

    request = once(router, key)                          # of `api.routes`
    if kept := request.kept(database): return kept       # before any work
    ...                                                  # checks; what they refuse is not kept
    with database.transaction() as cursor:
        if kept := request.claim(cursor): return kept    # from here on nobody else has the key
        ...                                              # ids of `request.new_id`
        request.keep(cursor, answer)                     # with what was done, or not at all

The same key with the same body is answered the same for 24 hours, in every process. A process
that dies in between leaves either all of it or nothing. Answers that hold a secret are not to be
kept: they stand in the database as they were sent.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from aws_lambda_powertools.event_handler.openapi.params import Header
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

from api.http.response import JsonResponse
from common.database import Cursor, Database, idempotency
from common.database.idempotency import KEEP_HOURS, StoredResponse
from common.domain import ids
from common.domain.errors import Conflict, InvalidInput, Malformed

REPLAYED = "Idempotent-Replayed"

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[!-~]{1,255}$",
        description="Makes the request safe to repeat: the same key with the same body gets the "
        f"same answer for {KEEP_HOURS} hours, marked `{REPLAYED}: true`, and nothing is done "
        "twice. Any text of at most 255 visible ASCII characters, such as a UUID.",
    ),
]


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request that may be repeated, if it has a key; known by owner, method, path and key."""

    parts: Sequence[str] = ()
    fingerprint: bytes = b""

    @classmethod
    def of(
        cls, event: BaseProxyEvent, owner: str, key: str | None, request_id: str | None = None
    ) -> "IdempotentRequest":
        """Return the idempotency of a request of that owner.

        Without a key, `request_id` and the body together are one.
        """
        if key is None and request_id is None:
            return cls()
        fingerprint = _digest([event.query_string_parameters, _body(event)])
        parts = (owner, event.http_method, event.path)
        if key is not None:
            return cls((*parts, key), fingerprint)
        return cls((*parts, "X-Request-ID", str(request_id), fingerprint.hex()), fingerprint)

    def cached_response(self, database: Database) -> JsonResponse | None:
        """Return what the key was answered already; raises InvalidInput for another request."""
        if not self.parts:
            return None
        with database.transaction() as cursor:
            return self._find(cursor)

    def claim(self, cursor: Cursor) -> JsonResponse | None:
        """Take the key until the transaction ends, or return what it was answered already.

        Raises Conflict while another request with it is under way.
        """
        if not self.parts:
            return None
        if not idempotency.lock(cursor, self._id):
            raise Conflict(
                "A request with this Idempotency-Key is being carried out. Try again.",
                code="idempotency.in_progress",
                retry_after=1,
                retryable=True,
            )
        return self._find(cursor)

    def keep(self, cursor: Cursor, answer: JsonResponse) -> None:
        """Store the answer together with what the transaction does."""
        if self.parts:
            kept = StoredResponse(
                self.fingerprint, answer.video_id, answer.status, answer.headers, answer.body
            )
            idempotency.store(cursor, self._id, kept)

    def new_id(self, prefix: str) -> str:
        """Return a new identifier; with a key, the one that a repetition gets too."""
        return ids.derived(prefix, *self.parts) if self.parts else ids.new(prefix)

    @property
    def _id(self) -> bytes:
        return _digest(list(self.parts))

    def _find(self, cursor: Cursor) -> JsonResponse | None:
        kept = idempotency.find(cursor, self._id)
        if kept is None:
            return None
        if kept.fingerprint != self.fingerprint:
            raise InvalidInput(
                "This Idempotency-Key was used for another request. Nothing was done; use a new "
                "key for a new request.",
                field="Idempotency-Key",
                code="idempotency.other_request",
            )
        if kept.body is None:
            raise Conflict(
                "The video that was made with this Idempotency-Key has been deleted. Use a new "
                "key to make another.",
                code="idempotency.deleted",
            )
        headers = {**kept.headers, REPLAYED: "true"}
        return JsonResponse(kept.status, kept.body, headers, kept.session_id)


def _body(event: BaseProxyEvent) -> Any:
    try:
        return event.json_body if event.body else None
    except Malformed:  # of a route that reads none
        return event.body


def _digest(value: Any) -> bytes:
    """Return the SHA-256 of JSON values, the same for every order of fields."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
