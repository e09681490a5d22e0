"""AWS clients with stubbed responses, in order, validated against the service models."""

from datetime import UTC, datetime
from typing import Any

import botocore.session
from botocore.stub import Stubber

REGION = "us-east-1"
CREATED = datetime(2026, 11, 1, tzinfo=UTC)


class StubbedAws:
    """Stubbed clients, one for each service. An unexpected call fails."""

    region = REGION

    def __init__(self) -> None:
        self._session = botocore.session.get_session()
        self._session.set_credentials("key", "secret")
        self._stubs: dict[str, Stubber] = {}

    def client(self, service: str) -> Any:
        """Return the service's client."""
        return self._stub(service).client

    def respond(
        self, service: str, method: str, response: dict[str, Any], expected: Any = None
    ) -> None:
        """Add the response of the next call, with its expected parameters."""
        self._stub(service).add_response(method, response, expected)

    def refuse(self, service: str, method: str, code: str, message: str = "") -> None:
        """Add an error as the response of the next call."""
        self._stub(service).add_client_error(method, code, message)

    def stack(self, name: str, status: str, **outputs: str) -> None:
        """Expect a DescribeStacks call for an existing stack."""
        described = {
            "StackName": name,
            "CreationTime": CREATED,
            "StackStatus": status,
            "Outputs": [{"OutputKey": k, "OutputValue": v} for k, v in outputs.items()],
        }
        self.respond("cloudformation", "describe_stacks", {"Stacks": [described]})

    def no_stack(self, name: str) -> None:
        """Expect a DescribeStacks call for a missing stack."""
        self.refuse(
            "cloudformation",
            "describe_stacks",
            "ValidationError",
            f"Stack with id {name} does not exist",
        )

    def assert_all_called(self) -> None:
        """Assert that every expected call was made."""
        for stub in self._stubs.values():
            stub.assert_no_pending_responses()

    def _stub(self, service: str) -> Stubber:
        if service not in self._stubs:
            self._stubs[service] = Stubber(self._session.create_client(service, REGION))
            self._stubs[service].activate()
        return self._stubs[service]
