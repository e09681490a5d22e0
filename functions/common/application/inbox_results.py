"""Answers to what was dropped into the inbox: one object in the outbox for each, and once.

Whoever ends a run asks for the answer afterwards; the sweeper asks for all that are due, and so
makes up for a worker that died, or could not write, in between. The object is written inside the
transaction that says so: it may be written twice, with the same words, and never not at all.
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
    """Where answers lie."""

    def put(self, key: str, data: bytes, media_type: str) -> None:
        """Store bytes."""
        ...

    def delete(self, *keys: str) -> None:
        """Delete objects; one that is not there is no error."""
        ...


def write_due_results(database: Database, store: ResultStore) -> None:
    """Answer what is due: objects that were refused, and those whose runs have all ended."""
    with database.transaction() as cursor:
        due = inbox.due(cursor, limit=_MOST_AT_ONCE)
    for object_id in due:
        write_result(database, store, object_id)


def write_results_of_run(database: Database, store: ResultStore, run_id: str) -> None:
    """Answer the object that the run is of, if it is of one and was the last of its runs."""
    with database.transaction() as cursor:
        due = inbox.due(cursor, limit=1, run_id=run_id)
    for object_id in due:
        write_result(database, store, object_id)


def write_result(database: Database, store: ResultStore, object_id: str) -> None:
    """Answer one object, if it is due; what cannot be written now is left to the sweeper."""
    try:
        with database.transaction() as cursor:
            taken = inbox.lock_due(cursor, object_id)
            if taken is None:  # another worker is at it
                return
            kind, body = _outcome(cursor, taken)
            _put(store, taken, kind, body)
            if inbox.replaces_another(cursor, object_id):
                forget(store, taken, "result" if kind == "error" else "error")
            inbox.answered(cursor, object_id)
    except VideoError as error:  # the sweeper comes to it again
        logger.warning("not answered", extra={"object_id": object_id, "code": error.error_code})


def write_refusal(store: ResultStore, taken: ReceivedObject) -> None:
    """Answer an object that was refused, and of which the database does not know."""
    _put(store, taken, "error", _refused(taken))


def forget(store: ResultStore, taken: ReceivedObject, kind: Kind) -> None:
    """Remove the answer to an earlier version of the object, which another one replaces."""
    store.delete(result_key(taken.user_id, taken.object_key, kind))


def _put(store: ResultStore, taken: ReceivedObject, kind: Kind, body: dict[str, Any]) -> None:
    data = json.dumps(body, indent=2, ensure_ascii=False).encode()
    store.put(result_key(taken.user_id, taken.object_key, kind), data, "application/json")


def _refused(taken: ReceivedObject) -> dict[str, Any]:
    return {**_source(taken), "status": "refused", **(taken.problem or {})}


def _source(taken: ReceivedObject) -> dict[str, Any]:
    return {"source": taken.object_key, "version_id": taken.version_id}


def _outcome(cursor: Cursor, taken: ReceivedObject) -> tuple[Kind, dict[str, Any]]:
    if taken.problem is not None:
        return "error", _refused(taken)
    source = _source(taken)
    lines = [(job, _of_job(cursor, job)) for job in inbox.jobs(cursor, taken.object_id)]
    if taken.batch:
        done = sum(job.status == "succeeded" for job, _ in lines)
        counts = {"jobs": len(lines), "succeeded": done}
        return "result", {
            **source,
            **counts,
            "results": [{"line": job.line, **body} for job, body in lines],
        }
    ((job, body),) = lines
    return "result" if job.status == "succeeded" else "error", {**source, **body}


def _of_job(cursor: Cursor, job: Job) -> dict[str, Any]:
    """Say what became of one job, with the ids and places that lead on from there."""
    named = {"video_id": job.session_id, "run_id": job.run_id}
    try:
        video = videos.get(cursor, job.session_id)
    except NotFound:
        return {**named, "status": "deleted"}
    here = f"/v1/videos/{job.session_id}"
    final = videos.final(cursor, job.session_id) if job.status == "succeeded" else None
    body: dict[str, Any] = {
        **named,
        "status": job.status,
        "title": video.story_title,
        "cost": _cost(attempts.charges(cursor, job.session_id)),
        "metadata": video.metadata,
        "error": job.error,
        "links": {"self": here, "download": f"{here}/download", "resume": f"{here}/resume"},
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
