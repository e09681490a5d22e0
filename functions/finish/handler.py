"""States Finish, RecordSceneFailure and RecordFailure: every run ends here, and says why."""

import json
from functools import cache
from typing import Any, Literal

from common.application import failure_records, inbox_results, run_metrics
from common.application.pipeline_step import RunEvent, SceneEvent, step
from common.database import Database, attempts, narrations, runs, scenes, videos
from common.database.attempts import Charges
from common.domain.errors import PermanentError
from common.domain.video import RunScope, Stage, Status
from common.settings import AssemblySettings, load
from common.storage import MediaFolder
from common.storage.s3 import S3MediaStore
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
    """Input of RecordSceneFailure; `error` as above."""

    action: Literal["scene_failed"]
    error: str


@cache
def settings() -> AssemblySettings:
    """The function's settings, checked once."""
    return load(AssemblySettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@cache
def store() -> S3MediaStore:
    """The media store."""
    return S3MediaStore(settings().media_bucket)


@step(Stage.FINISH, FinishEvent, database)
def _finish(event: FinishEvent) -> dict[str, Any]:
    with database().transaction() as cursor:
        makes_video = runs.work(cursor, event.run_id).scope in _WITH_VIDEO
        cost = attempts.charges(cursor, event.video_id)
    if makes_video:
        _keep_record(event.video_id, cost)
    with database().transaction() as cursor:
        ended = runs.succeed(cursor, event.run_id)
        timeline = runs.events(cursor, event.run_id)
    if ended:
        run_metrics.record_run_end(Status.SUCCEEDED)
        run_metrics.record_stage_seconds(timeline)
    inbox_results.write_results_of_run(database(), store(), event.run_id)
    return {"status": "succeeded", "usd": str(cost.charged_usd)}


def _keep_record(video_id: str, cost: Charges) -> None:
    """Store how the video was made, beside it."""
    with database().transaction() as cursor:
        video = videos.get(cursor, video_id)
        final = videos.final(cursor, video_id)
        if final is None:
            raise PermanentError("There is no finished cut.", code="finish.nothing")
        frames = scenes.finished_frames(cursor, video_id)
        clips = scenes.finished_clips(cursor, video_id)
        said = narrations.of_video(cursor, video_id)
    record = manifest(video, final, frames, clips, said, cost)
    key = MediaFolder(video.user_id, video.session_id).provenance(final.version)
    store().put(key, json.dumps(record, indent=2).encode(), "application/json")


@step(None, SceneFailureEvent, database)
def _fail_scene(event: SceneFailureEvent) -> dict[str, Any]:
    with database().transaction() as cursor:
        failure_records.fail_scene(cursor, event.run_id, event.video_id, event.scene, event.error)
    return {"recorded": True}


@step(None, FailureEvent, database)
def _fail(event: FailureEvent) -> dict[str, Any]:
    with database().transaction() as cursor:
        code = failure_records.fail_run(cursor, event.run_id, event.error)
    if code is not None:
        run_metrics.record_run_end(Status.FAILED, code)
    inbox_results.write_results_of_run(database(), store(), event.run_id)
    return {"recorded": code is not None}


_ACTIONS = {"finish": _finish, "scene_failed": _fail_scene, "fail": _fail}


def handler(event: dict[str, Any], lambda_context: Any) -> dict[str, Any]:
    """Do the state's action; every one of them may be repeated."""
    return _ACTIONS[event["action"]](event, lambda_context)
