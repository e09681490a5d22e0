"""The queue for provider slots: acquire a slot, or retry the step later with backoff.

All runs share a provider's limits. A step without a free slot, or whose call was certainly not
accepted, neither fails nor sleeps: its Lambda function returns, and the state machine retries the
step after a wait. The queue is fair: the step that has waited longest goes first.
"""

import math
import random

from common.application.billing.charge import Charge
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics
from common.database import Cursor, Database, provider_queue, provider_slots, runs
from common.database.provider_queue import QueueDepth
from common.domain.errors import NotAccepted, ProviderRefused, VideoError, Waiting
from common.domain.provider_limits import MINUTE_SECONDS, Limit, seconds_until_free

MOST_ROUNDS = 10
"""Most waits of a scene in a run, for its image, narration and clip together; the story has as many
of its own. The history of a Step Functions execution has no space for more, and a fair queue needs
no more."""

# Exponential backoff from 5 s. For a slot, the waits sum up to nine minutes more than the
# estimates, for a busy provider to 25 minutes. A `retry_after` of the provider is used exactly for
# the first `_RETRY_AFTER_ROUNDS` waits; later ones use the backoff with it as the minimum.
_FIRST_SECONDS, _LONGEST_SECONDS = 5, 300
_SLOT_BACKOFF, _BUSY_BACKOFF = 1.5, 2
_RETRY_AFTER_ROUNDS = 6
_LONGEST_ESTIMATE_SECONDS = 3600
# Steps that were refused at the same time must not retry at the same time.
_JITTER = 0.25

_LIMIT, BUSY, WORKER = (
    "waiting.provider_limit",
    "waiting.provider_busy",
    "waiting.other_worker",
)
_LIMIT_REACHED = {
    "calls_per_minute": "All {most} calls per minute of {model} at {provider} are in use",
    "images_per_minute": "All {most} input images per minute of {model} at {provider} are in use",
    "jobs_at_once": "All {most} parallel jobs of {model} at {provider} are in use",
}


def acquire_slot(cursor: Cursor, charge: Charge) -> None:
    """Acquire a provider slot; the model's row stays locked until commit.

    Raises NotAccepted with an estimated `retry_after` if no slot is free, or if earlier steps in
    the queue are due first.
    """
    model = charge.model
    pause_seconds = provider_slots.lock(cursor, model)
    depth = provider_queue.queue_depth(cursor, charge.step, charge.run_id, model)
    if pause_seconds:
        raise NotAccepted(
            f"{model.provider} asked for a pause; calls continue when it is over.",
            code=BUSY,
            retry_after=pause_seconds,
        )
    for limit in charge.limits:
        active = provider_slots.active_slots(cursor, model, limit)
        turn = provider_slots.typical_seconds(cursor, model) if limit.of_jobs else MINUTE_SECONDS
        due, total = _sizes(limit, depth)
        requested = min(_size(limit, charge.pictures), limit.most)
        if seconds_until_free(active, limit.most, due + requested, turn):
            seconds = seconds_until_free(active, limit.most, total + requested, turn)
            raise _no_free_slot(charge, limit, seconds)
    provider_queue.pause(cursor, charge.step)


def enqueue(database: Database, charge: Charge, error: NotAccepted) -> VideoError:
    """Put the step in the queue and return the error to raise.

    This is Waiting with the seconds until the next try, or ProviderRefused after `MOST_ROUNDS`
    waits.
    """
    step, run_id = charge.step, charge.run_id
    code = {_LIMIT: _LIMIT, "step.busy": WORKER}.get(error.error_code, BUSY)
    with database.transaction() as cursor:
        rounds = provider_queue.rounds(cursor, step, run_id)
        if rounds >= MOST_ROUNDS:
            provider_queue.pause(cursor, step)
            return _given_up(code, error)
        if (
            error.error_code == NotAccepted.code
            and error.retry_after
            and rounds < _RETRY_AFTER_ROUNDS
        ):
            seconds = error.retry_after
        else:
            seconds = _seconds(code, error.retry_after, rounds)
        is_new = provider_queue.enqueue(
            cursor,
            step,
            run_id,
            charge.model,
            pictures=charge.pictures,
            code=code,
            detail=error.detail,
            seconds=seconds,
        )
        if is_new:
            facts = {"code": code, "detail": error.detail, "seconds": seconds}
            runs.add_event(cursor, run_id, f"{step.kind}.waiting", step.scene or None, facts)
    logger.info("waiting", extra={"code": code, "round": rounds + 1, "seconds": seconds})
    metrics.add_metric("StepWaits", MetricUnit.Count, 1)
    return Waiting(error.detail, code=code, retry_after=seconds)


def _seconds(code: str, estimate: int | None, rounds: int) -> int:
    coefficient = _SLOT_BACKOFF if code == _LIMIT else _BUSY_BACKOFF
    backoff = min(_FIRST_SECONDS * coefficient**rounds, _LONGEST_SECONDS)
    seconds = max(backoff, min(estimate or 0, _LONGEST_ESTIMATE_SECONDS))
    jitter = 1 if code == _LIMIT else random.uniform(1, 1 + _JITTER)  # noqa: S311 - no secret
    return math.ceil(seconds * jitter)


def _size(limit: Limit, pictures: int) -> int:
    return pictures if limit.counts == "images_per_minute" else 1


def _sizes(limit: Limit, depth: QueueDepth) -> tuple[int, int]:
    """Return the slots that the queue ahead needs: of the due steps, and of all steps."""
    if limit.counts == "images_per_minute":
        return depth.due_pictures, depth.pictures
    return depth.due_calls, depth.calls


def _no_free_slot(charge: Charge, limit: Limit, seconds: float) -> NotAccepted:
    model = charge.model
    reason = _LIMIT_REACHED[limit.counts].format(
        most=limit.most, provider=model.provider, model=model.model
    )
    return NotAccepted(
        f"{reason}, by this and other videos.", code=_LIMIT, retry_after=math.ceil(seconds)
    )


def _given_up(code: str, error: NotAccepted) -> ProviderRefused:
    """Return the error of a step that waited too often, with a code for the reason."""
    codes = {_LIMIT: "provider.limit", WORKER: "step.busy"}
    return ProviderRefused(
        f"{error.detail} Gave up after {MOST_ROUNDS} waits, which were not charged.",
        code=codes.get(code, NotAccepted.code),
        billed=False,
        retryable=True,
    )
