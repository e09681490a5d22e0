"""The decorator of step handlers, which the state machine invokes.

A step handler is a function of a validated event. The decorator adds ids to the log, moves the run
to its stage, records a failure where the user sees it, and translates every error to one of the
names that the state machine's retriers match (see `common.domain.errors`).
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
from common.runtime import Services
from common.schemas.base import Schema

# Every other scene of the run would fail with these, too.
_RUN_FATAL_CODES = frozenset(
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
    services: Callable[[], Services[Any]],
    *,
    submits: bool = False,
) -> Callable[[Callable[[E], dict[str, Any]]], Handler]:
    """Decorate a function from an event to a small result as a Lambda handler.

    `stage` is None for steps that record how others ended: they do not change the run's stage, and
    their failures are not recorded.

    A step that has to wait for its provider returns `{"status": "waiting", "wait_seconds": N}`.
    A handler that `submits` paid work reports a TransientError as NotAccepted: `billing.paid_calls`
    raises none after the call was made, so a transient error happened before the call.
    """

    def decorate(work: Callable[[E], dict[str, Any]]) -> Handler:
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
                    _enter_stage(services().database, event, stage)
                return work(event)
            except Waiting as waiting:
                return {
                    "status": "waiting",
                    "wait_seconds": whole_seconds(waiting.retry_after or 0),
                }
            except Exception as error:
                app_error = _to_app_error(error)
                step_error = as_step_error(app_error)
                if submits and isinstance(step_error, TransientError):
                    step_error = NotAccepted(app_error.detail, code=app_error.error_code)
                if isinstance(step_error, NotAccepted):
                    app_error.billed = False
                logger.warning(
                    "step failed",
                    extra={
                        "stage": stage,
                        "code": app_error.error_code,
                        "detail": app_error.detail,
                    },
                )
                metrics.add_metric("StepFailed", MetricUnit.Count, 1)
                if stage is not None:
                    _record_failure(services().database, event, stage, scene, app_error)
                raise step_error from None

        typed: Handler = handler  # Powertools' decorators are untyped
        return typed

    return decorate


def whole_seconds(wait: float) -> int:
    """Round a wait up to what `SecondsPath` accepts: a whole number of at least 1."""
    return max(1, math.ceil(wait))


def failure_record(error: VideoError, stage: Stage, scene: int | None) -> dict[str, Any]:
    """Return the user-visible description of a failed step."""
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
    # A bug: the traceback goes to the log, and the user sees no internals.
    logger.exception("unexpected error")
    return PermanentError(
        "The step failed with an internal error; the function's log has the details.",
        code="internal",
    )


def _enter_stage(database: Database, event: RunEvent, stage: Stage) -> None:
    with database.transaction() as cursor:
        if not runs.enter_stage(cursor, event.run_id, stage):
            raise RunEnded("The run has already ended.")


def _record_failure(
    database: Database, event: RunEvent, stage: Stage, scene: int | None, error: VideoError
) -> None:
    """Record a failure with its scene, or only in the timeline if the step may be retried.

    A failure with a code of `_RUN_FATAL_CODES` (no credit, no key) ends the run at once, so that no
    other scene starts a call. The run can be resumed.
    """
    if isinstance(error, RunEnded):
        return
    facts = failure_record(error, stage, scene)
    is_final = not isinstance(as_step_error(error), TransientError | NotAccepted)
    if is_final:
        facts = advice.final(facts)
    ends_run = is_final and error.error_code in _RUN_FATAL_CODES
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
            # Last, to avoid a deadlock: it locks the video's row, and others lock a scene's first.
            if ends_run:
                ended = runs.fail(cursor, event.run_id, facts)
        if ended:
            run_metrics.record_run_end(Status.FAILED, error.error_code)
    except VideoError as write_error:
        # The state RecordFailure still ends the run, with the stage that it finds unfinished.
        logger.warning("failure not recorded", extra={"code": write_error.error_code})
