"""The adoption of jobs that an earlier run started and paid for.

A run looks for such a job before it submits a new one, adopts it and continues with it. If no run
is open, the sweeper has the job collected.
"""

from clip import collection, failure, polling
from clip.job import ClipEvent, job_of
from common.application.billing.provider_queue import WORKER
from common.application.generation import services
from common.aws.log import logger
from common.database import polls
from common.database.attempts import Attempt
from common.database.scenes import Clip
from common.database.videos import Video
from common.domain.errors import MediaError, TransientError, Waiting
from common.providers import JobState, JobStatus

_ENDED = (JobStatus.FAILED, JobStatus.CANCELED)
_RETENTION_SECONDS = polls.RETENTION_HOURS * 3600


def adopt(event: ClipEvent, video: Video, clip: Clip, latest: Attempt) -> JobState | None:
    """Return the state of the clip's job if the run adopts it; None if it has to submit a new one.

    Raises Waiting while another worker collects the job or it was polled too recently,
    TransientError if its provider cannot be reached, and OutcomeUnknown if the provider no longer
    knows the job.
    """
    if not _may_be_collectable(latest):
        return None
    attempt, job = job_of(latest)
    pause = polling.pause_seconds(attempt, job)
    if attempt.state == "submitted" and not attempt.collector_seconds:
        return _adopt(event, attempt, JobState(JobStatus.QUEUED, max(pause, job.wait_seconds)))
    if attempt.collector_seconds or pause:
        raise Waiting(
            "Another worker is collecting the clip from its provider.",
            code=WORKER,
            retry_after=max(attempt.collector_seconds, pause),
        )
    if attempt.state == "failed":
        return _collect_failed(event, video, clip, attempt)
    try:
        state = polling.poll(attempt, job)
    except TransientError as error:
        state = polling.unanswered(job, error)
    if state.status not in _ENDED:
        queued = JobState(JobStatus.QUEUED, max(state.wait_seconds, job.wait_seconds))
        return _adopt(event, attempt, queued)
    if state.failure and state.failure.code == failure.GONE:
        if video.on_unknown == "resubmit_once":
            return None
        raise failure.in_doubt(event, attempt, failure.GONE, state.failure.detail)
    failure.end(event, attempt, state.cost, _code(state))
    return None


def recover(event: ClipEvent, video: Video, clip: Clip, latest: Attempt) -> JobStatus | None:
    """Collect a job that an ended run left open, or settle its cost; return the job's status.

    Returns None if there is nothing to collect, or if it failed and a later sweep has to retry it.
    """
    if clip.status == "succeeded" or not _may_be_collectable(latest):
        return None
    attempt, job = job_of(latest)
    try:
        state = polling.finished(attempt) or polling.poll(attempt, job)
        if state.status is JobStatus.SUCCEEDED:
            collection.collect(event, video, clip, attempt, state)
    except (MediaError, TransientError) as error:
        logger.warning("job not recovered", extra={"code": error.error_code})
        with services().database.transaction() as cursor:
            polls.count_failed_collection(cursor, attempt)
        return None
    is_gone = state.failure is not None and state.failure.code == failure.GONE
    if state.status in _ENDED and attempt.state != "failed" and not is_gone:
        failure.end(event, attempt, state.cost, _code(state))
    return state.status


def _may_be_collectable(attempt: Attempt) -> bool:
    if attempt.job is None:
        return False
    if attempt.state == "failed":
        is_retained = attempt.age_seconds < _RETENTION_SECONDS
        return attempt.code in polls.COLLECTABLE_CODES and is_retained
    return attempt.state in ("submitted", "unknown")


def _collect_failed(
    event: ClipEvent, video: Video, clip: Clip, attempt: Attempt
) -> JobState | None:
    """Try once to collect a job whose attempt ended as failed.

    Polling it is free; a new job is not. Returns None if a new job has to be submitted.
    """
    job = job_of(attempt)[1]
    state = polling.poll(attempt, job)
    if state.status is JobStatus.SUCCEEDED:
        try:
            collection.collect(event, video, clip, attempt, state)
        except MediaError as error:
            logger.warning("clip not collected", extra={"code": error.error_code})
            with services().database.transaction() as cursor:
                polls.count_failed_collection(cursor, attempt)
            return None
        return JobState(JobStatus.SUCCEEDED, wait_seconds=0)
    if state.status in _ENDED or attempt.age_seconds >= failure.ABANDONED_SECONDS:
        return None
    return _adopt(event, attempt, JobState(JobStatus.QUEUED, state.wait_seconds))


def _adopt(event: ClipEvent, attempt: Attempt, state: JobState) -> JobState:
    with services().database.transaction() as cursor:
        polls.adopt(cursor, attempt, event.run_id)
    return state


def _code(state: JobState) -> str:
    return state.failure.code if state.failure else "clip.canceled"
