"""Lambda function `finish`: the states Finish, RecordSceneFailure and RecordFailure.

Every run ends here, with success or with the reason for its failure.
"""

import json
from functools import partial
from typing import Any, Literal

from common import runtime
from common.application import failure_records, inbox_results, run_metrics
from common.application.pipeline_step import RunEvent, SceneEvent, step
from common.database import attempts, narrations, runs, scenes, videos
from common.database.attempts import Charges
from common.domain.errors import PermanentError
from common.domain.video import RunScope, Stage, Status
from common.settings import FinishSettings
from common.storage import MediaFolder
from finish.provenance import manifest

_WITH_VIDEO = frozenset({RunScope.ALL, RunScope.VIDEO, RunScope.MERGE})


class FinishEvent(RunEvent):
    """Input of Finish."""

    action: Literal["finish"]


class FailureEvent(RunEvent):
    """Input of RecordFailure; `error` is the name of the error that Step Functions caught."""

    action: Literal["fail"]
    error: str


class SceneFailureEvent(SceneEvent):
    """Input of RecordSceneFailure; `error` is the name of the error that Step Functions caught."""

    action: Literal["scene_failed"]
    error: str


services = partial(runtime.services, FinishSettings)


@step(Stage.FINISH, FinishEvent, services)
def _finish(event: FinishEvent) -> dict[str, Any]:
    with services().database.transaction() as cursor:
        makes_video = runs.work(cursor, event.run_id).scope in _WITH_VIDEO
        cost = attempts.charges(cursor, event.video_id)
    if makes_video:
        _store_manifest(event.video_id, cost)
    with services().database.transaction() as cursor:
        ended = runs.succeed(cursor, event.run_id)
        timeline = runs.events(cursor, event.run_id)
    if ended:
        run_metrics.record_run_end(Status.SUCCEEDED)
        run_metrics.record_stage_seconds(timeline)
    inbox_results.write_results_of_run(services().database, services().store, event.run_id)
    return {"status": "succeeded", "usd": str(cost.charged_usd)}


def _store_manifest(video_id: str, cost: Charges) -> None:
    """Store the provenance manifest of the finished video."""
    with services().database.transaction() as cursor:
        video = videos.get(cursor, video_id)
        final = videos.final(cursor, video_id)
        if final is None:
            raise PermanentError("The video has no merged file.", code="finish.nothing")
        frames = scenes.finished_images(cursor, video_id)
        clips = scenes.finished_clips(cursor, video_id)
        narrations_by_scene = narrations.of_video(cursor, video_id)
    content = manifest(video, final, frames, clips, narrations_by_scene, cost)
    key = MediaFolder(video.user_id, video.session_id).provenance(final.version)
    services().store.put(key, json.dumps(content, indent=2).encode(), "application/json")


@step(None, SceneFailureEvent, services)
def _fail_scene(event: SceneFailureEvent) -> dict[str, Any]:
    with services().database.transaction() as cursor:
        failure_records.fail_scene(cursor, event.run_id, event.video_id, event.scene, event.error)
    return {"recorded": True}


@step(None, FailureEvent, services)
def _fail(event: FailureEvent) -> dict[str, Any]:
    with services().database.transaction() as cursor:
        code = failure_records.fail_run(cursor, event.run_id, event.error)
    if code is not None:
        run_metrics.record_run_end(Status.FAILED, code)
    inbox_results.write_results_of_run(services().database, services().store, event.run_id)
    return {"recorded": code is not None}


_ACTIONS = {"finish": _finish, "scene_failed": _fail_scene, "fail": _fail}


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Run the action of the state; all actions are idempotent."""
    return _ACTIONS[event["action"]](event, lambda_context)
