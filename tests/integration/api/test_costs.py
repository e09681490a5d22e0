"""Costs in API responses: consistent, and never below the provider's charge book.

Clips cost 25 credits of a cent. The stand-in's charge book shows what was charged.
"""

from decimal import Decimal
from typing import Any

import pytest

from common.database import Database, attempts, budget, deletions, runs, scenes
from common.database.attempts import Step
from common.database.budget import Caps
from common.domain.errors import TransientError, VideoError
from common.domain.video import Cost
from tests.support.clips import start_clips
from tests.support.gateway import Gateway, quietly
from tests.support.media_store import InMemoryMediaStore
from tests.support.vendors import VendorSession

CLIP_USD = "0.2500"
FAILURE = {
    "code": "x",
    "stage": "clip",
    "scene": 1,
    "detail": "no",
    "retryable": True,
    "billed": None,
}


def start_finished_clips(
    database: Database, store: InMemoryMediaStore, session: VendorSession, count: int = 2
) -> tuple[str, str]:
    """Start clips of a run that is counted under the video's key, and let them finish."""
    video_id, run_id = start_clips(database, store, count)
    with database.transaction() as cursor:
        budget.reserve(cursor, Caps("key_1", None, None, None), Decimal(1))
        cursor.execute("UPDATE runs SET reserved_usd = 1 WHERE run_id = %s", (run_id,))
        cursor.execute(
            "INSERT INTO key_runs (key_id, day, runs) "
            "VALUES ('key_1', (now() AT TIME ZONE 'UTC')::date, 1)"
        )
    session.vendor.advance(600)
    return video_id, run_id


def invoke(action: str, video_id: str, run_id: str, scene: int) -> Any:
    from clip.handler import handler

    event = {"action": action, "run_id": run_id, "video_id": video_id, "scene": scene}
    return quietly(handler, event, None)


def fail_run(database: Database, run_id: str) -> None:
    with database.transaction() as cursor:
        runs.fail(cursor, run_id, FAILURE)


def shown_costs(gateway: Gateway, video_id: str) -> tuple[str, str, str, str]:
    """Return the video's costs, checked in all responses: charged, open, possible, at most."""
    video = gateway.call("GET", f"/v1/videos/{video_id}").json()
    (listed,) = gateway.call("GET", "/v1/videos").json()["data"]
    assert listed["cost"] == video["cost"]
    cost = video["cost"]
    parts = [scene[kind]["cost"] for scene in video["scenes"] for kind in ("image", "clip")]
    for name in ("open", "possible", "at_most"):
        assert sum(Decimal(part[name]) for part in parts) == Decimal(cost[name])
    assert sum(Decimal(part["amount"] or 0) for part in parts) == Decimal(cost["actual"])
    video_costs = (cost["actual"], cost["open"], cost["possible"], cost["at_most"])
    assert usage_costs(gateway) == video_costs
    return video_costs


def usage_costs(gateway: Gateway) -> tuple[str, str, str, str]:
    """Return the same costs from the operator's usage report."""
    gateway.scopes = "admin"
    cost = gateway.call("GET", "/v1/usage").json()["total"]["cost"]
    gateway.scopes = ""
    assert cost["reserved"] == "0.0000"
    return cost["amount"], cost["open"], cost["possible"], cost["at_most"]


def charged_usd(session: VendorSession) -> str:
    return f"{session.spent() / 100:.4f}"


def test_cost_of_accepted_jobs_of_a_failed_run_is_open(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, run_id = start_finished_clips(database, store, session)
    fail_run(database, run_id)
    assert shown_costs(gateway, video_id) == ("0.0000", "0.5000", "0.0000", "0.5000")
    assert charged_usd(session) == "0.5000"
    with database.transaction() as cursor:
        assert deletions.delete(cursor, video_id)
        deletions.mark_erased(cursor, video_id)
    assert usage_costs(gateway) == ("0.0000", "0.5000", "0.0000", "0.5000"), (
        "a deleted video stays counted"
    )


def test_cost_of_a_finished_job_is_kept_after_a_failed_download(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, run_id = start_finished_clips(database, store, session, count=1)
    session.vendor.fault("outputs", "truncated", times=None)
    assert invoke("check", video_id, run_id, 1)["status"] == "succeeded"
    with pytest.raises(TransientError):
        invoke("collect", video_id, run_id, 1)
    fail_run(database, run_id)
    assert shown_costs(gateway, video_id) == (CLIP_USD, "0.0000", "0.0000", CLIP_USD)
    assert charged_usd(session) == CLIP_USD
    clip = gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"][0]["clip"]
    assert clip["cost"]["units"] == {"amount": "25", "unit": "credit"}


def test_cost_of_running_jobs_of_a_canceled_video_is_open(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, _ = start_finished_clips(database, store, session)
    billing = gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()["billing"]
    assert shown_costs(gateway, video_id) == (
        billing["amount"],
        "0.5000",
        "0.0000",
        billing["at_most"],
    )
    assert billing["at_most"] == charged_usd(session)


def test_cost_of_an_unknown_outcome_is_possible(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, run_id = start_finished_clips(database, store, session, count=1)
    session.vendor.fault("image_to_video", "charge_then_reset", times=1)
    with pytest.raises(VideoError):
        invoke("start", video_id, run_id, 2)
    fail_run(database, run_id)
    assert shown_costs(gateway, video_id) == ("0.0000", CLIP_USD, CLIP_USD, "0.5000")
    assert charged_usd(session) == "0.5000"


def test_cost_of_a_failure_is_charged_only_if_billed(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, run_id = start_finished_clips(database, store, session)
    with database.transaction() as cursor:
        for scene, cost in ((1, None), (2, Cost(Decimal("0.05"), Decimal(5), "credit"))):
            attempt = attempts.latest(cursor, Step(video_id, "clip", scene, 1))
            assert attempt
            attempts.mark_ended(cursor, attempt, "failed", "safety.output", cost)
    fail_run(database, run_id)
    assert shown_costs(gateway, video_id) == ("0.0500", "0.0000", CLIP_USD, "0.3000")


def test_cost_of_an_adopted_job_counts_once(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, run_id = start_finished_clips(database, store, session, count=1)
    step = Step(video_id, "clip", 1, 1)
    with database.transaction() as cursor:
        attempt = attempts.latest(cursor, step)
        assert attempt
        assert attempt.job
        attempts.mark_ended(cursor, attempt, "unknown", "provider.job_gone", Cost(Decimal("0.1")))
        assert attempts.charges(cursor, video_id).at_most_usd == Decimal("0.35"), (
            "charged and possible"
        )
        repriced = {**attempt.job, "estimated": Cost(Decimal("0.3")).as_json()}
        attempts.mark_submitted(cursor, attempt, repriced)
    fail_run(database, run_id)
    assert shown_costs(gateway, video_id) == ("0.0000", "0.3000", "0.0000", "0.3000")


def test_cost_of_a_call_without_a_lease_is_possible(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    session, store = runway_app
    video_id, run_id = start_finished_clips(database, store, session, count=1)
    with database.transaction() as cursor:
        cursor.execute("UPDATE provider_jobs SET state = 'submitting', job = NULL")
    fail_run(database, run_id)
    assert shown_costs(gateway, video_id) == ("0.0000", CLIP_USD, "0.0000", CLIP_USD), (
        "its lease has not ended"
    )
    with database.transaction() as cursor:
        cursor.execute("UPDATE provider_jobs SET lease_until = now()")
    assert shown_costs(gateway, video_id) == ("0.0000", "0.0000", CLIP_USD, CLIP_USD)


@pytest.mark.parametrize("outcome", ["fail", "cancel"])
def test_scenes_of_an_ended_video_are_not_running(
    outcome: str,
    runway_app: tuple[VendorSession, InMemoryMediaStore],
    gateway: Gateway,
    database: Database,
) -> None:
    session, store = runway_app
    video_id, run_id = start_finished_clips(database, store, session)
    with database.transaction() as cursor:
        scenes.fail(cursor, "clip", video_id, 2, FAILURE)
        if outcome == "fail":
            runs.fail(cursor, run_id, FAILURE)
        else:
            runs.cancel(cursor, video_id, jobs=False)
    scene_list = gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"]
    assert [scene["clip"]["status"] for scene in scene_list[:2]] == ["canceled", "failed"]
    assert [scene["status"] for scene in scene_list] == ["canceled", "failed", "canceled"]
