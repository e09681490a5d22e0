"""The ends of runs: started by the sweeper, failed, stopped or repeated."""

import time
from decimal import Decimal
from typing import Any

from common.database import runs, videos
from common.domain import ids
from infra.local.cloud import sweep
from infra.local.connection import Connection
from tests.e2e.client import Client, StackAccess
from tests.support.rows import video_record


def insert_unstarted_run(
    stack: StackAccess, *, seconds: int = 60, **changes: Any
) -> tuple[str, str]:
    """Store a video and its run as if admission crashed before starting the execution."""
    row, run_id = video_record(**changes), ids.new("run")
    with stack.database() as cursor:
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0))
        cursor.execute(
            "UPDATE runs SET created_at = now() - %s * interval '1 second' WHERE run_id = %s",
            (seconds, run_id),
        )
    return row.session_id, run_id


def test_sweeper_starts_run_left_unstarted_by_crash(alice: Client, stack: StackAccess) -> None:
    video_id, run_id = insert_unstarted_run(stack, frame_count=1, clip_seconds=2, ratio="960:960")
    assert stack.sweep()["started"] >= 1
    assert alice.wait(video_id)["status"] == "succeeded"
    assert stack.execution(run_id)["status"] == "SUCCEEDED"
    # A second sweep finds nothing to do.
    assert stack.sweep()["errors"] == 0


def test_local_cloud_start_resumes_unstarted_runs(
    alice: Client, stack: StackAccess, link: Connection
) -> None:
    """Runs created a moment before the restart are resumed too."""
    fields = {"frame_count": 1, "clip_seconds": 2, "ratio": "960:960"}
    video_id, _ = insert_unstarted_run(stack, seconds=0, **fields)
    sweep(link, print)
    assert alice.wait(video_id)["status"] == "succeeded"


def test_failed_step_fails_run_with_error(alice: Client, stack: StackAccess) -> None:
    video_id, run_id = insert_unstarted_run(
        stack, frame_count=2, clip_seconds=2, reference_key="alice/gone/user-uploads/x.png"
    )
    stack.sweep()
    video = alice.wait(video_id)
    assert video["status"] == "failed"
    error = video["error"]
    assert (error["code"], error["stage"], error["scene"]) == ("storage.not_found", "image", 1)
    assert error["retryable"] is False
    assert video["scenes"][0]["image"]["error"]["code"] == "storage.not_found"
    # The finished story stays readable.
    assert video["title"]
    assert len(video["scenes"]) == 2
    assert alice.call("GET", video["links"]["download"]).status_code == 409
    deadline = time.monotonic() + 20
    while stack.execution(run_id)["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert stack.execution(run_id)["status"] == "FAILED"


def test_stopped_execution_fails_run(alice: Client, stack: StackAccess, link: Connection) -> None:
    video = alice.create(prompt="Stopped midway", scenes=12, seconds=4)
    execution = stack.execution(video["run_id"])
    link.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    # The rule for ended executions invokes the sweeper, so the schedule does not matter.
    ended = alice.wait(video["id"], seconds=30)
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == "run.stopped"


def test_repeated_steps_of_finished_video_are_idempotent(
    alice: Client, stack: StackAccess, link: Connection
) -> None:
    """Steps are idempotent: a second execution makes no second provider call."""
    video = alice.wait(alice.create(prompt="Twice", scenes=1, seconds=2, ratio="960:960")["id"])
    before = stack.rows(
        "SELECT id, state FROM provider_jobs WHERE session_id = %s ORDER BY id", video["id"]
    )
    run_id = ids.new("run")
    with stack.database() as cursor:
        runs.insert(cursor, run_id, video["id"], "resume", Decimal(0))
    machine = link.outputs["StateMachineArn"]
    link.client("stepfunctions").start_execution(
        stateMachineArn=machine,
        name=run_id,
        input=f'{{"run_id": "{run_id}", "video_id": "{video["id"]}"}}',
    )
    repeated = alice.wait(video["id"])
    assert repeated["status"] == "succeeded"
    assert repeated["run_id"] == run_id
    assert repeated["output"]["sha256"] == video["output"]["sha256"]
    after = stack.rows(
        "SELECT id, state FROM provider_jobs WHERE session_id = %s ORDER BY id", video["id"]
    )
    assert after == before
