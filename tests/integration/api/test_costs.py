"""The cost that the API shows: never below the provider's own book, and the same everywhere.

Clips cost 25 credits of a cent. The judge of what was charged is the stand-in's book.
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
from tests.support.vendors import Shelf, Visit

CLIP = "0.2500"
FAILURE = {
    "code": "x",
    "stage": "clip",
    "scene": 1,
    "detail": "no",
    "retryable": True,
    "billed": None,
}


def clips(database: Database, shelf: Shelf, visit: Visit, count: int = 2) -> tuple[str, str]:
    """Start clips of a run that is counted under the key of the video, and let them finish."""
    video_id, run_id = start_clips(database, shelf, count)
    with database.transaction() as cursor:
        budget.reserve(cursor, Caps("key_1", None, None, None), Decimal(1))
        cursor.execute("UPDATE runs SET reserved_usd = 1 WHERE run_id = %s", (run_id,))
        cursor.execute(
            "INSERT INTO key_runs (key_id, day, runs) "
            "VALUES ('key_1', (now() AT TIME ZONE 'UTC')::date, 1)"
        )
    visit.vendor.advance(600)
    return video_id, run_id


def act(action: str, video_id: str, run_id: str, scene: int) -> Any:
    from clip.handler import handler

    event = {"action": action, "run_id": run_id, "video_id": video_id, "scene": scene}
    return quietly(handler, event, None)


def fail(database: Database, run_id: str) -> None:
    with database.transaction() as cursor:
        runs.fail(cursor, run_id, FAILURE)


def costs(gateway: Gateway, video_id: str) -> tuple[str, str, str, str]:
    """Return what the video shows: charged, open, possible, at most; it is the same everywhere."""
    video = gateway.call("GET", f"/v1/videos/{video_id}").json()
    (listed,) = gateway.call("GET", "/v1/videos").json()["data"]
    assert listed["cost"] == video["cost"]
    cost = video["cost"]
    parts = [scene[kind]["cost"] for scene in video["scenes"] for kind in ("image", "clip")]
    for name in ("open", "possible", "at_most"):
        assert sum(Decimal(part[name]) for part in parts) == Decimal(cost[name])
    assert sum(Decimal(part["amount"] or 0) for part in parts) == Decimal(cost["actual"])
    shown = (cost["actual"], cost["open"], cost["possible"], cost["at_most"])
    assert used(gateway) == shown
    return shown


def used(gateway: Gateway) -> tuple[str, str, str, str]:
    """Return the same of the operator's usage."""
    gateway.scopes = "admin"
    cost = gateway.call("GET", "/v1/usage").json()["total"]["cost"]
    gateway.scopes = ""
    assert cost["reserved"] == "0.0000"
    return cost["amount"], cost["open"], cost["possible"], cost["at_most"]


def billed(visit: Visit) -> str:
    return f"{visit.spent() / 100:.4f}"


def test_accepted_jobs_of_a_failed_run_are_open(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, run_id = clips(database, shelf, visit)
    fail(database, run_id)
    assert costs(gateway, video_id) == ("0.0000", "0.5000", "0.0000", "0.5000")
    assert billed(visit) == "0.5000"
    with database.transaction() as cursor:
        assert deletions.delete(cursor, video_id)
        deletions.erased(cursor, video_id)
    assert used(gateway) == ("0.0000", "0.5000", "0.0000", "0.5000"), (
        "a deleted video stays counted"
    )


def test_what_a_finished_job_cost_is_kept_though_its_download_fails(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, run_id = clips(database, shelf, visit, count=1)
    visit.vendor.fault("outputs", "truncated", times=None)
    assert act("check", video_id, run_id, 1)["status"] == "succeeded"
    with pytest.raises(TransientError):
        act("collect", video_id, run_id, 1)
    fail(database, run_id)
    assert costs(gateway, video_id) == (CLIP, "0.0000", "0.0000", CLIP)
    assert billed(visit) == CLIP
    clip = gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"][0]["clip"]
    assert clip["cost"]["units"] == {"amount": "25", "unit": "credit"}


def test_running_jobs_of_a_canceled_video_are_open(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, _ = clips(database, shelf, visit)
    billing = gateway.call("POST", f"/v1/videos/{video_id}/cancel").json()["billing"]
    assert costs(gateway, video_id) == (billing["amount"], "0.5000", "0.0000", billing["at_most"])
    assert billing["at_most"] == billed(visit)


def test_a_call_in_doubt_is_possible(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, run_id = clips(database, shelf, visit, count=1)
    visit.vendor.fault("image_to_video", "charge_then_reset", times=1)
    with pytest.raises(VideoError):
        act("start", video_id, run_id, 2)
    fail(database, run_id)
    assert costs(gateway, video_id) == ("0.0000", CLIP, CLIP, "0.5000")
    assert billed(visit) == "0.5000"


def test_a_failure_without_a_bill_is_possible_and_one_with_a_bill_is_charged(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, run_id = clips(database, shelf, visit)
    with database.transaction() as cursor:
        for scene, cost in ((1, None), (2, Cost(Decimal("0.05"), Decimal(5), "credit"))):
            attempt = attempts.latest(cursor, Step(video_id, "clip", scene, 1))
            assert attempt
            attempts.mark_ended(cursor, attempt, "failed", "safety.output", cost)
    fail(database, run_id)
    assert costs(gateway, video_id) == ("0.0500", "0.0000", CLIP, "0.3000")


def test_a_job_that_is_adopted_again_counts_once(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, run_id = clips(database, shelf, visit, count=1)
    step = Step(video_id, "clip", 1, 1)
    with database.transaction() as cursor:
        attempt = attempts.latest(cursor, step)
        assert attempt
        assert attempt.job
        attempts.mark_ended(cursor, attempt, "unknown", "provider.job_gone", Cost(Decimal("0.1")))
        assert attempts.charges(cursor, video_id).at_most_usd == Decimal("0.35"), (
            "known and possible"
        )
        dearer = {**attempt.job, "estimated": Cost(Decimal("0.3")).as_json()}
        attempts.mark_submitted(cursor, attempt, dearer)
    fail(database, run_id)
    assert costs(gateway, video_id) == ("0.0000", "0.3000", "0.0000", "0.3000")


def test_a_call_of_a_dead_worker_is_possible(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, run_id = clips(database, shelf, visit, count=1)
    with database.transaction() as cursor:
        cursor.execute("UPDATE provider_jobs SET state = 'submitting', job = NULL")
    fail(database, run_id)
    assert costs(gateway, video_id) == ("0.0000", CLIP, "0.0000", CLIP), "its worker is at it"
    with database.transaction() as cursor:
        cursor.execute("UPDATE provider_jobs SET lease_until = now()")
    assert costs(gateway, video_id) == ("0.0000", "0.0000", CLIP, CLIP)


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_no_scene_runs_once_its_video_has_ended(
    end: str, film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    visit, shelf = film
    video_id, run_id = clips(database, shelf, visit)
    with database.transaction() as cursor:
        scenes.fail(cursor, "clip", video_id, 2, FAILURE)
        if end == "fail":
            runs.fail(cursor, run_id, FAILURE)
        else:
            runs.cancel(cursor, video_id, jobs=False)
    shown = gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"]
    assert [scene["clip"]["status"] for scene in shown[:2]] == ["canceled", "failed"]
    assert [scene["status"] for scene in shown] == ["canceled", "failed", "canceled"]
