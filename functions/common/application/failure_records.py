"""Failure records of steps that could not write their own: crashed, timed out, or stopped.

A step records its failure before it raises (`pipeline_step`). If the step was killed instead, Step
Functions reports the name of the error, and the database shows which step was running.
"""

from typing import Any

from common.database import Cursor, narrations, runs, scenes
from common.domain import advice
from common.domain.video import RunScope, RunTarget, Stage

_OUT_OF_TIME = frozenset({"States.Timeout", "Sandbox.Timedout", "TIMED_OUT"})
_STOPPED = frozenset({"ABORTED"})
"""Error names with which Lambda did not run the step, even after the retries of
`statemachine/video.asl.json`."""
REFUSED = frozenset(
    f"Lambda.{name}Exception"
    for name in (
        *("TooManyRequests", "EC2Throttled", "EC2Unexpected", "ENILimitReached", "ENINotReady"),
        *("SubnetIPAddressLimitReached", "ResourceNotReady", "ResourceConflict"),
        "CodeArtifactUserPending",
    )
)


def fail_scene(cursor: Cursor, run_id: str, video_id: str, scene: int, error: str) -> None:
    """Record a scene's failure, unless the step recorded it or the run has ended."""
    if not runs.is_open(cursor, run_id) or runs.last_failure(cursor, run_id, scene):
        return
    work = runs.work(cursor, run_id)
    stage = _open_stage(cursor, video_id, scene, work)
    facts = _failure_without_details(error, stage, scene)
    runs.add_event(cursor, run_id, f"{stage}.failed", scene, facts)
    if stage is Stage.SPEECH:
        narrations.fail(cursor, video_id, scene, facts)
    else:
        kind: scenes.StepKind = "image" if stage is Stage.IMAGE else "clip"
        scenes.fail(cursor, kind, video_id, scene, facts, work.versions.get(scene))


def fail_run(cursor: Cursor, run_id: str, error: str) -> str | None:
    """End the run as failed, with the failure that its step recorded; return the error code.

    Returns None if the run had ended before.
    """
    facts = runs.last_failure(cursor, run_id)
    if facts is None:
        facts = _failure_without_details(error, Stage(runs.stage_of(cursor, run_id)), None)
    facts = advice.final(facts)
    code: str = facts["code"]
    return code if runs.fail(cursor, run_id, facts) else None


def _open_stage(cursor: Cursor, video_id: str, scene: int, work: RunTarget) -> Stage:
    if work.scope is not RunScope.ALL:
        return Stage.IMAGE if work.scope is RunScope.IMAGE else Stage.CLIP
    version = scenes.current_version(cursor, "image", video_id, scene)
    if scenes.image(cursor, video_id, scene, version).status != "succeeded":
        return Stage.IMAGE
    narration = narrations.of_video(cursor, video_id).get(scene)
    spoken = narration is None or narration.status == "succeeded"
    return Stage.CLIP if spoken else Stage.SPEECH


def _failure_without_details(error: str, stage: Stage, scene: int | None) -> dict[str, Any]:
    billed: bool | None = None
    if error in REFUSED:
        code, detail = (
            "functions.unavailable",
            "Lambda had no capacity for the step and did not run it.",
        )
        # An earlier step may have started the clip's job.
        billed = None if stage is Stage.CLIP else False
    elif error in _OUT_OF_TIME:
        code, detail = "step.timeout", "The step timed out."
    elif error in _STOPPED:
        code, detail = "run.stopped", "The execution was stopped in Step Functions."
    else:
        code, detail = "step.crashed", "The step crashed before it could return a result."
    facts = {
        "code": code,
        "stage": stage.value,
        "scene": scene,
        "detail": detail,
        "billed": billed,
    }
    return advice.final(facts)
