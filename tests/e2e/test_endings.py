"""Every accepted run ends, and says why; what was finished stays readable."""

import time
from decimal import Decimal
from typing import Any

from common.database import runs, videos
from common.domain import ids
from infra.local.cloud import sweep
from infra.local.connection import Connection
from tests.e2e.client import Backstage, Client
from tests.support.rows import wish


def leave_unstarted(backstage: Backstage, *, seconds: int = 60, **changes: Any) -> tuple[str, str]:
    """Store a video and its run as admission did, and died before the execution was started."""
    row, run_id = wish(**changes), ids.new("run")
    with backstage.database() as cursor:
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0))
        cursor.execute(
            "UPDATE runs SET created_at = now() - %s * interval '1 second' WHERE run_id = %s",
            (seconds, run_id),
        )
    return row.session_id, run_id


def test_a_run_that_a_crash_left_unstarted_is_started(alice: Client, backstage: Backstage) -> None:
    video_id, run_id = leave_unstarted(backstage, frame_count=1, clip_seconds=2, ratio="960:960")
    assert backstage.sweep()["started"] >= 1
    assert alice.wait(video_id)["status"] == "succeeded"
    assert backstage.execution(run_id)["status"] == "SUCCEEDED"
    # Another sweep finds nothing to do about it.
    assert backstage.sweep()["errors"] == 0


def test_what_the_last_cloud_left_behind_goes_on_when_the_next_one_starts(
    alice: Client, backstage: Backstage, link: Connection
) -> None:
    """Also what was asked for a moment before: whoever restarts at once does not wait for it."""
    wish = {"frame_count": 1, "clip_seconds": 2, "ratio": "960:960"}
    video_id, _ = leave_unstarted(backstage, seconds=0, **wish)
    sweep(link, print)
    assert alice.wait(video_id)["status"] == "succeeded"


def test_a_step_that_fails_ends_the_run_with_its_reason(
    alice: Client, backstage: Backstage
) -> None:
    video_id, run_id = leave_unstarted(
        backstage, frame_count=2, clip_seconds=2, reference_key="alice/gone/user-uploads/x.png"
    )
    backstage.sweep()
    video = alice.wait(video_id)
    assert video["status"] == "failed"
    error = video["error"]
    assert (error["code"], error["stage"], error["scene"]) == ("storage.not_found", "image", 1)
    assert error["retryable"] is False
    assert video["scenes"][0]["image"]["error"]["code"] == "storage.not_found"
    # What was finished stays readable: the story.
    assert video["title"]
    assert len(video["scenes"]) == 2
    assert alice.call("GET", video["links"]["download"]).status_code == 409
    deadline = time.monotonic() + 20
    while backstage.execution(run_id)["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert backstage.execution(run_id)["status"] == "FAILED"


def test_a_stopped_execution_ends_its_run(
    alice: Client, backstage: Backstage, link: Connection
) -> None:
    video = alice.create(prompt="Stopped on its way", scenes=12, seconds=4)
    execution = backstage.execution(video["run_id"])
    link.client("stepfunctions").stop_execution(executionArn=execution["executionArn"])
    # The rule on ended executions calls the sweeper; no schedule is waited for.
    ended = alice.wait(video["id"], seconds=30)
    assert ended["status"] == "failed"
    assert ended["error"]["code"] == "run.stopped"


def test_steps_repeated_on_a_finished_video_change_nothing(
    alice: Client, backstage: Backstage, link: Connection
) -> None:
    """As Lambda may deliver twice, and as a resume will: the same answers, no second call."""
    video = alice.wait(alice.create(prompt="Twice", scenes=1, seconds=2, ratio="960:960")["id"])
    before = backstage.rows(
        "SELECT id, state FROM provider_jobs WHERE session_id = %s ORDER BY id", video["id"]
    )
    run_id = ids.new("run")
    with backstage.database() as cursor:
        runs.insert(cursor, run_id, video["id"], "resume", Decimal(0))
    machine = link.outputs["StateMachineArn"]
    link.client("stepfunctions").start_execution(
        stateMachineArn=machine,
        name=run_id,
        input=f'{{"run_id": "{run_id}", "video_id": "{video["id"]}"}}',
    )
    again = alice.wait(video["id"])
    assert again["status"] == "succeeded"
    assert again["run_id"] == run_id
    assert again["output"]["sha256"] == video["output"]["sha256"]
    after = backstage.rows(
        "SELECT id, state FROM provider_jobs WHERE session_id = %s ORDER BY id", video["id"]
    )
    assert after == before
