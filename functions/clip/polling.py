"""Polling of providers' jobs, within the rate that providers allow."""

import math

from clip.job import provider_of
from common.application.generation import services
from common.database import polls
from common.database.attempts import Attempt
from common.domain.errors import TransientError
from common.domain.video import Cost
from common.providers import JobRef, JobState, JobStatus

# Runway requires at least 5 s between two polls of a task (docs.dev.runwayml.com/api). The waits of
# the state machine are longer; other callers check `pause_seconds` before they poll.
_LEAST_SECONDS = 5


def poll(attempt: Attempt, job: JobRef) -> JobState:
    """Poll the job once and record the poll, with the result of a finished job.

    Raises TransientError if the provider cannot be reached.
    """
    result = None
    try:
        state = provider_of(job).poll(job)
        if state.status is JobStatus.SUCCEEDED:
            cost = state.cost.as_json() if state.cost else None
            result = {"outputs": list(state.outputs), "cost": cost}
        return state
    finally:
        with services().database.transaction() as cursor:
            polls.record_poll(cursor, attempt, result)


def finished(attempt: Attempt) -> JobState | None:
    """Return the state of a finished job from its last poll; None if its links must be renewed."""
    if attempt.found is None:
        return None
    cost = attempt.found["cost"]
    return JobState(
        JobStatus.SUCCEEDED,
        cost=Cost.from_json(cost) if cost else None,
        outputs=tuple(attempt.found["outputs"]),
    )


def pause_seconds(attempt: Attempt, job: JobRef) -> int:
    """Return the seconds until the job may be polled again; 0 if it may be polled now."""
    if attempt.asked_seconds is None:
        return 0
    return max(0, math.ceil(min(_LEAST_SECONDS, job.wait_seconds) - attempt.asked_seconds))


def unanswered(job: JobRef, error: TransientError) -> JobState:
    """Return the assumed state of a job whose provider cannot be reached: running.

    The next poll is due after the provider's `retry_after`, if the error has one.
    """
    wait_seconds = max(error.retry_after or job.wait_seconds, _LEAST_SECONDS)
    return JobState(JobStatus.RUNNING, wait_seconds, is_guess=True)
