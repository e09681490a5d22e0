"""The function that migrates, as an operator invokes it after changing a role's password."""

import json

from infra.local.connection import Connection
from tests.e2e.client import Client


def test_migrating_again_changes_nothing(link: Connection, alice: Client) -> None:
    answer = link.client("lambda").invoke(FunctionName=f"{link.stack}-migrate", Payload="{}")
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert json.loads(answer["Payload"].read()) == {"Applied": "0"}
    assert alice.call("GET", "/v1/videos").status_code == 200  # every role signs in as before
