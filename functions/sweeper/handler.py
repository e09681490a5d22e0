"""The sweeper: starts what a crash left unstarted, ends what an execution left open.

It also erases what late workers left of videos that were deleted, and has clips collected that
ended runs left behind at their provider: they are paid, and their outputs expire after a day.

It runs on a schedule, and when an execution fails, times out or is stopped. Every accepted run
has the execution of its own name, or gets it here; a name is never started twice. Uploads that
were announced and did not arrive are refused here, so that they end too.
"""

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common.application import failure_records, inbox_results, run_metrics
from common.aws import executions, lambda_invoke
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics, tracer
from common.database import Database, deletions, idempotency, polls, runs, uploads, usage
from common.database.deletions import Deleted
from common.database.runs import OpenRun
from common.domain.errors import VideoError
from common.domain.video import Status
from common.settings import SweeperSettings, load
from common.storage import MediaFolder
from common.storage.s3 import S3MediaStore

# Admission starts the execution in its own request; what is older than this was left unstarted.
_UNSTARTED_SECONDS = 15
_RUNS_PER_SWEEP = 200
_KEYS_PER_SWEEP = 10_000
_VIDEOS_PER_SWEEP = 50
# The function `clip` is stopped after 350 s; then another sweep may have the job collected.
_JOBS_PER_SWEEP, _COLLECTOR_SECONDS = 20, 360
# The execution of a run that just ended may still be at its job.
_JOB_PAUSE_SECONDS = 60


@cache
def settings() -> SweeperSettings:
    """The function's settings, checked once."""
    return load(SweeperSettings)


@cache
def database() -> Database:
    """The warm environment's connection."""
    return Database(settings())


@cache
def store() -> S3MediaStore:
    """The media store."""
    return S3MediaStore(settings().media_bucket)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Look at every open run, or at the one whose execution just ended; return what was done.

    `older_than_seconds` in the event is for who knows that no run is just being admitted.
    """
    done = {"started": 0, "ended": 0, "left": 0, "errors": 0, "jobs": 0}
    ended = event.get("detail", {}).get("name")
    gone: list[Deleted] = []
    with database().transaction() as cursor:
        if ended:
            open_runs = runs.still_open(cursor, run_id=ended)
        else:
            open_runs = runs.still_open(
                cursor,
                older_than_seconds=event.get("older_than_seconds", _UNSTARTED_SECONDS),
                limit=_RUNS_PER_SWEEP,
            )
            idempotency.forget_expired(cursor, limit=_KEYS_PER_SWEEP)
            gone = deletions.due(cursor, limit=_VIDEOS_PER_SWEEP)
            uploads.refuse_lost(cursor)
    for run in open_runs:
        try:
            done[_sweep(run)] += 1
        except VideoError as error:  # the next sweep comes to it again
            done["errors"] += 1
            logger.warning("run left", extra={"run_id": run.run_id, "code": error.error_code})
    for video in gone:
        _look_after(video)
    if not ended:
        done["jobs"] = _collect_left_behind()
        _write_costs()
    inbox_results.write_due_results(database(), store())
    for name, count in (
        ("RunsLeftUnstarted", done["started"]),
        ("RunsLeftOpen", done["ended"]),
        ("JobsLeftBehind", done["jobs"]),
    ):
        if count:  # a metric costs money in each hour in which it is written
            metrics.add_metric(name, MetricUnit.Count, count)
    return done


def _sweep(run: OpenRun) -> str:
    status = executions.status(settings().state_machine_arn, run.run_id)
    if status is None:
        # Never started, or the execution is lost: its finished steps answer at once.
        executions.start(settings().state_machine_arn, run.run_id, run.session_id, run.work)
        with database().transaction() as cursor:
            runs.restart_trace(cursor, run.run_id)
        return "started"
    if status == "RUNNING":
        return "left"
    with database().transaction() as cursor:
        if status == "SUCCEEDED":
            code, ended = None, runs.succeed(cursor, run.run_id)
        else:
            code = failure_records.fail_run(cursor, run.run_id, status)
            ended = code is not None
    if ended:
        run_metrics.record_run_end(Status.FAILED if code else Status.SUCCEEDED, code)
    return "ended"


def _write_costs() -> None:
    with database().transaction() as cursor:
        spends = usage.by_provider(cursor)
    run_metrics.record_spend(spends)


def _collect_left_behind() -> int:
    """Have jobs of ended runs collected, each by one worker at a time; return how many."""
    with database().transaction() as cursor:
        polls.settle_expired(cursor, limit=_JOBS_PER_SWEEP)
        jobs = polls.claim_left_behind(
            cursor,
            limit=_JOBS_PER_SWEEP,
            lease_seconds=_COLLECTOR_SECONDS,
            pause_seconds=_JOB_PAUSE_SECONDS,
        )
    for number, job in enumerate(jobs):
        event = {
            "action": "recover",
            "run_id": job.run_id,
            "video_id": job.session_id,
            "scene": job.scene,
            "version": job.version,
        }
        try:
            lambda_invoke.invoke_async(settings().clip_function_name, event)
        except VideoError as error:  # its lease ends, and another sweep sends it
            logger.warning("jobs left", extra={"code": error.error_code})
            return number
    return len(jobs)


def _look_after(video: Deleted) -> None:
    """Erase what was left of a deleted video, and count what came late."""
    try:
        store().erase(MediaFolder(video.user_id, video.session_id))
        with database().transaction() as cursor:
            deletions.erased(cursor, video.session_id)
    except VideoError as error:  # the next sweep comes to it again
        logger.warning("media left", extra={"video_id": video.session_id, "code": error.error_code})
