"""Errors of failed runs: next action, retryability and HTTP status."""

from typing import Any

import pytest

from common.application import failure_records
from common.application.pipeline_step import failure_record
from common.database import Database, runs
from common.domain import advice
from common.domain.errors import PermanentError, TransientError
from common.domain.video import Stage
from common.providers import vendor_errors
from tests.support.gateway import Gateway

STORY = {"prompt": "A kite", "frameCount": 2}
VIDEO_BODY = {"prompt": "A kite", "scenes": 1, "seconds": 2}


def fail_run(database: Database, run_id: str, code: str) -> None:
    facts = {"code": code, "stage": "story", "scene": None, "detail": "It failed.", "billed": None}
    with database.transaction() as cursor:
        runs.fail(cursor, run_id, advice.final(facts))


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        (400, ["safety.input", "safety.output", "provider.input"]),
        (402, ["provider.credits", "provider.quota", "budget.exceeded"]),
        (
            502,
            [
                "provider.key",
                "provider.forbidden",
                "provider.internal",
                "provider.model",
                "provider.outcome_unknown",
                "provider.accepted_id_lost",
                "provider.request",
                "provider.refused",
                "provider.output",
                "provider.failed",
                "story.invalid",
                "image.unusable",
                "clip.timeout",
                "clip.bad_output",
                "media.invalid",
                "speech.not_the_text",
            ],
        ),
        (
            503,
            [
                "provider.unavailable",
                "provider.unreachable",
                "provider.not_accepted",
                "provider.limit",
                "database.unavailable",
                "storage.unavailable",
                "step.busy",
            ],
        ),
        (500, ["internal", "finish.nothing", "run.stopped", "merge.index"]),
    ],
)
def test_step_endpoint_status_reflects_the_cause(
    status: int, codes: list[str], gateway: Gateway, database: Database
) -> None:
    for number, code in enumerate(codes):
        accepted = gateway.call(
            "POST", PATH, {**STORY, "requestId": f"story{number}"}, {"Prefer": "wait=0"}
        )
        assert accepted.status == 202, accepted.text
        fail_run(database, accepted.json()["runId"], code)
        response = gateway.call("GET", f"/api/runs/{accepted.json()['runId']}")
        body = response.json()
        assert (response.status, body["status"], body["code"]) == (status, status, code)
        assert body["details"]["next_action"] == advice.CODES[code].action
        assert body["retryable"] is advice.CODES[code].retryable
        assert ("Retry-After" in response.headers) == (status == 503)


PATH = "/api/generate_story"


@pytest.mark.parametrize("code", sorted(advice.CODES))
def test_video_error_has_a_next_action(code: str, gateway: Gateway, database: Database) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    fail_run(database, created["run_id"], code)
    error = gateway.call("GET", created["links"]["self"]).json()["error"]
    expected = advice.CODES[code]
    assert (error["next_action"], error["retryable"]) == (expected.action, expected.retryable)
    assert error["detail"] == f"It failed. {expected.sentence}"


@pytest.mark.parametrize(
    "error",
    [
        vendor_errors.transient("Runway"),
        vendor_errors.not_accepted("OpenAI"),
        TransientError("S3 is busy."),
    ],
)
def test_error_after_the_last_retry_promises_no_retry(
    error: Any, gateway: Gateway, database: Database
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    with database.transaction() as cursor:
        runs.add_event(
            cursor,
            created["run_id"],
            "story.retried",
            None,
            failure_record(error, Stage.STORY, None),
        )
        failure_records.fail_run(cursor, created["run_id"], type(error).__name__)
    shown_error = gateway.call("GET", created["links"]["self"]).json()["error"]
    assert shown_error["detail"].startswith(error.detail)
    assert shown_error["detail"].endswith(advice.of(error.error_code).sentence)
    assert "tried again" not in shown_error["detail"]


def test_failure_record_of_an_older_release_gets_a_next_action(
    gateway: Gateway, database: Database
) -> None:
    created = gateway.call("POST", "/v1/videos", VIDEO_BODY).json()
    old_record = failure_record(PermanentError("No.", code="safety.input"), Stage.STORY, None)
    assert "next_action" not in old_record
    with database.transaction() as cursor:
        runs.fail(cursor, created["run_id"], old_record)
    shown_error = gateway.call("GET", created["links"]["self"]).json()["error"]
    assert (shown_error["next_action"], shown_error["detail"]) == ("change_prompt", "No.")
