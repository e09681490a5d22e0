"""The X-Ray trace of a request: in its answer, on the run that it starts, and in the console."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from api.presenters.console import Console
from common import settings
from common.database import Database
from tests.support.fixtures import MACHINE
from tests.support.gateway import Gateway
from tests.support.rows import admit

WISH = {"prompt": "A paper boat", "scenes": 3, "seconds": 5}
FIRST, SECOND = "1-5759e988-bd862e3fe1be46a994272793", "1-5759e989-aaaaaaaaaaaaaaaaaaaaaaaa"

Begin = Callable[[str], None]


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Begin:
    """Begin an invocation with a trace, as Lambda does."""

    def begun(trace: str) -> None:
        monkeypatch.setenv("STAGE", "dev")
        monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "api")
        header = f"Root={trace};Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1"
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)

    return begun


@pytest.fixture
def deployed(gateway: Gateway, begin: Begin) -> Iterator[Gateway]:
    """The API of a stage on AWS."""
    from api import dependencies

    kept = (dependencies.settings, dependencies.console, dependencies.videos, dependencies.listing)
    begin(FIRST)
    for one in kept:
        one.cache_clear()
    yield gateway
    for one in kept:
        one.cache_clear()


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/videos", None, 200),
        ("POST", "/v1/videos", WISH, 202),
        ("POST", "/v1/videos", {}, 422),
        ("GET", "/v1/videos/vid_none", None, 404),
        ("GET", "/nowhere", None, 404),
        ("GET", "/v1/health", None, 200),
        ("OPTIONS", "/v1/videos", None, 204),
    ],
)
def test_every_answer_names_its_trace(
    method: str, path: str, body: Any, status: int, deployed: Gateway
) -> None:
    answer = deployed.call(method, path, body)
    assert (answer.status, answer.headers["X-Trace-Id"]) == (status, FIRST)


@pytest.mark.parametrize("header", ["", "Sampled=0", "Root=1-xyz;Sampled=1", None])
def test_without_a_trace_none_is_named(
    header: str | None, deployed: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    if header is None:
        monkeypatch.delenv("_X_AMZN_TRACE_ID")
    else:
        monkeypatch.setenv("_X_AMZN_TRACE_ID", header)
    answer = deployed.call("POST", "/v1/videos", WISH)
    assert "X-Trace-Id" not in answer.headers
    assert (answer.json()["trace_id"], answer.json()["links"]["trace"]) == (None, None)
    assert answer.json()["links"]["console"]


def test_on_one_machine_there_is_no_trace(gateway: Gateway, begin: Begin) -> None:
    begin(FIRST)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STAGE", "local")
        answer = gateway.call("POST", "/v1/videos", WISH)
    assert "X-Trace-Id" not in answer.headers
    assert (answer.json()["trace_id"], answer.json()["links"]["trace"]) == (None, None)


def test_a_run_goes_on_with_the_trace_of_its_request(deployed: Gateway, begin: Begin) -> None:
    made = deployed.call("POST", "/v1/videos", WISH).json()
    header = deployed.machine.traces[made["run_id"]]
    assert header
    assert f"Root={FIRST};" in header, "Step Functions takes the trace from this header"
    begin(SECOND)
    seen = deployed.call("GET", f"/v1/videos/{made['id']}")
    assert seen.headers["X-Trace-Id"] == SECOND
    (listed,) = deployed.call("GET", "/v1/videos").json()["data"]
    place = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1"
    for video in (made, seen.json(), listed):
        assert video["trace_id"] == FIRST
        assert video["links"]["trace"] == f"{place}#xray:traces/{FIRST}"


def test_a_run_that_the_sweeper_starts_has_the_trace_of_the_sweep(
    database: Database, sweep: Any, begin: Begin
) -> None:
    begin(FIRST)
    _, run_id = admit(database)
    begin(SECOND)
    assert sweep({"older_than_seconds": 0})["started"] == 1
    with database.transaction() as cursor:
        cursor.execute("SELECT trace_id FROM runs WHERE run_id = %s", (run_id,))
        assert cursor.fetchone() == {"trace_id": SECOND}


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws", "us-east-1.console.aws.amazon.com"), ("aws-cn", "us-east-1.console.amazonaws.cn")],
)
def test_a_run_is_found_in_the_console(partition: str, host: str) -> None:
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


def test_the_trace_is_read_as_lambda_writes_it(begin: Begin) -> None:
    assert settings.trace_id() is None
    begin(FIRST)
    assert settings.trace_id() == FIRST
