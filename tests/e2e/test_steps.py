"""Runs of one scope on the deployed state machine: each makes only its own results."""

import time
from decimal import Decimal
from typing import Any

import pytest

from common.database import runs, versions, videos
from common.domain import ids
from common.domain.video import RunScope, RunTarget
from tests.e2e.client import StackAccess
from tests.support.rows import video_record

FIELDS = {"frame_count": 2, "clip_seconds": 2, "ratio": "960:960"}


def execute_run(stack: StackAccess, video_id: str, target: RunTarget) -> dict[str, Any]:
    """Store a run as admission does; return its row once the execution has ended."""
    run_id = ids.new("run")
    with stack.database() as cursor:
        runs.insert(cursor, run_id, video_id, "step", Decimal(0), target)
        cursor.execute(
            "UPDATE runs SET created_at = now() - interval '1 minute' WHERE run_id = %s", (run_id,)
        )
    assert stack.sweep()["started"] >= 1
    deadline = time.monotonic() + 60
    while stack.execution(run_id)["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    (row,) = stack.rows("SELECT * FROM runs WHERE run_id = %s", run_id)
    return row


def finished_versions(stack: StackAccess, video_id: str) -> dict[str, list[tuple[int, int]]]:
    """Return scene and version of finished images and clips, and the merged versions."""
    versions_by_table = {}
    for table, number in {"video_frames": "frame_number", "video_clips": "clip_number"}.items():
        rows = stack.rows(
            f"SELECT {number} AS scene, version FROM {table} "
            "WHERE session_id = %s AND status = 'succeeded' ORDER BY 1, 2",
            video_id,
        )
        versions_by_table[table] = [(row["scene"], row["version"]) for row in rows]
    merged = stack.rows(
        "SELECT version, total_clips FROM final_videos WHERE session_id = %s ORDER BY 1", video_id
    )
    versions_by_table["final_videos"] = [(row["version"], row["total_clips"]) for row in merged]
    return versions_by_table


@pytest.fixture(scope="module")
def video_id(stack: StackAccess) -> str:
    row = video_record(**FIELDS)
    with stack.database() as cursor:
        videos.insert(cursor, row)
    return row.session_id


def test_run_scopes_make_results_one_by_one(stack: StackAccess, video_id: str) -> None:
    empty: list[tuple[int, int]] = []
    assert execute_run(stack, video_id, RunTarget(RunScope.STORY))["status"] == "succeeded"
    (session,) = stack.rows("SELECT * FROM video_sessions WHERE session_id = %s", video_id)
    assert session["story_title"]
    assert finished_versions(stack, video_id) == {
        "video_frames": empty,
        "video_clips": empty,
        "final_videos": empty,
    }

    assert execute_run(stack, video_id, RunTarget(RunScope.IMAGE, {2: 1}))["stage"] == "finish"
    assert finished_versions(stack, video_id)["video_frames"] == [(2, 1)]
    assert execute_run(stack, video_id, RunTarget(RunScope.IMAGE, {1: 1}))["status"] == "succeeded"

    assert (
        execute_run(stack, video_id, RunTarget(RunScope.CLIP, {1: 1, 2: 1}))["status"]
        == "succeeded"
    )
    assert finished_versions(stack, video_id) == {
        "video_frames": [(1, 1), (2, 1)],
        "video_clips": [(1, 1), (2, 1)],
        "final_videos": empty,
    }

    assert execute_run(stack, video_id, RunTarget(RunScope.MERGE))["status"] == "succeeded"
    assert finished_versions(stack, video_id)["final_videos"] == [(1, 2)]


def test_merge_run_makes_new_version_only_for_new_clips(stack: StackAccess, video_id: str) -> None:
    assert execute_run(stack, video_id, RunTarget(RunScope.MERGE))["status"] == "succeeded"
    assert finished_versions(stack, video_id)["final_videos"] == [(1, 2)]
    with stack.database() as cursor:
        fields = {"timestamp": "0:02", "style": "Anime", "mood": "Calm"}
        assert versions.add_image(cursor, video_id, 2, prompt="A red door", **fields) == 2
        assert versions.add_clip(cursor, video_id, 2, prompt="It opens", clip_seconds=3) == 2
    assert execute_run(stack, video_id, RunTarget(RunScope.IMAGE, {2: 2}))["status"] == "succeeded"
    assert execute_run(stack, video_id, RunTarget(RunScope.VIDEO, {2: 2}))["status"] == "succeeded"
    assert finished_versions(stack, video_id) == {
        "video_frames": [(1, 1), (2, 1), (2, 2)],
        "video_clips": [(1, 1), (2, 1), (2, 2)],
        "final_videos": [(1, 2), (2, 2)],
    }
    (second,) = stack.rows(
        "SELECT frames FROM final_videos WHERE session_id = %s AND version = 2", video_id
    )
    assert second["frames"] == (2 + 3) * 24
    calls = stack.rows(
        "SELECT kind, scene, version FROM provider_jobs WHERE session_id = %s ORDER BY id", video_id
    )
    assert len(calls) == len({tuple(call.values()) for call in calls}) == 7


def test_run_scope_fails_without_prerequisite(stack: StackAccess) -> None:
    row = video_record(**FIELDS)
    with stack.database() as cursor:
        videos.insert(cursor, row)
        versions.add_clip(cursor, row.session_id, 1, prompt="It moves")
    failed = execute_run(stack, row.session_id, RunTarget(RunScope.CLIP, {1: 1}))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "clip.no_picture")
    assert failed["error"]["scene"] == 1
    failed = execute_run(stack, row.session_id, RunTarget(RunScope.MERGE))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "merge.missing_clip")


def test_execution_with_only_ids_makes_whole_video(
    stack: StackAccess,
) -> None:
    row, run_id = video_record(**{**FIELDS, "frame_count": 1}), ids.new("run")
    with stack.database() as cursor:
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0))
    stack.link.client("stepfunctions").start_execution(
        stateMachineArn=stack.link.outputs["StateMachineArn"],
        name=run_id,
        input=f'{{"run_id": "{run_id}", "video_id": "{row.session_id}"}}',
    )
    deadline = time.monotonic() + 60
    while stack.execution(run_id)["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert stack.execution(run_id)["status"] == "SUCCEEDED"
    assert finished_versions(stack, row.session_id)["final_videos"] == [(1, 1)]
