"""What CloudFormation is told of the migrations: their outcome, and what to look at."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from common.settings import DatabaseSettings
from migrate.handler import handler
from tests.support.fixtures import owner
from tests.support.gateway import Context

CREATE = {"RequestType": "Create", "StackId": "stack", "RequestId": "1", "LogicalResourceId": "M"}


class CloudFormation:
    """The URL that a custom resource answers to."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []

    def __call__(self, *arguments: Any) -> BaseHTTPRequestHandler:
        answers = self.answers

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler(*arguments)


@pytest.fixture
def cloudformation(
    migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, Any], CloudFormation]]:
    """An event whose answer is kept, in the environment of `migrate`."""
    for name, value in owner(migrated).model_dump(by_alias=True, mode="json").items():
        monkeypatch.setenv(name, str(value))
    cloudformation = CloudFormation()
    server = HTTPServer(("127.0.0.1", 0), cloudformation)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield {**CREATE, "ResponseURL": f"http://127.0.0.1:{server.server_port}/"}, cloudformation
    server.shutdown()
    server.server_close()


def test_schema_that_is_up_to_date_is_a_success(
    cloudformation: tuple[dict[str, Any], CloudFormation],
) -> None:
    event, answered = cloudformation
    handler(event, Context())  # type: ignore[arg-type] # what it uses of Lambda's
    (answer,) = answered.answers
    assert answer["Status"] == "SUCCESS"
    assert answer["Data"] == {"Applied": "0"}


def test_way_out_that_does_not_work_is_named(
    cloudformation: tuple[dict[str, Any], CloudFormation], monkeypatch: pytest.MonkeyPatch
) -> None:
    event, answered = cloudformation
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        handler(event, Context())  # type: ignore[arg-type] # what it uses of Lambda's
    (answer,) = answered.answers
    assert answer["Status"] == "FAILED"
    assert "Secrets Manager cannot be reached" in answer["Reason"]
    assert "Check the stack's NAT instance" in answer["Reason"]


def test_secret_that_is_refused_is_not_blamed_on_the_way_out(
    cloudformation: tuple[dict[str, Any], CloudFormation], monkeypatch: pytest.MonkeyPatch
) -> None:
    event, answered = cloudformation
    monkeypatch.setenv("DATABASE_SECRET_ARN", "arn:another")
    handler(event, Context())  # type: ignore[arg-type] # what it uses of Lambda's
    (answer,) = answered.answers
    assert answer["Status"] == "FAILED"
    assert "NAT" not in answer["Reason"]
