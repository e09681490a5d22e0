"""Lambda function `sweeper`: repairs what crashes and ended executions left unfinished.

It runs on a schedule, and when an execution fails, times out or is stopped. It

- starts the executions of accepted runs that have none; a name is never started twice;
- ends runs whose executions have ended;
- has clips of ended runs collected, which are paid, before their outputs expire after a day;
- erases media that late workers stored for deleted videos;
- refuses uploads whose file never arrived;
- writes results of inbox objects that are due.
"""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from common import runtime
from common.application import failure_records, inbox_results, run_metrics
from common.aws import executions, lambda_invoke
from common.aws.log import logger
from common.aws.tracing import MetricUnit, metrics, tracer
from common.database import deletions, idempotency, polls, runs, uploads, usage
from common.database.deletions import DeletedVideo
from common.database.runs import OpenRun
from common.domain.errors import VideoError
from common.domain.video import Status
from common.settings import SweeperSettings
from common.storage import MediaFolder

# Admission starts the execution in the same request. An older run without one was left unstarted.
_UNSTARTED_SECONDS = 15
_RUNS_PER_SWEEP = 200
_KEYS_PER_SWEEP = 10_000
_VIDEOS_PER_SWEEP = 50
# The lease of a collector. The function `clip` times out after 350 s; then another sweep may start
# a new collector for the job.
_JOBS_PER_SWEEP, _COLLECTOR_SECONDS = 20, 360
# The execution of a run that has just ended may still be polling its job.
_JOB_PAUSE_SECONDS = 60


services = partial(runtime.services, SweeperSettings)


@metrics.log_metrics
@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Sweep all open runs, or only the one whose execution has just ended; return the counts.

    `older_than_seconds` in the event replaces the minimum age of runs, for callers that know that
    no run is being admitted.
    """
    counts = {"started": 0, "ended": 0, "left": 0, "errors": 0, "jobs": 0}
    ended_run_id = event.get("detail", {}).get("name")
    deleted: list[DeletedVideo] = []
    with services().database.transaction() as cursor:
        if ended_run_id:
            open_runs = runs.open_runs(cursor, run_id=ended_run_id)
        else:
            open_runs = runs.open_runs(
                cursor,
                older_than_seconds=event.get("older_than_seconds", _UNSTARTED_SECONDS),
                limit=_RUNS_PER_SWEEP,
            )
            idempotency.delete_expired(cursor, limit=_KEYS_PER_SWEEP)
            deleted = deletions.due(cursor, limit=_VIDEOS_PER_SWEEP)
            uploads.refuse_lost(cursor)
    for run in open_runs:
        try:
            counts[_sweep(run)] += 1
        except VideoError as error:  # the next sweep retries
            counts["errors"] += 1
            logger.warning("run not swept", extra={"run_id": run.run_id, "code": error.error_code})
    for video in deleted:
        _erase_late_media(video)
    if not ended_run_id:
        counts["jobs"] = _collect_left_behind()
        _write_spend()
    inbox_results.write_due_results(services().database, services().store)
    for name, count in (
        ("RunsLeftUnstarted", counts["started"]),
        ("RunsLeftOpen", counts["ended"]),
        ("JobsLeftBehind", counts["jobs"]),
    ):
        if count:  # CloudWatch charges for every hour with a data point
            metrics.add_metric(name, MetricUnit.Count, count)
    return counts


def _sweep(run: OpenRun) -> str:
    status = executions.status(services().settings.state_machine_arn, run.run_id)
    if status is None:
        # Never started, or the execution is lost; then its finished steps return immediately.
        executions.start(
            services().settings.state_machine_arn, run.run_id, run.session_id, run.work
        )
        with services().database.transaction() as cursor:
            runs.restart_trace(cursor, run.run_id)
        return "started"
    if status == "RUNNING":
        return "left"
    with services().database.transaction() as cursor:
        if status == "SUCCEEDED":
            code, ended = None, runs.succeed(cursor, run.run_id)
        else:
            code = failure_records.fail_run(cursor, run.run_id, status)
            ended = code is not None
    if ended:
        run_metrics.record_run_end(Status.FAILED if code else Status.SUCCEEDED, code)
    return "ended"


def _write_spend() -> None:
    with services().database.transaction() as cursor:
        spends = usage.by_provider(cursor)
    run_metrics.record_spend(spends)


def _collect_left_behind() -> int:
    """Start a collector for each uncollected job of ended runs; return the number of jobs.

    A lease ensures that only one worker at a time collects a job.
    """
    with services().database.transaction() as cursor:
        polls.settle_expired(cursor, limit=_JOBS_PER_SWEEP)
        jobs = polls.lease_uncollected_jobs(
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
            lambda_invoke.invoke_async(services().settings.clip_function_name, event)
        except VideoError as error:  # a later sweep retries, after the lease has expired
            logger.warning("collectors not started", extra={"code": error.error_code})
            return number
    return len(jobs)


def _erase_late_media(video: DeletedVideo) -> None:
    """Erase media that were stored after their video was deleted."""
    try:
        services().store.erase(MediaFolder(video.user_id, video.session_id))
        with services().database.transaction() as cursor:
            deletions.mark_erased(cursor, video.session_id)
    except VideoError as error:  # the next sweep retries
        extra = {"video_id": video.session_id, "code": error.error_code}
        logger.warning("media not erased", extra=extra)
