"""Resuming a video with unchanged and with changed terms."""

from decimal import Decimal
from typing import Any

import pytest

from common.database import Database, attempts, runs, videos
from common.domain import models
from common.domain.errors import PermanentError
from tests.support.clips import start_clips
from tests.support.gateway import Gateway, Reply, quietly
from tests.support.media_store import InMemoryMediaStore
from tests.support.rows import admit
from tests.support.vendors import VendorSession

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


def failed_video(database: Database, **changes: Any) -> str:
    video_id, run_id = admit(database, **changes)
    with database.transaction() as cursor:
        runs.fail(cursor, run_id, FAILURE)
    return video_id


def terms(database: Database, video_id: str) -> tuple[str, Decimal | None, str]:
    with database.transaction() as cursor:
        video = videos.get(cursor, video_id)
    return video.on_unknown, video.max_cost_usd, video.status


def resume(gateway: Gateway, video_id: str, body: Any = None, **options: Any) -> Reply:
    return gateway.call("POST", f"/v1/videos/{video_id}/resume", body, **options)


def test_resume_resubmits_an_unknown_outcome_only_on_request(
    runway_app: tuple[VendorSession, InMemoryMediaStore], gateway: Gateway, database: Database
) -> None:
    """Runway accepts the job and the connection breaks; its charge book shows what was paid."""
    session, store = runway_app
    session.vendor.fault("image_to_video", "charge_then_reset", times=1)
    with pytest.raises(PermanentError):
        start_clips(database, store, count=1)
    with database.transaction() as cursor:
        ((video_id, run_id),) = _open_runs(cursor)
        runs.fail(cursor, run_id, FAILURE)

    def resume_and_start(body: Any = None) -> None:
        from clip.handler import handler

        response = resume(gateway, video_id, body)
        assert response.status == 202, response.text
        event = {"action": "start", "run_id": response.json()["run_id"], "video_id": video_id}
        try:
            quietly(handler, {**event, "scene": 1}, None)
        except PermanentError:
            with database.transaction() as cursor:
                runs.fail(cursor, event["run_id"], FAILURE)
            raise

    for body in (None, {}, {"on_unknown": None}):
        with pytest.raises(PermanentError, match="repeated automatically"):
            resume_and_start(body)
    assert len(session.charges()) == 1
    resume_and_start({"on_unknown": "resubmit_once"})
    assert len(session.charges()) == 2
    with database.transaction() as cursor:
        assert len(attempts.open_clips(cursor, video_id)) == 1
    clip = gateway.call("GET", f"/v1/videos/{video_id}").json()["scenes"][0]["clip"]
    assert clip["cost"]["possible_duplicate"] is True
    assert clip["cost"]["possible"] == clip["cost"]["open"] == clip["cost"]["estimated"]
    assert (clip["cost"]["amount"], clip["cost"]["units"]) == (None, None)


def _open_runs(cursor: Any) -> list[tuple[str, str]]:
    return [(run.session_id, run.run_id) for run in runs.open_runs(cursor)]


@pytest.mark.parametrize("body", [None, {}, {"on_unknown": None, "max_cost": None}])
def test_resume_keeps_omitted_fields(body: Any, gateway: Gateway, database: Database) -> None:
    before = {"on_unknown": "resubmit_once", "max_cost_usd": Decimal(3)}
    video_id = failed_video(database, **before)
    assert resume(gateway, video_id, body).status == 202
    assert terms(database, video_id) == ("resubmit_once", Decimal(3), "queued")


def test_resume_changes_given_fields(gateway: Gateway, database: Database) -> None:
    video_id = failed_video(database, max_cost_usd=Decimal("0.5"), **PAID)
    response = resume(gateway, video_id, {"on_unknown": "resubmit_once", "max_cost": "2.50"})
    assert (response.status, response.json()["cost"]["max"]) == (202, "2.5000")
    assert terms(database, video_id) == ("resubmit_once", Decimal("2.5"), "queued")


def test_resume_over_the_cost_limit_changes_nothing(gateway: Gateway, database: Database) -> None:
    video_id = failed_video(database, **PAID)  # three clips of 0.25 USD
    rejected = resume(gateway, video_id, {"on_unknown": "resubmit_once", "max_cost": "0.74"})
    assert (rejected.status, rejected.json()["code"]) == (402, "budget.exceeded")
    assert rejected.json()["errors"][0]["pointer"] == "/max_cost"
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
def test_resume_with_invalid_fields_is_rejected(
    body: Any, pointer: str, gateway: Gateway, database: Database
) -> None:
    video_id = failed_video(database)
    rejected = resume(gateway, video_id, body)
    assert (rejected.status, rejected.json()["errors"][0]["pointer"]) == (422, pointer)
    assert terms(database, video_id)[2] == "failed"


def test_resume_accepts_a_content_type_without_a_body(gateway: Gateway, database: Database) -> None:
    form_headers = {"Content-Type": "application/x-www-form-urlencoded"}  # as `curl -d ''` sends
    assert resume(gateway, failed_video(database), headers=form_headers).status == 202
    assert resume(gateway, failed_video(database), text="a=b", headers=form_headers).status == 415
    assert resume(gateway, failed_video(database), text="{").status == 400


def test_resume_idempotency_key_is_bound_to_its_body(gateway: Gateway, database: Database) -> None:
    video_id, key = failed_video(database), {"Idempotency-Key": "k"}
    body = {"on_unknown": "resubmit_once"}
    first = resume(gateway, video_id, body, headers=key)
    assert first.status == 202
    assert resume(gateway, video_id, body, headers=key).text == first.text
    other_body_response = resume(gateway, video_id, headers=key)
    assert (other_body_response.status, other_body_response.json()["code"]) == (
        422,
        "idempotency.other_request",
    )
