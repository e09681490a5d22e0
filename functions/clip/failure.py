"""How a job that brings no clip ends: in the ledger, and in words for the video's owner."""

import random

from clip.job import MAX_POLLS, ClipEvent, job_of, step_of
from common.application.billing.provider_queue import BUSY, MOST_ROUNDS
from common.database import Cursor, attempts, budget, polls, provider_queue, runs
from common.database.attempts import Attempt
from common.database.scenes import Clip
from common.domain import models
from common.domain.errors import OutcomeUnknown, PermanentError, ProviderRefused, TransientError
from common.domain.video import Cost
from common.providers import JobFailure, JobState, JobStatus, Retry
from common.runtime import database

GONE = "provider.job_gone"

# How often a run orders a clip again whose job failed for free, and after how many seconds.
_MOST_RESUBMITS, _RESUBMIT_SECONDS = 2, 15
# Runway asks for up to half as much again.
_SPREAD = 0.5
# So many polls must be left for the next job.
_POLLS_NEEDED = 6
# A job takes minutes. One that is at work for longer than this is not waited for any more.
ABANDONED_SECONDS = 3600


def failed(event: ClipEvent, clip: Clip, attempt: Attempt, state: JobState) -> int:
    """End the attempt of a job that failed.

    Returns the seconds until the clip is ordered again, if the failure was free and its provider
    advises it; else raises PermanentError.
    """
    failure = state.failure
    code = failure.code if failure else "clip.not_finished"
    if failure and code == GONE:
        raise in_doubt(event, attempt, code, failure.detail)
    is_first = attempt.state != "failed"  # or an invocation before this one was interrupted
    if is_first:
        end(event, attempt, state.cost, code)
    if failure and failure.resubmits and state.cost is not None and not state.cost.usd:
        with database().transaction() as cursor:
            seconds = _resubmit_seconds(cursor, event, clip, failure)
            if seconds and is_first:
                _announce(cursor, event, clip, attempt, failure, seconds)
        if seconds:
            return seconds
    raise ProviderRefused(
        failure.detail if failure else "The provider's job ended without a clip.",
        code=code,
        billed=None if state.cost is None else bool(state.cost.usd),
        retryable=failure is None or failure.retry in (Retry.SAME, Retry.LATER),
    )


def _resubmit_seconds(
    cursor: Cursor, event: ClipEvent, clip: Clip, failure: JobFailure
) -> int | None:
    """Return when the clip is ordered again; None if the run has done so often enough."""
    step = step_of(event, clip)
    failures = polls.free_failures(cursor, step, event.run_id)
    exhausted = (
        len(failures) > _MOST_RESUBMITS
        or failures.count(failure.code) > failure.resubmits
        or polls.of_run(cursor, step, event.run_id) > MAX_POLLS - _POLLS_NEEDED
        or provider_queue.rounds(cursor, step, event.run_id) >= MOST_ROUNDS
        or not runs.is_open(cursor, event.run_id)
    )
    if exhausted:
        return None
    spread = random.uniform(1, 1 + _SPREAD)  # noqa: S311 - no secret
    seconds: float = _RESUBMIT_SECONDS * 2 ** (len(failures) - 1) * spread
    return round(seconds)


def _announce(
    cursor: Cursor,
    event: ClipEvent,
    clip: Clip,
    attempt: Attempt,
    failure: JobFailure,
    seconds: int,
) -> None:
    job = job_of(attempt)[1]
    model = models.find("video", job.provider, job.model)
    detail = f"{failure.detail} Nothing was charged; the clip is ordered again."
    provider_queue.enqueue(
        cursor,
        step_of(event, clip),
        event.run_id,
        model,
        pictures=0,
        code=BUSY,
        detail=detail,
        seconds=seconds,
    )
    facts = {"code": failure.code, "attempt": attempt.attempt, "seconds": seconds}
    runs.add_event(cursor, event.run_id, "clip.resubmitted", event.scene, facts)


def too_late(event: ClipEvent, attempt: Attempt, state: JobState) -> PermanentError:
    """Return what to raise for a job that took too long.

    Canceled, it ended free of charge. At work, it is billed anyway, so a resumed video goes on
    waiting for it, until it has taken an hour.
    """
    code, cost = "clip.timeout", state.cost
    if state.status is JobStatus.CANCELED:
        end(event, attempt, cost, code)
        return ProviderRefused(
            "The provider did not begin the clip in time; the job was canceled there.",
            code=code,
            billed=None if cost is None else bool(cost.usd),
            retryable=True,
        )
    if attempt.age_seconds >= ABANDONED_SECONDS:
        end(event, attempt, cost, code)
        return ProviderRefused(
            "The provider did not finish the clip within an hour. A resumed video asks for it once "
            "more, and orders another one if it is not there.",
            code=code,
            retryable=True,
        )
    with database().transaction() as cursor:
        budget.settle_late(cursor, event.run_id)
    return ProviderRefused(
        "The provider did not finish the clip in time. It is billed anyway, so it is left at work; "
        "a resumed video goes on waiting for it.",
        code=code,
        retryable=True,
    )


def unreachable(error: TransientError) -> PermanentError:
    """Return what to raise when a job could not be asked for, or collected, to the end."""
    return ProviderRefused(error.detail, code=error.error_code, retryable=True)


def in_doubt(event: ClipEvent, attempt: Attempt, code: str, detail: str) -> OutcomeUnknown:
    """The job was accepted, and may have been charged: no other one is ordered by itself."""
    with database().transaction() as cursor:
        attempts.mark_ended(cursor, attempt, "unknown", code)
        budget.settle_late(cursor, event.run_id)
    return OutcomeUnknown(
        f"{detail} A resumed video asks for it once more before anything else; another clip is "
        "ordered only when it is resumed with on_unknown = resubmit_once.",
        code=code,
        retryable=True,
    )


def end(event: ClipEvent, attempt: Attempt, cost: Cost | None, code: str) -> None:
    """Settle the attempt as failed, with what it cost, if that is known."""
    with database().transaction() as cursor:
        attempts.mark_ended(cursor, attempt, "failed", code, cost)
        budget.settle_late(cursor, event.run_id)
