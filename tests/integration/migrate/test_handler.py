"""The migrations' responses to CloudFormation: status, reason and advice."""

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
    """A server for the response URL of a custom resource."""

    def __init__(self) -> None:
        self.responses: list[dict[str, Any]] = []

    def __call__(self, *arguments: Any) -> BaseHTTPRequestHandler:
        responses = self.responses

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                responses.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler(*arguments)


@pytest.fixture
def cloudformation(
    migrated: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[dict[str, Any], CloudFormation]]:
    """An event and the server that records its response, in the environment of `migrate`."""
    for name, value in owner(migrated).model_dump(by_alias=True, mode="json").items():
        monkeypatch.setenv(name, str(value))
    cloudformation = CloudFormation()
    server = HTTPServer(("127.0.0.1", 0), cloudformation)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield {**CREATE, "ResponseURL": f"http://127.0.0.1:{server.server_port}/"}, cloudformation
    server.shutdown()
    server.server_close()


def test_migrate_of_a_current_schema_succeeds(
    cloudformation: tuple[dict[str, Any], CloudFormation],
) -> None:
    event, server = cloudformation
    handler(event, Context())  # type: ignore[arg-type] # a minimal context
    (response,) = server.responses
    assert response["Status"] == "SUCCESS"
    assert response["Data"] == {"Applied": "0"}


def test_migrate_without_network_names_the_nat_instance(
    cloudformation: tuple[dict[str, Any], CloudFormation], monkeypatch: pytest.MonkeyPatch
) -> None:
    event, server = cloudformation
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed.getsockname()[1]}")
        handler(event, Context())  # type: ignore[arg-type] # a minimal context
    (response,) = server.responses
    assert response["Status"] == "FAILED"
    assert "Secrets Manager cannot be reached" in response["Reason"]
    assert "Check the stack's NAT instance" in response["Reason"]


def test_migrate_with_a_denied_secret_does_not_blame_the_nat_instance(
    cloudformation: tuple[dict[str, Any], CloudFormation], monkeypatch: pytest.MonkeyPatch
) -> None:
    event, server = cloudformation
    monkeypatch.setenv("DATABASE_SECRET_ARN", "arn:another")
    handler(event, Context())  # type: ignore[arg-type] # a minimal context
    (response,) = server.responses
    assert response["Status"] == "FAILED"
    assert "NAT" not in response["Reason"]
