"""Mapping of Runway tasks to job states and failures."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from common.domain.video import Cost
from common.providers import JobFailure, JobState, JobStatus, vendor_errors

VENDOR = "Runway"
UNIT = "credit"

# Runway requires a polling interval of at least 5 s per task.
_POLL_SECONDS = 6
# A throttled task waits for other tasks of the same account, which take minutes.
_THROTTLED_SECONDS = 15

_STATUSES = {
    "PENDING": JobStatus.QUEUED,
    "THROTTLED": JobStatus.THROTTLED,
    "RUNNING": JobStatus.RUNNING,
    "SUCCEEDED": JobStatus.SUCCEEDED,
    "FAILED": JobStatus.FAILED,
    "CANCELLED": JobStatus.CANCELED,
}

# Maximum resubmissions after a failure that cost nothing. Runway documents these failures as
# transient (docs.dev.runwayml.com/errors/task-failures); a bad output needs another seed.
_RESUBMITS = {"provider.internal": 2, "provider.unavailable": 2, "clip.bad_output": 1}

# Prefixes of failure codes with our error codes, the longest first; new suffixes may appear.
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
    """Return whether the task has a documented status."""
    return task.get("status") in _STATUSES


def state(task: Mapping[str, Any], usd_per_credit: Decimal) -> JobState:
    """Return the state of a task; an unknown status counts as running, with `is_guess`."""
    status = _STATUSES.get(str(task.get("status")), JobStatus.RUNNING)
    if not is_known(task):
        vendor_errors.log_vendor_error(VENDOR, 200, task.get("status"), task.get("id"))
    throttled = status is JobStatus.THROTTLED
    current = JobState(
        status=status,
        wait_seconds=_THROTTLED_SECONDS if throttled else _POLL_SECONDS,
        progress=_progress(task.get("progress")),
        is_guess=not is_known(task),
        cost=cost(task.get("cost"), usd_per_credit),
    )
    if status is JobStatus.FAILED:
        return _failed(current, _failure(task))
    if status is JobStatus.SUCCEEDED:
        return _succeeded(current, task)
    return current


def cost(reported: object, usd_per_credit: Decimal) -> Cost | None:
    """Return the cost in a task's `cost` or `estimatedCost`, or None if it has no credits."""
    number = reported.get("credits") if isinstance(reported, Mapping) else None
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    credits_ = Decimal(str(number))
    return Cost(usd=credits_ * usd_per_credit, units=credits_, unit=UNIT)


def waiting() -> JobState:
    """Return the state of a task that Runway accepted but does not show yet."""
    return JobState(JobStatus.QUEUED, wait_seconds=_POLL_SECONDS, is_guess=True)


def gone() -> JobState:
    """Return the state of a task that Runway no longer knows."""
    return _failed(JobState(JobStatus.FAILED), vendor_errors.failure(VENDOR, "provider.job_gone"))


def _succeeded(current: JobState, task: Mapping[str, Any]) -> JobState:
    output = task.get("output")
    links = output if isinstance(output, list) else []
    # A clip without a link is charged nevertheless, and a later poll may return a link.
    outputs = tuple(link for link in links if isinstance(link, str) and link)
    return JobState(
        JobStatus.SUCCEEDED, current.wait_seconds, progress=1, cost=current.cost, outputs=outputs
    )


def _failed(current: JobState, failure: JobFailure) -> JobState:
    return JobState(JobStatus.FAILED, current.wait_seconds, cost=current.cost, failure=failure)


def _failure(task: Mapping[str, Any]) -> JobFailure:
    code = task.get("failureCode")
    vendor_errors.log_vendor_error(VENDOR, 200, code, task.get("id"))
    if not isinstance(code, str) or not code:
        return _failure_with_resubmits("provider.internal")
    for prefix, error_code in _FAILURES:
        if code == prefix or code.startswith(f"{prefix}."):
            return _failure_with_resubmits(error_code)
    error_code = "safety.input" if ".SAFETY." in f"{code}." else "provider.failed"
    return vendor_errors.failure(VENDOR, error_code)


def _failure_with_resubmits(error_code: str) -> JobFailure:
    return vendor_errors.failure(VENDOR, error_code, resubmits=_RESUBMITS.get(error_code, 0))


def _progress(reported: object) -> float | None:
    if isinstance(reported, bool) or not isinstance(reported, int | float):
        return None
    return min(max(float(reported), 0.0), 1.0)
