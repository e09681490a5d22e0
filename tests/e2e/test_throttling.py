"""What is seen when Lambda has no room for another function."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from infra.local.connection import Connection
from tests.e2e.client import Client
from tests.e2e.test_refusals import assert_problem


@contextmanager
def at_a_time(link: Connection, most: int, *functions: str) -> Iterator[None]:
    """Let so many of each function run at a time."""
    client = link.client("lambda")
    for name in functions:
        client.put_function_concurrency(
            FunctionName=f"VideoGenerator-local-{name}", ReservedConcurrentExecutions=most
        )
    try:
        yield
    finally:
        for name in functions:
            client.delete_function_concurrency(FunctionName=f"VideoGenerator-local-{name}")


@pytest.mark.parametrize(
    ("function", "code"), [("authorizer", "auth.unavailable"), ("api", "service.unavailable")]
)
def test_a_throttled_request_is_told_when_to_come_back(
    link: Connection, alice: Client, function: str, code: str
) -> None:
    with at_a_time(link, 0, function):
        answer = alice.call("GET", "/v1/models")
    assert_problem(answer, 503, code)
    assert int(answer.headers["Retry-After"]) > 0
    assert alice.call("GET", "/v1/models").status_code == 200


def throttles(link: Connection, function: str) -> float:
    """How often Lambda has refused to run the function today."""
    now = datetime.now(UTC)
    found = link.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName="Throttles",
        Statistics=["Sum"],
        Period=86_400,
        Dimensions=[{"Name": "FunctionName", "Value": f"VideoGenerator-local-{function}"}],
        StartTime=now - timedelta(hours=12),
        EndTime=now + timedelta(minutes=1),
    )
    return float(sum(point["Sum"] for point in found["Datapoints"]))


def test_six_scenes_are_made_as_lambda_has_room(link: Connection, alice: Client) -> None:
    """The state machine starts all six; most are refused, again and again."""
    with at_a_time(link, 1, "image"), at_a_time(link, 2, "clip"):
        video = alice.create(prompt="Six herons", scenes=6, seconds=2, ratio="960:960")
        video = alice.wait(video["id"], seconds=300)
    assert video["status"] == "succeeded", video["error"]
    assert throttles(link, "image") > 3  # clips come one after the other then, mostly
