"""Jobs that end without a clip: their ledger entries, and the errors that the owner sees."""

import random

from clip.job import MAX_POLLS, ClipEvent, job_of, step_of
from common.application.billing.provider_queue import BUSY, MOST_ROUNDS
from common.application.generation import services
from common.database import Cursor, attempts, budget, polls, provider_queue, runs
from common.database.attempts import Attempt
from common.database.scenes import Clip
from common.domain import models
from common.domain.errors import OutcomeUnknown, PermanentError, ProviderRefused, TransientError
from common.domain.video import Cost
from common.providers import JobFailure, JobState, JobStatus, Retry

GONE = "provider.job_gone"

# Most resubmits of a run after jobs that failed free of charge, and the seconds before the first.
_MOST_RESUBMITS, _RESUBMIT_SECONDS = 2, 15
# Runway asks for a jitter of up to 50 %.
_JITTER = 0.5
# Polls of the run that must be left for the next job.
_POLLS_NEEDED = 6
# A job takes minutes. A run does not wait for one that is older than this.
ABANDONED_SECONDS = 3600


def failed(event: ClipEvent, clip: Clip, attempt: Attempt, state: JobState) -> int:
    """End the attempt of a failed job and return the seconds until another job is submitted.

    Another one is submitted only if the failure was free of charge and the provider documents it as
    transient. Otherwise raises PermanentError, or OutcomeUnknown if the provider no longer knows
    the job.
    """
    failure = state.failure
    code = failure.code if failure else "clip.not_finished"
    if failure and code == GONE:
        raise in_doubt(event, attempt, code, failure.detail)
    is_first = attempt.state != "failed"  # false after an invocation that was interrupted
    if is_first:
        end(event, attempt, state.cost, code)
    if failure and failure.resubmits and state.cost is not None and not state.cost.usd:
        with services().database.transaction() as cursor:
            seconds = _resubmit_seconds(cursor, event, clip, failure)
            if seconds and is_first:
                _enqueue_resubmit(cursor, event, clip, attempt, failure, seconds)
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
    """Return the backoff in seconds before the next job; None if the run has no resubmit left."""
    step = step_of(event, clip)
    failures = polls.uncharged_failure_codes(cursor, step, event.run_id)
    exhausted = (
        len(failures) > _MOST_RESUBMITS
        or failures.count(failure.code) > failure.resubmits
        or polls.poll_count(cursor, step, event.run_id) > MAX_POLLS - _POLLS_NEEDED
        or provider_queue.rounds(cursor, step, event.run_id) >= MOST_ROUNDS
        or not runs.is_open(cursor, event.run_id)
    )
    if exhausted:
        return None
    jitter = random.uniform(1, 1 + _JITTER)  # noqa: S311 - no secret
    seconds: float = _RESUBMIT_SECONDS * 2 ** (len(failures) - 1) * jitter
    return round(seconds)


def _enqueue_resubmit(
    cursor: Cursor,
    event: ClipEvent,
    clip: Clip,
    attempt: Attempt,
    failure: JobFailure,
    seconds: int,
) -> None:
    job = job_of(attempt)[1]
    model = models.find("video", job.provider, job.model)
    detail = f"{failure.detail} Nothing was charged; the clip is submitted again."
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
    """Return the error for a job that took too long.

    A canceled job ended free of charge. A running job is billed anyway, so its attempt stays open
    and a resumed video keeps waiting for it, until the job is `ABANDONED_SECONDS` old.
    """
    code, cost = "clip.timeout", state.cost
    if state.status is JobStatus.CANCELED:
        end(event, attempt, cost, code)
        return ProviderRefused(
            "The provider did not start the clip in time, so its job was canceled. Resume the "
            "video to submit it again.",
            code=code,
            billed=None if cost is None else bool(cost.usd),
            retryable=True,
        )
    if attempt.age_seconds >= ABANDONED_SECONDS:
        end(event, attempt, cost, code)
        return ProviderRefused(
            "The provider did not finish the clip within an hour. Resume the video to check its "
            "job again; a new one is submitted if it has no clip.",
            code=code,
            retryable=True,
        )
    with services().database.transaction() as cursor:
        budget.settle_late(cursor, event.run_id)
    return ProviderRefused(
        "The provider did not finish the clip in time. Its job is billed anyway, so it was not "
        "canceled. Resume the video to keep waiting for it.",
        code=code,
        retryable=True,
    )


def unreachable(error: TransientError) -> PermanentError:
    """Return the error for a job that could not be polled or collected within the run's limits."""
    return ProviderRefused(error.detail, code=error.error_code, retryable=True)


def in_doubt(event: ClipEvent, attempt: Attempt, code: str, detail: str) -> OutcomeUnknown:
    """End the attempt as unknown and return the error.

    The job was accepted and may have been charged, so it is never resubmitted automatically.
    """
    with services().database.transaction() as cursor:
        attempts.mark_ended(cursor, attempt, "unknown", code)
        budget.settle_late(cursor, event.run_id)
    return OutcomeUnknown(
        f"{detail} Resume the video to check the job again. A new job is submitted only if the "
        "video is resumed with on_unknown = resubmit_once, and may be charged twice.",
        code=code,
        retryable=True,
    )


def end(event: ClipEvent, attempt: Attempt, cost: Cost | None, code: str) -> None:
    """Settle the attempt as failed, with its cost if that is known."""
    with services().database.transaction() as cursor:
        attempts.mark_ended(cursor, attempt, "failed", code, cost)
        budget.settle_late(cursor, event.run_id)
