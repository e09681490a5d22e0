"""Idempotent requests (draft-ietf-httpapi-idempotency-key-header-07).

A route that creates or starts something accepts the header, and its use case follows this order:

    idempotency = idempotent_request(router, key)        # from `api.routes`
    cached = idempotency.cached_response(database)       # before any work
    ...                                                  # validation; errors are not stored
    with database.transaction() as cursor:
        if cached := idempotency.claim(cursor):          # locks the key until the commit
            return cached
        ...                                              # ids from `idempotency.new_id`
        idempotency.keep(cursor, response)               # in the same transaction as the work

The same key with the same body returns the same response for 24 hours. The response commits
together with the work, so a process that dies in between leaves either both or neither. Responses
are stored as plain text: never store one that contains a secret.
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
        description="Makes the request safe to retry: a request with the same key and body returns "
        f"the first response for {KEEP_HOURS} hours, with the header `{REPLAYED}: true`. Up to 255 "
        "visible ASCII characters, for example a UUID.",
    ),
]


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A request with its idempotency key, identified by owner, method, path and key.

    Without a key, nothing is stored or found.
    """

    parts: Sequence[str] = ()
    fingerprint: bytes = b""

    @classmethod
    def of(
        cls, event: BaseProxyEvent, owner: str, key: str | None, request_id: str | None = None
    ) -> "IdempotentRequest":
        """Return the idempotency of a request of this owner.

        Without a key, `request_id` together with the body serves as the key.
        """
        if key is None and request_id is None:
            return cls()
        fingerprint = _digest([event.query_string_parameters, _body(event)])
        parts = (owner, event.http_method, event.path)
        if key is not None:
            return cls((*parts, key), fingerprint)
        return cls((*parts, "X-Request-ID", str(request_id), fingerprint.hex()), fingerprint)

    def cached_response(self, database: Database) -> JsonResponse | None:
        """Return the stored response of the key.

        Raises InvalidInput if the key was used for another request.
        """
        if not self.parts:
            return None
        with database.transaction() as cursor:
            return self._find(cursor)

    def claim(self, cursor: Cursor) -> JsonResponse | None:
        """Lock the key until the transaction ends, or return its stored response.

        Raises Conflict while another request holds the lock.
        """
        if not self.parts:
            return None
        if not idempotency.lock(cursor, self._id):
            raise Conflict(
                "Another request with this Idempotency-Key is in progress. Retry in a second.",
                code="idempotency.in_progress",
                retry_after=1,
                retryable=True,
            )
        return self._find(cursor)

    def keep(self, cursor: Cursor, response: JsonResponse) -> None:
        """Store the response in the transaction that does the work."""
        if self.parts:
            stored = StoredResponse(
                self.fingerprint,
                response.video_id,
                response.status,
                response.headers,
                response.body,
            )
            idempotency.store(cursor, self._id, stored)

    def new_id(self, prefix: str) -> str:
        """Return a new id; with a key, an id derived from it, so that a retry gets the same one."""
        return ids.derived(prefix, *self.parts) if self.parts else ids.new(prefix)

    @property
    def _id(self) -> bytes:
        return _digest(list(self.parts))

    def _find(self, cursor: Cursor) -> JsonResponse | None:
        stored = idempotency.find(cursor, self._id)
        if stored is None:
            return None
        if stored.fingerprint != self.fingerprint:
            raise InvalidInput(
                "This Idempotency-Key was used for another request. Nothing was done. Use a new "
                "key for a new request.",
                field="Idempotency-Key",
                code="idempotency.other_request",
            )
        if stored.body is None:
            raise Conflict(
                "The video that was created with this Idempotency-Key was deleted. Use a new key "
                "to create another one.",
                code="idempotency.deleted",
            )
        headers = {**stored.headers, REPLAYED: "true"}
        return JsonResponse(stored.status, stored.body, headers, stored.session_id)


def _body(event: BaseProxyEvent) -> Any:
    try:
        return event.json_body if event.body else None
    except Malformed:  # of a route that reads no body
        return event.body


def _digest(value: Any) -> bytes:
    """Return the SHA-256 of a JSON value, independent of the order of fields."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
