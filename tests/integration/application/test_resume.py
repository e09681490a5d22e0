"""A video that is gone on with: under the terms of before, or under others."""

from decimal import Decimal
from typing import Any

import pytest

from common.database import Database, attempts, runs, videos
from common.domain import models
from common.domain.errors import PermanentError
from tests.support.clips import start_clips
from tests.support.gateway import Gateway, Reply, quietly
from tests.support.rows import admit
from tests.support.vendors import Shelf, Visit

FAILURE = {
    "code": "x",
    "stage": "clip",
    "scene": 1,
    "detail": "no",
    "retryable": True,
    "billed": None,
}


_CLIPS = models.paid().video
PAID = {"video_provider": _CLIPS.provider, "video_model": _CLIPS.model}


def failed(database: Database, **changes: Any) -> str:
    video_id, run_id = admit(database, **changes)
    with database.transaction() as cursor:
        runs.fail(cursor, run_id, FAILURE)
    return video_id


def terms(database: Database, video_id: str) -> tuple[str, Decimal | None, str]:
    with database.transaction() as cursor:
        video = videos.get(cursor, video_id)
    return video.on_unknown, video.max_cost_usd, video.status


def resume(gateway: Gateway, video_id: str, body: Any = None, **more: Any) -> Reply:
    return gateway.call("POST", f"/v1/videos/{video_id}/resume", body, **more)


def test_a_call_that_nobody_knows_of_is_got_past_by_saying_so(
    film: tuple[Visit, Shelf], gateway: Gateway, database: Database
) -> None:
    """Runway takes the order and the line breaks. The judge of what was paid is its own book."""
    visit, shelf = film
    visit.vendor.fault("image_to_video", "charge_then_reset", times=1)
    with pytest.raises(PermanentError):
        start_clips(database, shelf, count=1)
    with database.transaction() as cursor:
        ((video_id, run_id),) = _open_runs(cursor)
        runs.fail(cursor, run_id, FAILURE)

    def goes_on(body: Any = None) -> None:
        from clip.handler import handler

        answer = resume(gateway, video_id, body)
        assert answer.status == 202, answer.text
        event = {"action": "start", "run_id": answer.json()["run_id"], "video_id": video_id}
        try:
            quietly(handler, {**event, "scene": 1}, None)
        except PermanentError:
            with database.transaction() as cursor:
                runs.fail(cursor, event["run_id"], FAILURE)
            raise

    for body in (None, {}, {"on_unknown": None}):
        with pytest.raises(PermanentError, match="repeated automatically"):
            goes_on(body)
    assert len(visit.charges()) == 1
    goes_on({"on_unknown": "resubmit_once"})
    assert len(visit.charges()) == 2
    with database.transaction() as cursor:
        assert len(attempts.open_clips(cursor, video_id)) == 1
    clip = gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"][0]["clip"]
    assert clip["cost"]["possible_duplicate"] is True
    assert clip["cost"]["possible"] == clip["cost"]["open"] == clip["cost"]["estimated"]
    assert (clip["cost"]["amount"], clip["cost"]["units"]) == (None, None)


def _open_runs(cursor: Any) -> list[tuple[str, str]]:
    return [(run.session_id, run.run_id) for run in runs.still_open(cursor)]


@pytest.mark.parametrize("body", [None, {}, {"on_unknown": None, "max_cost": None}])
def test_what_is_not_named_stays_as_it_was(body: Any, gateway: Gateway, database: Database) -> None:
    before = {"on_unknown": "resubmit_once", "max_cost_usd": Decimal(3)}
    video_id = failed(database, **before)
    assert resume(gateway, video_id, body).status == 202
    assert terms(database, video_id) == ("resubmit_once", Decimal(3), "queued")


def test_what_is_named_holds_from_now_on(gateway: Gateway, database: Database) -> None:
    video_id = failed(database, max_cost_usd=Decimal("0.5"), **PAID)
    answer = resume(gateway, video_id, {"on_unknown": "resubmit_once", "max_cost": "2.50"})
    assert (answer.status, answer.json()["cost"]["max"]) == (202, "2.5000")
    assert terms(database, video_id) == ("resubmit_once", Decimal("2.5"), "queued")


def test_a_limit_that_what_is_missing_would_pass_changes_nothing(
    gateway: Gateway, database: Database
) -> None:
    video_id = failed(database, **PAID)  # three clips of 0.25
    refused = resume(gateway, video_id, {"on_unknown": "resubmit_once", "max_cost": "0.74"})
    assert (refused.status, refused.json()["code"]) == (402, "budget.exceeded")
    assert refused.json()["errors"][0]["pointer"] == "/max_cost"
    assert terms(database, video_id) == ("fail", None, "failed")
    assert resume(gateway, video_id, {"max_cost": "0.75"}).status == 202


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"on_unknown": "always"}, "/on_unknown"),
        ({"max_cost": "-1"}, "/max_cost"),
        ({"max_cost": "much"}, "/max_cost"),
        ({"title": "another"}, "/title"),
    ],
)
def test_other_terms_are_refused_by_name(
    body: Any, pointer: str, gateway: Gateway, database: Database
) -> None:
    video_id = failed(database)
    refused = resume(gateway, video_id, body)
    assert (refused.status, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    assert terms(database, video_id)[2] == "failed"


def test_a_type_without_a_body_is_no_body(gateway: Gateway, database: Database) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}  # as `curl -d ''` sends
    assert resume(gateway, failed(database), headers=form).status == 202
    assert resume(gateway, failed(database), text="a=b", headers=form).status == 415
    assert resume(gateway, failed(database), text="{").status == 400


def test_a_key_of_idempotency_is_for_its_terms(gateway: Gateway, database: Database) -> None:
    video_id, key = failed(database), {"Idempotency-Key": "k"}
    body = {"on_unknown": "resubmit_once"}
    first = resume(gateway, video_id, body, headers=key)
    assert first.status == 202
    assert resume(gateway, video_id, body, headers=key).text == first.text
    other = resume(gateway, video_id, headers=key)
    assert (other.status, other.json()["code"]) == (422, "idempotency.other_request")
