"""The migrate function, as an operator invokes it after changing a role's password."""

import json

from infra.local.connection import Connection
from tests.e2e.client import Client


def test_migrate_is_idempotent(link: Connection, alice: Client) -> None:
    response = link.client("lambda").invoke(FunctionName=f"{link.stack}-migrate", Payload="{}")
    assert "FunctionError" not in response, response["Payload"].read()
    assert json.loads(response["Payload"].read()) == {"Applied": "0"}
    assert alice.call("GET", "/v1/videos").status_code == 200  # every role can still log in
