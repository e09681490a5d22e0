"""Results of files that were dropped into the inbox: one object in the outbox for each file.

Results are written at least once: by the worker that ends the run, or, if that worker crashed or
could not write, by the sweeper. The object is written inside the transaction that marks it as
written, and the write is idempotent.
"""

import json
from decimal import Decimal
from typing import Any, Protocol

from common.aws.log import logger
from common.database import Cursor, Database, attempts, inbox, videos
from common.database.attempts import Charges
from common.database.inbox import Job, ReceivedObject
from common.domain.errors import NotFound, VideoError
from common.storage.inbox_keys import Kind, result_key

_MOST_AT_ONCE = 50


class ResultStore(Protocol):
    """The store of the results."""

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store an object."""
        ...

    def delete(self, *keys: str) -> None:
        """Delete objects; a missing one is not an error."""
        ...


def write_due_results(database: Database, store: ResultStore) -> None:
    """Write the results that are due: of refused objects, and of objects whose runs have ended."""
    with database.transaction() as cursor:
        due = inbox.due(cursor, limit=_MOST_AT_ONCE)
    for object_id in due:
        write_result(database, store, object_id)


def write_results_of_run(database: Database, store: ResultStore, run_id: str) -> None:
    """Write the result of the inbox object that started the run, if all its runs have ended."""
    with database.transaction() as cursor:
        due = inbox.due(cursor, limit=1, run_id=run_id)
    for object_id in due:
        write_result(database, store, object_id)


def write_result(database: Database, store: ResultStore, object_id: str) -> None:
    """Write the result of one object, if it is due. If that fails, the sweeper retries."""
    try:
        with database.transaction() as cursor:
            received = inbox.lock_due(cursor, object_id)
            if received is None:  # another worker has the lock, or wrote the result
                return
            kind, body = _outcome(cursor, received)
            _put(store, received, kind, body)
            if inbox.replaces_another(cursor, object_id):
                forget(store, received, "result" if kind == "error" else "error")
            inbox.mark_result_written(cursor, object_id)
    except VideoError as error:  # the sweeper retries
        extra = {"object_id": object_id, "code": error.error_code}
        logger.warning("inbox result not written", extra=extra)


def write_refusal(store: ResultStore, received: ReceivedObject) -> None:
    """Write the result of a refused object that has no row in the database."""
    _put(store, received, "error", _refused(received))


def forget(store: ResultStore, received: ReceivedObject, kind: Kind) -> None:
    """Delete the result of an earlier version of the object."""
    store.delete(result_key(received.user_id, received.object_key, kind))


def _put(store: ResultStore, received: ReceivedObject, kind: Kind, body: dict[str, Any]) -> None:
    data = json.dumps(body, indent=2, ensure_ascii=False).encode()
    store.put(result_key(received.user_id, received.object_key, kind), data, "application/json")


def _refused(received: ReceivedObject) -> dict[str, Any]:
    return {**_source(received), "status": "refused", **(received.problem or {})}


def _source(received: ReceivedObject) -> dict[str, Any]:
    return {"source": received.object_key, "version_id": received.version_id}


def _outcome(cursor: Cursor, received: ReceivedObject) -> tuple[Kind, dict[str, Any]]:
    if received.problem is not None:
        return "error", _refused(received)
    source = _source(received)
    results = [(job, _job_result(cursor, job)) for job in inbox.jobs(cursor, received.object_id)]
    if received.batch:
        succeeded = sum(job.status == "succeeded" for job, _ in results)
        counts = {"jobs": len(results), "succeeded": succeeded}
        return "result", {
            **source,
            **counts,
            "results": [{"line": job.line, **body} for job, body in results],
        }
    ((job, body),) = results
    return "result" if job.status == "succeeded" else "error", {**source, **body}


def _job_result(cursor: Cursor, job: Job) -> dict[str, Any]:
    """Return the result of one job: status, cost, error, output and links."""
    ids = {"video_id": job.session_id, "run_id": job.run_id}
    try:
        video = videos.get(cursor, job.session_id)
    except NotFound:
        return {**ids, "status": "deleted"}
    link = f"/v1/videos/{job.session_id}"
    final = videos.final(cursor, job.session_id) if job.status == "succeeded" else None
    body: dict[str, Any] = {
        **ids,
        "status": job.status,
        "title": video.story_title,
        "cost": _cost(attempts.charges(cursor, job.session_id)),
        "metadata": video.metadata,
        "error": job.error,
        "links": {"self": link, "download": f"{link}/download", "resume": f"{link}/resume"},
    }
    if final is not None:
        body["output"] = {
            "key": final.video_key,
            "poster_key": final.poster_key,
            "duration_seconds": float(final.duration),
            "size_bytes": final.size_bytes,
            "sha256": final.sha256,
        }
        body["warnings"] = final.warnings
    return body


def _cost(charges: Charges) -> dict[str, str]:
    return {
        "actual": _money(charges.charged_usd),
        "open": _money(charges.open_usd),
        "possible": _money(charges.possible_usd),
        "at_most": _money(charges.at_most_usd),
        "currency": "USD",
    }


def _money(usd: Decimal) -> str:
    return f"{usd:.4f}"
