"""What is shown of a run that failed: what to do next, and whose fault it is."""

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
WISH = {"prompt": "A kite", "scenes": 1, "seconds": 2}


def end(database: Database, run_id: str, code: str) -> None:
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
def test_a_step_endpoint_says_whose_fault_it_is(
    status: int, codes: list[str], gateway: Gateway, database: Database
) -> None:
    for number, code in enumerate(codes):
        asked = gateway.call(
            "POST", PATH, {**STORY, "requestId": f"told{number}"}, {"Prefer": "wait=0"}
        )
        assert asked.status == 202, asked.text
        end(database, asked.json()["runId"], code)
        answer = gateway.call("GET", f"/api/runs/{asked.json()['runId']}")
        body = answer.json()
        assert (answer.status, body["status"], body["code"]) == (status, status, code)
        assert body["details"]["next_action"] == advice.CODES[code].action
        assert body["retryable"] is advice.CODES[code].retryable
        assert ("Retry-After" in answer.headers) == (status == 503)


PATH = "/api/generate_story"


@pytest.mark.parametrize("code", sorted(advice.CODES))
def test_every_error_of_a_video_says_what_to_do(
    code: str, gateway: Gateway, database: Database
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    end(database, made["run_id"], code)
    error = gateway.call("GET", made["links"]["self"]).json()["error"]
    known = advice.CODES[code]
    assert (error["next_action"], error["retryable"]) == (known.action, known.retryable)
    assert error["detail"] == f"It failed. {known.sentence}"


@pytest.mark.parametrize(
    "error",
    [
        vendor_errors.transient("Runway"),
        vendor_errors.not_accepted("OpenAI"),
        TransientError("S3 is busy."),
    ],
)
def test_what_was_retried_in_vain_does_not_announce_another_retry(
    error: Any, gateway: Gateway, database: Database
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    with database.transaction() as cursor:
        runs.add_event(
            cursor, made["run_id"], "story.retried", None, failure_record(error, Stage.STORY, None)
        )
        failure_records.fail_run(cursor, made["run_id"], type(error).__name__)
    shown = gateway.call("GET", made["links"]["self"]).json()["error"]
    assert shown["detail"].startswith(error.detail)
    assert shown["detail"].endswith(advice.of(error.error_code).sentence)
    assert "tried again" not in shown["detail"]


def test_a_failure_of_the_previous_release_is_shown_with_an_action(
    gateway: Gateway, database: Database
) -> None:
    made = gateway.call("POST", "/v1/videos", WISH).json()
    old = failure_record(PermanentError("No.", code="safety.input"), Stage.STORY, None)
    assert "next_action" not in old
    with database.transaction() as cursor:
        runs.fail(cursor, made["run_id"], old)
    shown = gateway.call("GET", made["links"]["self"]).json()["error"]
    assert (shown["next_action"], shown["detail"]) == ("change_prompt", "No.")
