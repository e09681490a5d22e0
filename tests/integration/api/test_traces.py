"""X-Ray traces: in response headers, on runs, and in links to the AWS console."""

from collections.abc import Callable
from typing import Any

import pytest

from api.presenters.console import Console
from common import settings
from common.database import Database
from tests.support.cold_start import start_cold
from tests.support.fixtures import MACHINE
from tests.support.gateway import Gateway
from tests.support.rows import admit

VIDEO_BODY = {"prompt": "A paper boat", "scenes": 3, "seconds": 5}
FIRST, SECOND = "1-5759e988-bd862e3fe1be46a994272793", "1-5759e989-aaaaaaaaaaaaaaaaaaaaaaaa"

SetTrace = Callable[[str], None]


@pytest.fixture
def set_trace(monkeypatch: pytest.MonkeyPatch) -> SetTrace:
    """Return a function that sets the trace of the next invocation, as Lambda does."""

    def set_trace(trace_id: str) -> None:
        monkeypatch.setenv("STAGE", "dev")
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
        header = f"Root={trace_id};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1"
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)

    return set_trace


@pytest.fixture
def deployed(gateway: Gateway, set_trace: SetTrace) -> Gateway:
    """The API of a stage on AWS."""
    set_trace(FIRST)
    start_cold()
    return gateway


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/videos", None, 200),
        ("POST", "/v1/videos", VIDEO_BODY, 202),
        ("POST", "/v1/videos", {}, 422),
        ("GET", "/v1/videos/vid_none", None, 404),
        ("GET", "/nowhere", None, 404),
        ("GET", "/v1/health", None, 200),
        ("OPTIONS", "/v1/videos", None, 204),
    ],
)
def test_response_names_its_trace(
    method: str, path: str, body: Any, status: int, deployed: Gateway
) -> None:
    response = deployed.call(method, path, body)
    assert (response.status, response.headers["X-Trace-Id"]) == (status, FIRST)


@pytest.mark.parametrize("header", ["", "Sampled=0", "Root=1-xyz;Sampled=1", None])
def test_response_without_a_trace_names_none(
    header: str | None, deployed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    if header is None:
        monkeypatch.delenv("_X_AMZN_TRACE_ID")
    else:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    response = deployed.call("POST", "/v1/videos", VIDEO_BODY)
    assert "X-Trace-Id" not in response.headers
    assert (response.json()["trace_id"], response.json()["links"]["trace"]) == (None, None)
    assert response.json()["links"]["console"]


def test_local_stage_has_no_trace(gateway: Gateway, set_trace: SetTrace) -> None:
    set_trace(FIRST)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STAGE", "local")
        response = gateway.call("POST", "/v1/videos", VIDEO_BODY)
    assert "X-Trace-Id" not in response.headers
    assert (response.json()["trace_id"], response.json()["links"]["trace"]) == (None, None)


def test_run_continues_the_trace_of_its_request(deployed: Gateway, set_trace: SetTrace) -> None:
    created = deployed.call("POST", "/v1/videos", VIDEO_BODY).json()
    header = deployed.machine.traces[created["run_id"]]
    assert header
    assert f"Root={FIRST};" in header, "Step Functions reads the trace from this header"
    set_trace(SECOND)
    response = deployed.call("GET", f"/v1/videos/{created['id']}")
    assert response.headers["X-Trace-Id"] == SECOND
    (listed,) = deployed.call("GET", "/v1/videos").json()["data"]
    console_url = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    for video in (created, response.json(), listed):
        assert video["trace_id"] == FIRST
        assert video["links"]["trace"] == f"{console_url}#xray:traces/{FIRST}"


def test_run_started_by_the_sweeper_has_the_trace_of_the_sweep(
    database: Database, sweep: Any, set_trace: SetTrace
) -> None:
    set_trace(FIRST)
    _, run_id = admit(database)
    set_trace(SECOND)
    assert sweep({"older_than_seconds": 0})["started"] == 1
    with database.transaction() as cursor:
        cursor.execute("SELECT trace_id FROM runs WHERE run_id = %s", (run_id,))
        assert cursor.fetchone() == {"trace_id": SECOND}


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws", "us-east-1.console.aws.amazon.com"), ("aws-cn", "us-east-1.console.amazonaws.cn")],
)
def test_console_links_of_a_run(partition: str, host: str) -> None:
    machine = MACHINE.replace("arn:aws:", f"arn:{partition}:")
    execution = f"{machine.replace('stateMachine', 'execution')}:run_1"
    console = Console(machine)
    assert console.run("run_1") == (
        f"https://{host}/states/home?region=us-east-1#/v2/executions/details/{execution}"
    )
    assert console.trace(FIRST) == (
        f"https://{host}/cloudwatch/home?region=us-east-1#xray:traces/{FIRST}"
    )
    unknown = Console(MACHINE.replace("aws", "aws-iso", 1))
    assert (unknown.run("run_1"), unknown.trace(FIRST)) == (None, None)
    assert (Console().run("run_1"), Console().trace(FIRST)) == (None, None)


def test_trace_id_is_parsed_from_the_environment(set_trace: SetTrace) -> None:
    assert settings.trace_id() is None
    set_trace(FIRST)
    assert settings.trace_id() == FIRST
