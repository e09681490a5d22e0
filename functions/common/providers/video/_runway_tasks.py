"""What a task of Runway says about itself, in our own nouns."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.domain.video import Cost
from common.providers import JobFailure, JobState, JobStatus, vendor_errors

VENDOR = "Runway"
UNIT = "credit"

# Runway asks for at least 5 s between two questions after a task.
_POLL_SECONDS = 6
# A throttled task waits for the account's own other tasks; those take minutes.
_THROTTLED_SECONDS = 15

_STATUSES = {
    "PENDING": JobStatus.QUEUED,
    "THROTTLED": JobStatus.THROTTLED,
    "RUNNING": JobStatus.RUNNING,
    "SUCCEEDED": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
    "CANCELLED": JobStatus.CANCELED,
}

# How often a task may be submitted again when it failed so, and cost nothing. Runway documents
# these as transient (docs.dev.runwayml.com/errors/task-failures); a bad output needs another seed.
_RESUBMITS = {"provider.internal": 2, "provider.unavailable": 2, "clip.bad_output": 1}

# By the beginning of the failure code, the longest first; the part behind it may be new.
_FAILURES = (
    ("INPUT_PREPROCESSING.INTERNAL", "provider.internal"),
    ("INPUT_PREPROCESSING.SAFETY", "safety.input"),
    ("THIRD_PARTY.UNAVAILABLE", "provider.unavailable"),
    ("INTERNAL.BAD_OUTPUT", "clip.bad_output"),
    ("SAFETY.OUTPUT", "safety.output"),
    ("ASSET.INVALID", "provider.input"),
    ("INTERNAL", "provider.internal"),
    ("SAFETY", "safety.input"),
)


def is_known(task: Mapping[str, Any]) -> bool:
    """Say whether the task has a status that we know."""
    return task.get("status") in _STATUSES


def state(task: Mapping[str, Any], usd_per_credit: Decimal) -> JobState:
    """Return the state of a task. One with a status that is new to us is still running."""
    status = _STATUSES.get(str(task.get("status")), JobStatus.RUNNING)
    if not is_known(task):
        vendor_errors.log_vendor_error(VENDOR, 200, task.get("status"), task.get("id"))
    throttled = status is JobStatus.THROTTLED
    found = JobState(
        status=status,
        wait_seconds=_THROTTLED_SECONDS if throttled else _POLL_SECONDS,
        progress=_progress(task.get("progress")),
        is_guess=not is_known(task),
        cost=cost(task.get("cost"), usd_per_credit),
    )
    if status is JobStatus.FAILED:
        return _ended(found, _failure(task))
    if status is JobStatus.SUCCEEDED:
        return _finished(found, task)
    return found


def cost(told: object, usd_per_credit: Decimal) -> Cost | None:
    """Return what a `cost` or `estimatedCost` of a task comes to, or None if it does not say."""
    credit = told.get("credits") if isinstance(told, Mapping) else None
    if isinstance(credit, bool) or not isinstance(credit, int | float):
        return None
    credits_ = Decimal(str(credit))
    return Cost(usd=credits_ * usd_per_credit, units=credits_, unit=UNIT)


def waiting() -> JobState:
    """Return the state of a task that Runway took, but does not show yet."""
    return JobState(JobStatus.QUEUED, wait_seconds=_POLL_SECONDS, is_guess=True)


def gone() -> JobState:
    """Return the state of a task that Runway does not know any more."""
    return _ended(JobState(JobStatus.FAILED), vendor_errors.failure(VENDOR, "provider.job_gone"))


def _finished(found: JobState, task: Mapping[str, Any]) -> JobState:
    output = task.get("output")
    links = output if isinstance(output, list) else []
    # Without a link the clip is paid all the same; a later poll may name one.
    outputs = tuple(link for link in links if isinstance(link, str) and link)
    return JobState(
        JobStatus.SUCCEEDED, found.wait_seconds, progress=1, cost=found.cost, outputs=outputs
    )


def _ended(found: JobState, failure: JobFailure) -> JobState:
    return JobState(JobStatus.FAILED, found.wait_seconds, cost=found.cost, failure=failure)


def _failure(task: Mapping[str, Any]) -> JobFailure:
    code = task.get("failureCode")
    vendor_errors.log_vendor_error(VENDOR, 200, code, task.get("id"))
    if not isinstance(code, str) or not code:
        return _of_code("provider.internal")
    for beginning, own in _FAILURES:
        if code == beginning or code.startswith(f"{beginning}."):
            return _of_code(own)
    own = "safety.input" if ".SAFETY." in f"{code}." else "provider.failed"
    return vendor_errors.failure(VENDOR, own)


def _of_code(own: str) -> JobFailure:
    return vendor_errors.failure(VENDOR, own, resubmits=_RESUBMITS.get(own, 0))


def _progress(told: object) -> float | None:
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return min(max(float(told), 0.0), 1.0)
