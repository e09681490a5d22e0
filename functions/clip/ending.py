"""How a job that brings no clip ends: in the ledger, and in words for the video's owner."""

from clip.work import ClipEvent, job_of, provider_of
from common.database import budget, jobs
from common.database.jobs import Attempt
from common.database.videos import Video
from common.errors import OutcomeUnknown, PermanentError, ProviderRefused
from common.generation import database
from common.providers import JobState, JobStatus, Retry
from common.video import Cost

_GONE = "provider.job_gone"


def failed(event: ClipEvent, attempt: Attempt, state: JobState) -> PermanentError:
    """End the attempt of a job that failed; return what to raise."""
    failure = state.failure
    code = failure.code if failure else "clip.not_finished"
    if failure and code == _GONE:
        return _in_doubt(event, attempt, code, failure.detail)
    end(event, attempt, state.cost, code)
    return ProviderRefused(
        failure.detail if failure else "The provider's job ended without a clip.",
        code=code,
        billed=None if state.cost is None else bool(state.cost.usd),
        retryable=failure is None or failure.retry in (Retry.SAME, Retry.LATER),
    )


def too_late(event: ClipEvent, attempt: Attempt, state: JobState) -> PermanentError:
    """End the attempt of a job that took too long and was canceled; return what to raise."""
    code = "clip.timeout"
    if state.status not in (JobStatus.FAILED, JobStatus.CANCELED):
        detail = "The provider did not finish the clip in time, and the job could not be canceled."
        return _in_doubt(event, attempt, code, detail)
    end(event, attempt, state.cost, code)
    return ProviderRefused(
        "The provider did not finish the clip in time; the job was canceled there.",
        code=code,
        billed=None if state.cost is None else bool(state.cost.usd),
    )


def _in_doubt(event: ClipEvent, attempt: Attempt, code: str, detail: str) -> OutcomeUnknown:
    """The job was accepted, and may have been charged: no other one is ordered by itself."""
    with database().transaction() as cursor:
        jobs.ended(cursor, attempt, "unknown", code)
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
        jobs.ended(cursor, attempt, "failed", code, cost)
        budget.settle_late(cursor, event.run_id)


def is_there_after_all(event: ClipEvent, video: Video, attempt: Attempt) -> bool:
    """Ask once more after a job whose outcome is in doubt; what it says now settles the attempt."""
    if attempt.state != "unknown" or attempt.job is None:
        return False
    state = provider_of(video).poll(job_of(attempt)[1])
    if state.status is JobStatus.SUCCEEDED:
        with database().transaction() as cursor:
            jobs.submitted(cursor, attempt, attempt.job)
        return True
    if state.failure and state.failure.code != _GONE:
        end(event, attempt, state.cost, state.failure.code)
    return False
