"""Behaviour when Lambda throttles functions."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.connection import Connection
from tests.e2e.client import Client
from tests.e2e.test_refusals import assert_problem


@contextmanager
def limited_concurrency(link: Connection, limit: int, *functions: str) -> Iterator[None]:
    """Limit the concurrency of each function."""
    client = link.client("lambda")
    for name in functions:
        client.put_function_concurrency(
            FunctionName=f"VideoGenerator-local-{name}", ReservedConcurrentExecutions=limit
        )
    try:
        yield
    finally:
        for name in functions:
            client.delete_function_concurrency(FunctionName=f"VideoGenerator-local-{name}")


@pytest.mark.parametrize(
    ("function", "code"), [("authorizer", "auth.unavailable"), ("api", "service.unavailable")]
)
def test_throttled_request_returns_503_with_retry_after(
    link: Connection, alice: Client, function: str, code: str
) -> None:
    with limited_concurrency(link, 0, function):
        response = alice.call("GET", "/v1/models")
    assert_problem(response, 503, code)
    assert int(response.headers["Retry-After"]) > 0
    assert alice.call("GET", "/v1/models").status_code == 200


def throttle_count(link: Connection, function: str) -> float:
    """Return how often Lambda throttled the function in the last 12 hours."""
    now = datetime.now(UTC)
    statistics = link.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Throttles",
        Statistics=["Sum"],
        Period=86_400,
        Dimensions=[{"Name": "FunctionName", "Value": f"VideoGenerator-local-{function}"}],
        StartTime=now - timedelta(hours=12),
        EndTime=now + timedelta(minutes=1),
    )
    return float(sum(point["Sum"] for point in statistics["Datapoints"]))


def test_six_scenes_succeed_with_limited_lambda_concurrency(
    link: Connection, alice: Client
) -> None:
    """The state machine starts all six scenes, and most invocations are throttled repeatedly."""
    with limited_concurrency(link, 1, "image"), limited_concurrency(link, 2, "clip"):
        video = alice.create(prompt="Six herons", scenes=6, seconds=2, ratio="960:960")
        video = alice.wait(video["id"], seconds=300)
    assert video["status"] == "succeeded", video["error"]
    assert throttle_count(link, "image") > 3  # clips then mostly arrive one after the other
