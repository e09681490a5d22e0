"""A job of an earlier run is paid, so it is looked for before another one is ordered.

A run adopts it and goes on as with its own; or no run is left, and the sweeper has it collected.
"""

from clip import collection, failure, polling
from clip.job import ClipEvent, job_of
from common.application.billing.provider_queue import WORKER
from common.aws.log import logger
from common.database import polls
from common.database.attempts import Attempt
from common.database.scenes import Clip
from common.database.videos import Video
from common.domain.errors import MediaError, TransientError, Waiting
from common.providers import JobState, JobStatus
from common.runtime import database

_ENDED = (JobStatus.FAILED, JobStatus.CANCELED)
_RETENTION_SECONDS = polls.RETENTION_HOURS * 3600


def adopt(event: ClipEvent, video: Video, clip: Clip, before: Attempt) -> JobState | None:
    """Return the state of the clip's job if the run goes on with it; None if another is ordered.

    Raises Waiting while somebody else has the job, TransientError while its provider does not
    answer, and OutcomeUnknown when nobody knows what became of it.
    """
    if not _may_be_there(before):
        return None
    attempt, job = job_of(before)
    pause = polling.pause_seconds(attempt, job)
    if attempt.state == "submitted" and not attempt.collector_seconds:
        return _go_on(event, attempt, JobState(JobStatus.QUEUED, max(pause, job.wait_seconds)))
    if attempt.collector_seconds or pause:
        raise Waiting(
            "The clip is being collected from its provider.",
            code=WORKER,
            retry_after=max(attempt.collector_seconds, pause),
        )
    if attempt.state == "failed":
        return _once_more(event, video, clip, attempt)
    try:
        state = polling.poll(attempt, job)
    except TransientError as error:
        state = polling.unanswered(job, error)
    if state.status not in _ENDED:
        waits = JobState(JobStatus.QUEUED, max(state.wait_seconds, job.wait_seconds))
        return _go_on(event, attempt, waits)
    if state.failure and state.failure.code == failure.GONE:
        if video.on_unknown == "resubmit_once":
            return None
        raise failure.in_doubt(event, attempt, failure.GONE, state.failure.detail)
    failure.end(event, attempt, state.cost, _code(state))
    return None


def recover(event: ClipEvent, video: Video, clip: Clip, before: Attempt) -> JobStatus | None:
    """Collect a job that an ended run left behind, or settle what it cost; return its status.

    What cannot be done now is left to a later sweep.
    """
    if clip.status == "succeeded" or not _may_be_there(before):
        return None
    attempt, job = job_of(before)
    try:
        state = polling.finished(attempt) or polling.poll(attempt, job)
        if state.status is JobStatus.SUCCEEDED:
            collection.collect(event, video, clip, attempt, state)
    except (MediaError, TransientError) as error:
        logger.warning("job left", extra={"code": error.error_code})
        with database().transaction() as cursor:
            polls.count_failed_collection(cursor, attempt)
        return None
    is_gone = state.failure is not None and state.failure.code == failure.GONE
    if state.status in _ENDED and attempt.state != "failed" and not is_gone:
        failure.end(event, attempt, state.cost, _code(state))
    return state.status


def _may_be_there(attempt: Attempt) -> bool:
    if attempt.job is None:
        return False
    if attempt.state == "failed":
        is_young = attempt.age_seconds < _RETENTION_SECONDS
        return attempt.code in polls.COLLECTABLE and is_young
    return attempt.state in ("submitted", "unknown")


def _once_more(event: ClipEvent, video: Video, clip: Clip, attempt: Attempt) -> JobState | None:
    """Try once to collect a job that was written off; asking is free, another one is not."""
    job = job_of(attempt)[1]
    state = polling.poll(attempt, job)
    if state.status is JobStatus.SUCCEEDED:
        try:
            collection.collect(event, video, clip, attempt, state)
        except MediaError as error:
            logger.warning("not collected", extra={"code": error.error_code})
            with database().transaction() as cursor:
                polls.count_failed_collection(cursor, attempt)
            return None
        return JobState(JobStatus.SUCCEEDED, wait_seconds=0)
    if state.status in _ENDED or attempt.age_seconds >= failure.ABANDONED_SECONDS:
        return None
    return _go_on(event, attempt, JobState(JobStatus.QUEUED, state.wait_seconds))


def _go_on(event: ClipEvent, attempt: Attempt, state: JobState) -> JobState:
    with database().transaction() as cursor:
        polls.adopt(cursor, attempt, event.run_id)
    return state


def _code(state: JobState) -> str:
    return state.failure.code if state.failure else "clip.canceled"
