"""Waiting for a provider: who may call it now, when the others come back, and who gives up.

Limits of providers are shared by all runs. A step that finds no place, or whose call was certainly
not accepted, does not fail and does not sleep: its function ends, and the state machine brings the
step back. So that everybody's turn comes, who waits longest is let through first.
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
"""How often a scene waits in a run, for its picture, narration and clip. An execution's history
holds no more, and no fair queue needs more; the story may wait as often."""

# Without a better guess waits grow from 5 s. For a place their sum is nine minutes beyond what was
# guessed; a provider that is busy is given twenty-five. One that says when to come back is obeyed
# to the second, so often as `_ROUNDS_OBEYED`; then it is given time as if it said nothing.
_FIRST_SECONDS, _LONGEST_SECONDS = 5, 300
_GROWTH_FOR_A_PLACE, _GROWTH_OF_BUSY = 1.5, 2
_ROUNDS_OBEYED = 6
_LONGEST_GUESS_SECONDS = 3600
# Who were refused together shall not come back together.
_SPREAD = 0.25

_LIMIT, BUSY, WORKER = (
    "waiting.provider_limit",
    "waiting.provider_busy",
    "waiting.other_worker",
)
_USED_UP = {
    "calls_per_minute": "All {most} calls a minute that {provider} takes of {model} are used up",
    "images_per_minute": "All {most} pictures a minute that {provider} takes for {model} are "
    "used up",
    "jobs_at_once": "All {most} jobs of {model} that {provider} works on at a time are under way",
}


def acquire_slot(cursor: Cursor, charge: Charge) -> None:
    """Return if the call may be made now; until the commit nobody else may take the place.

    Raises NotAccepted, with a guess when there will be a place.
    """
    model = charge.model
    closed_seconds = provider_slots.lock(cursor, model)
    before = provider_queue.queue_depth(cursor, charge.step, charge.run_id, model)
    if closed_seconds:
        raise NotAccepted(
            f"{model.provider} asked for a pause; calls go on when it is over.",
            code=BUSY,
            retry_after=closed_seconds,
        )
    for limit in charge.limits:
        held = provider_slots.active_slots(cursor, model, limit)
        turn = provider_slots.typical_seconds(cursor, model) if limit.of_jobs else MINUTE_SECONDS
        due, all_before = _sizes(limit, before)
        asked = min(_size(limit, charge.pictures), limit.most)
        if seconds_until_free(held, limit.most, due + asked, turn):
            seconds = seconds_until_free(held, limit.most, all_before + asked, turn)
            raise _no_free_slot(charge, limit, seconds)
    provider_queue.pause(cursor, charge.step)


def enqueue(database: Database, charge: Charge, error: NotAccepted) -> VideoError:
    """Write down that the step waits, and return what to raise: Waiting, or why it gave up."""
    step, run_id = charge.step, charge.run_id
    code = {_LIMIT: _LIMIT, "step.busy": WORKER}.get(error.error_code, BUSY)
    with database.transaction() as cursor:
        rounds = provider_queue.rounds(cursor, step, run_id)
        if rounds >= MOST_ROUNDS:
            provider_queue.pause(cursor, step)
            return _given_up(code, error)
        if error.error_code == NotAccepted.code and error.retry_after and rounds < _ROUNDS_OBEYED:
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


def _seconds(code: str, guess: int | None, rounds: int) -> int:
    growth = _GROWTH_FOR_A_PLACE if code == _LIMIT else _GROWTH_OF_BUSY
    floor = min(_FIRST_SECONDS * growth**rounds, _LONGEST_SECONDS)
    seconds = max(floor, min(guess or 0, _LONGEST_GUESS_SECONDS))
    spread = 1 if code == _LIMIT else random.uniform(1, 1 + _SPREAD)  # noqa: S311 - no secret
    return math.ceil(seconds * spread)


def _size(limit: Limit, pictures: int) -> int:
    return pictures if limit.counts == "images_per_minute" else 1


def _sizes(limit: Limit, before: QueueDepth) -> tuple[int, int]:
    if limit.counts == "images_per_minute":
        return before.due_pictures, before.pictures
    return before.due_calls, before.calls


def _no_free_slot(charge: Charge, limit: Limit, seconds: float) -> NotAccepted:
    model = charge.model
    words = _USED_UP[limit.counts].format(
        most=limit.most, provider=model.provider, model=model.model
    )
    return NotAccepted(
        f"{words}, by this and other videos.", code=_LIMIT, retry_after=math.ceil(seconds)
    )


def _given_up(code: str, error: NotAccepted) -> ProviderRefused:
    """Say which of the three did not end in time."""
    codes = {_LIMIT: "provider.limit", WORKER: "step.busy"}
    return ProviderRefused(
        f"{error.detail} Gave up after {MOST_ROUNDS} waits; nothing was charged for them.",
        code=codes.get(code, NotAccepted.code),
        billed=False,
        retryable=True,
    )
