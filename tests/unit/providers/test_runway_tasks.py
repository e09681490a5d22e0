"""Parsing of Runway's tasks, with documented and undocumented values."""

from decimal import Decimal
from typing import Any

import pytest

from common.providers import JobStatus, Retry
from common.providers.video import _runway_tasks as tasks

PRICE = Decimal("0.01")


def failed(code: object) -> Any:
    state = tasks.state({"status": "FAILED", "failureCode": code, "failure": "secret"}, PRICE)
    assert state.status is JobStatus.FAILED
    assert state.failure is not None
    assert "secret" not in state.failure.detail
    return state.failure


@pytest.mark.parametrize(
    ("code", "expected", "retry"),
    [
        ("SAFETY.INPUT.AUDIO", "safety.input", Retry.NO),
        ("SAFETY", "safety.input", Retry.NO),
        ("SAFETY.NEW", "safety.input", Retry.NO),
        ("SAFETY.OUTPUT", "safety.output", Retry.CHANGED_INPUT),
        ("INPUT_PREPROCESSING.SAFETY.TEXT", "safety.input", Retry.NO),
        ("THIRD_PARTY.SAFETY.IMAGE", "safety.input", Retry.NO),
        ("NEW.SAFETY", "safety.input", Retry.NO),
        ("INTERNAL", "provider.internal", Retry.LATER),
        ("INTERNAL.NEW", "provider.internal", Retry.LATER),
        ("INTERNALISH", "provider.failed", Retry.NO),
        ("INTERNAL.BAD_OUTPUT", "clip.bad_output", Retry.CHANGED_INPUT),
        ("INTERNAL.BAD_OUTPUT.CODE77", "clip.bad_output", Retry.CHANGED_INPUT),
        ("ASSET.INVALID", "provider.input", Retry.NO),
        ("SOMETHING.ELSE", "provider.failed", Retry.NO),
        ("", "provider.internal", Retry.LATER),
        (None, "provider.internal", Retry.LATER),
        (7, "provider.internal", Retry.LATER),
    ],
)
def test_failure_code_is_matched_by_prefix(code: object, expected: str, retry: Retry) -> None:
    failure = failed(code)
    assert (failure.code, failure.retry) == (expected, retry)


@pytest.mark.parametrize("status", ["PAUSED", "CANCELED", "succeeded", "", None, 7])
def test_unknown_status_counts_as_running(status: object) -> None:
    task = {"status": status}
    assert tasks.state(task, PRICE).status is JobStatus.RUNNING
    assert not tasks.is_known(task)


@pytest.mark.parametrize(
    ("reported", "progress"),
    [(0, 0), (0.45, 0.45), (1.7, 1), (-1, 0), ("0.5", None), (None, None), (True, None)],
)
def test_progress_is_clamped_between_0_and_1(reported: object, progress: float | None) -> None:
    assert tasks.state({"status": "RUNNING", "progress": reported}, PRICE).progress == progress


@pytest.mark.parametrize(
    ("reported", "usd"),
    [
        ({"credits": 25}, "0.25"),
        ({"credits": 12.5}, "0.125"),
        ({"credits": 0}, "0"),
        ({"credits": None}, None),
        ({"credits": True}, None),
        ({}, None),
        (None, None),
    ],
)
def test_cost_is_the_reported_credits_or_unknown(reported: object, usd: str | None) -> None:
    cost = tasks.cost(reported, PRICE)
    assert (cost and cost.usd) == (None if usd is None else Decimal(usd))


@pytest.mark.parametrize("output", [[], None, "https://a", [None], [""], {}])
def test_succeeded_task_without_output_url_stays_succeeded(output: object) -> None:
    state = tasks.state({"status": "SUCCEEDED", "output": output}, PRICE)
    assert (state.status, state.outputs) == (JobStatus.SUCCEEDED, ())


def test_throttled_task_is_polled_less_often() -> None:
    throttled = tasks.state({"status": "THROTTLED"}, PRICE)
    running = tasks.state({"status": "RUNNING"}, PRICE)
    assert throttled.status is JobStatus.THROTTLED
    assert throttled.wait_seconds > running.wait_seconds >= 5
