"""Asking a provider for a job, not more often than it allows."""

import math

from clip.job import provider_of
from common.database import polls
from common.database.attempts import Attempt
from common.domain.errors import TransientError
from common.domain.video import Cost
from common.providers import JobRef, JobState, JobStatus
from common.runtime import database

# Runway asks for at least 5 s between two polls of a task (docs.dev.runwayml.com/api). The waits of
# the state machine are longer; others look here before they ask.
_LEAST_SECONDS = 5


def poll(attempt: Attempt, job: JobRef) -> JobState:
    """Ask once for the job, and keep what a finished one brought; raises TransientError."""
    found = None
    try:
        state = provider_of(job).poll(job)
        if state.status is JobStatus.SUCCEEDED:
            cost = state.cost.as_json() if state.cost else None
            found = {"outputs": list(state.outputs), "cost": cost}
        return state
    finally:
        with database().transaction() as cursor:
            polls.record_poll(cursor, attempt, found)


def finished(attempt: Attempt) -> JobState | None:
    """Return the state of a job that a poll has seen finished, and whose links were not tried."""
    if attempt.found is None:
        return None
    cost = attempt.found["cost"]
    return JobState(
        JobStatus.SUCCEEDED,
        cost=Cost.from_json(cost) if cost else None,
        outputs=tuple(attempt.found["outputs"]),
    )


def pause_seconds(attempt: Attempt, job: JobRef) -> int:
    """Return for how many more seconds the job is not asked for."""
    if attempt.asked_seconds is None:
        return 0
    return max(0, math.ceil(min(_LEAST_SECONDS, job.wait_seconds) - attempt.asked_seconds))


def unanswered(job: JobRef, error: TransientError) -> JobState:
    """Return the state of a job that cannot be asked for: under way, as far as anybody knows.

    When the provider says when to come back, it is asked then.
    """
    wait_seconds = max(error.retry_after or job.wait_seconds, _LEAST_SECONDS)
    return JobState(JobStatus.RUNNING, wait_seconds, is_guess=True)
