"""Runs of one part, on the deployed state machine: each makes its own part, and nothing else."""

import time
from decimal import Decimal
from typing import Any

import pytest

from common.database import runs, versions, videos
from common.domain import ids
from common.domain.video import RunScope, RunTarget
from tests.e2e.client import Backstage
from tests.support.rows import wish

FORM = {"frame_count": 2, "clip_seconds": 2, "ratio": "960:960"}


def run(backstage: Backstage, video_id: str, work: RunTarget) -> dict[str, Any]:
    """Store a run of this work as admission does; return its row once the execution has ended."""
    run_id = ids.new("run")
    with backstage.database() as cursor:
        runs.insert(cursor, run_id, video_id, "step", Decimal(0), work)
        cursor.execute(
            "UPDATE runs SET created_at = now() - interval '1 minute' WHERE run_id = %s", (run_id,)
        )
    assert backstage.sweep()["started"] >= 1
    deadline = time.monotonic() + 60
    while backstage.execution(run_id)["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    (row,) = backstage.rows("SELECT * FROM runs WHERE run_id = %s", run_id)
    return row


def made(backstage: Backstage, video_id: str) -> dict[str, list[tuple[int, int]]]:
    """Scenes and versions of the finished pictures and clips, and the versions of cuts."""
    found = {}
    for table, number in {"video_frames": "frame_number", "video_clips": "clip_number"}.items():
        rows = backstage.rows(
            f"SELECT {number} AS scene, version FROM {table} "
            "WHERE session_id = %s AND status = 'succeeded' ORDER BY 1, 2",
            video_id,
        )
        found[table] = [(row["scene"], row["version"]) for row in rows]
    cuts = backstage.rows(
        "SELECT version, total_clips FROM final_videos WHERE session_id = %s ORDER BY 1", video_id
    )
    found["final_videos"] = [(row["version"], row["total_clips"]) for row in cuts]
    return found


@pytest.fixture(scope="module")
def video_id(backstage: Backstage) -> str:
    row = wish(**FORM)
    with backstage.database() as cursor:
        videos.insert(cursor, row)
    return row.session_id


def test_parts_are_made_one_by_one(backstage: Backstage, video_id: str) -> None:
    nothing: list[tuple[int, int]] = []
    assert run(backstage, video_id, RunTarget(RunScope.STORY))["status"] == "succeeded"
    (told,) = backstage.rows("SELECT * FROM video_sessions WHERE session_id = %s", video_id)
    assert told["story_title"]
    assert made(backstage, video_id) == {
        "video_frames": nothing,
        "video_clips": nothing,
        "final_videos": nothing,
    }

    assert run(backstage, video_id, RunTarget(RunScope.IMAGE, {2: 1}))["stage"] == "finish"
    assert made(backstage, video_id)["video_frames"] == [(2, 1)]
    assert run(backstage, video_id, RunTarget(RunScope.IMAGE, {1: 1}))["status"] == "succeeded"

    assert run(backstage, video_id, RunTarget(RunScope.CLIP, {1: 1, 2: 1}))["status"] == "succeeded"
    assert made(backstage, video_id) == {
        "video_frames": [(1, 1), (2, 1)],
        "video_clips": [(1, 1), (2, 1)],
        "final_videos": nothing,
    }

    assert run(backstage, video_id, RunTarget(RunScope.MERGE))["status"] == "succeeded"
    assert made(backstage, video_id)["final_videos"] == [(1, 2)]


def test_a_new_version_makes_another_cut_and_the_same_clips_the_same(
    backstage: Backstage, video_id: str
) -> None:
    assert run(backstage, video_id, RunTarget(RunScope.MERGE))["status"] == "succeeded"
    assert made(backstage, video_id)["final_videos"] == [(1, 2)]
    with backstage.database() as cursor:
        look = {"timestamp": "0:02", "style": "Anime", "mood": "Calm"}
        assert versions.add_frame(cursor, video_id, 2, prompt="A red door", **look) == 2
        assert versions.add_clip(cursor, video_id, 2, prompt="It opens", clip_seconds=3) == 2
    assert run(backstage, video_id, RunTarget(RunScope.IMAGE, {2: 2}))["status"] == "succeeded"
    assert run(backstage, video_id, RunTarget(RunScope.VIDEO, {2: 2}))["status"] == "succeeded"
    assert made(backstage, video_id) == {
        "video_frames": [(1, 1), (2, 1), (2, 2)],
        "video_clips": [(1, 1), (2, 1), (2, 2)],
        "final_videos": [(1, 2), (2, 2)],
    }
    (second,) = backstage.rows(
        "SELECT frames FROM final_videos WHERE session_id = %s AND version = 2", video_id
    )
    assert second["frames"] == (2 + 3) * 24
    calls = backstage.rows(
        "SELECT kind, scene, version FROM provider_jobs WHERE session_id = %s ORDER BY id", video_id
    )
    assert len(calls) == len({tuple(call.values()) for call in calls}) == 7


def test_a_part_that_needs_another_says_so(backstage: Backstage) -> None:
    row = wish(**FORM)
    with backstage.database() as cursor:
        videos.insert(cursor, row)
        versions.add_clip(cursor, row.session_id, 1, prompt="It moves")
    failed = run(backstage, row.session_id, RunTarget(RunScope.CLIP, {1: 1}))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "clip.no_picture")
    assert failed["error"]["scene"] == 1
    failed = run(backstage, row.session_id, RunTarget(RunScope.MERGE))
    assert (failed["status"], failed["error"]["code"]) == ("failed", "merge.missing_clip")


def test_an_execution_started_by_hand_with_ids_alone_makes_the_whole(
    backstage: Backstage,
) -> None:
    row, run_id = wish(**{**FORM, "frame_count": 1}), ids.new("run")
    with backstage.database() as cursor:
        videos.insert(cursor, row)
        runs.insert(cursor, run_id, row.session_id, "create", Decimal(0))
    backstage.link.client("stepfunctions").start_execution(
        stateMachineArn=backstage.link.outputs["StateMachineArn"],
        name=run_id,
        input=f'{{"run_id": "{run_id}", "video_id": "{row.session_id}"}}',
    )
    deadline = time.monotonic() + 60
    while backstage.execution(run_id)["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.2)
    assert backstage.execution(run_id)["status"] == "SUCCEEDED"
    assert made(backstage, row.session_id)["final_videos"] == [(1, 1)]
