"""The frame around every step of the state machine: translate in, work, translate out.

A step handler is a function of a validated event. This frame binds ids to the log, moves the run
to its stage, writes a failure down where the user will see it, and reports every error under one
of the three names that the state machine knows (see `common.domain.errors`).
"""

import math
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic import ConfigDict

from common.application import run_metrics
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics, tracer
from common.database import Database, narrations, runs, scenes
from common.domain import advice
from common.domain.errors import (
    NotAccepted,
    PermanentError,
    RunEnded,
    TransientError,
    VideoError,
    Waiting,
    as_step_error,
)
from common.domain.video import Stage, Status
from common.schemas.base import Schema

_NOBODY_GETS_PAST = frozenset(
    {"provider.credits", "provider.key", "provider.quota", "provider.forbidden"}
)

Handler = Callable[[dict[str, Any], LambdaContext], dict[str, Any]]


class RunEvent(Schema):
    """Input of a step that works on the whole video."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    video_id: str


class SceneEvent(RunEvent):
    """Input of a step that works on one scene; scenes count from 1."""

    scene: int


E = TypeVar("E", bound=RunEvent)


def step(
    stage: Stage | None,
    event_model: type[E],
    database: Callable[[], Database],
    *,
    submits: bool = False,
) -> Callable[[Callable[[E], dict[str, Any]]], Handler]:
    """Make a Lambda handler of a function from an event to a small result.

    Without a stage it is a step that records how others ended: it moves and fails nothing.

    A step that has to wait for its provider answers `{"status": "waiting", "wait_seconds": N}`.
    A handler that `submits` paid work reports a TransientError as NotAccepted: `billing.paid_calls`
    lets none escape once the call is made, so a transient error happened before the call.
    """

    def frame(work: Callable[[E], dict[str, Any]]) -> Handler:
        @metrics.log_metrics
        @logger.inject_lambda_context(clear_state=True)
        @tracer.capture_lambda_handler(capture_response=False)
        @wraps(work)
        def handler(raw: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
            event = event_model.model_validate(raw)
            scene = getattr(event, "scene", None)
            logger.append_keys(run_id=event.run_id, video_id=event.video_id, scene=scene)
            tracer.put_annotation("run_id", event.run_id)
            try:
                if stage is not None:
                    _enter_stage(database(), event, stage)
                return work(event)
            except Waiting as waiting:
                return {
                    "status": "waiting",
                    "wait_seconds": whole_seconds(waiting.retry_after or 0),
                }
            except Exception as error:
                own = _to_app_error(error)
                named = as_step_error(own)
                if submits and isinstance(named, TransientError):
                    named = NotAccepted(own.detail, code=own.error_code)
                if isinstance(named, NotAccepted):
                    own.billed = False
                logger.warning(
                    "step failed",
                    extra={"stage": stage, "code": own.error_code, "detail": own.detail},
                )
                metrics.add_metric("StepFailed", MetricUnit.Count, 1)
                if stage is not None:
                    _record_failure(database(), event, stage, scene, own)
                raise named from None

        framed: Handler = handler  # Powertools' decorators carry no types
        return framed

    return frame


def whole_seconds(wait: float) -> int:
    """Return a wait as `SecondsPath` certainly takes it: a whole number, at least 1."""
    return max(1, math.ceil(wait))


def failure_record(error: VideoError, stage: Stage, scene: int | None) -> dict[str, Any]:
    """Return what the user sees of a failed step."""
    return {
        "code": error.error_code,
        "stage": stage.value,
        "scene": scene or error.scene,
        "detail": error.detail,
        "retryable": error.retryable,
        "billed": error.billed,
    }


def _to_app_error(error: Exception) -> VideoError:
    if isinstance(error, VideoError):
        return error
    # A mistake in the program: the log has the place, the user a code and no internals.
    logger.exception("unexpected error")
    return PermanentError(
        "The step failed for an internal reason; the function's log names it.",
        code="internal",
    )


def _enter_stage(database: Database, event: RunEvent, stage: Stage) -> None:
    with database.transaction() as cursor:
        if not runs.enter_stage(cursor, event.run_id, stage):
            raise RunEnded("The run has ended already.")


def _record_failure(
    database: Database, event: RunEvent, stage: Stage, scene: int | None, error: VideoError
) -> None:
    """Keep a failure with its scene; one that may be retried in the timeline only.

    What no run can get past (no credit, no key) ends the run at once, so that no other scene
    starts anything; it can be resumed.
    """
    if isinstance(error, RunEnded):
        return
    facts = failure_record(error, stage, scene)
    is_final = not isinstance(as_step_error(error), TransientError | NotAccepted)
    if is_final:
        facts = advice.final(facts)
    ends_run = is_final and error.error_code in _NOBODY_GETS_PAST
    ended = False
    try:
        with database.transaction() as cursor:
            if ends_run:
                runs.lock(cursor, event.run_id)
            outcome = "failed" if is_final else "retried"
            runs.add_event(cursor, event.run_id, f"{stage}.{outcome}", scene, facts)
            if not is_final:
                return
            if scene is not None and stage is Stage.SPEECH:
                narrations.fail(cursor, event.video_id, scene, facts)
            if scene is not None and stage in (Stage.IMAGE, Stage.CLIP):
                scenes.fail(
                    cursor,
                    "image" if stage is Stage.IMAGE else "clip",
                    event.video_id,
                    scene,
                    facts,
                    runs.work(cursor, event.run_id).versions.get(scene),
                )
            # Last: it holds the video's row, which others take after their scene's.
            if ends_run:
                ended = runs.fail(cursor, event.run_id, facts)
        if ended:
            run_metrics.record_run_end(Status.FAILED, error.error_code)
    except VideoError as lost:
        # RecordFailure still ends the run, with the stage that it finds open.
        logger.warning("failure not written down", extra={"code": lost.error_code})
