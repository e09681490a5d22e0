"""A client of the deployed API for tests, and access to the stack's resources."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
import requests

from common.database import Cursor
from infra.local.cloud import Cloud
from infra.local.connection import Connection
from tests.support import answers
from tests.support.answers import Seen

TIMEOUT = 60
RECEIVED: set[Seen] = set()
"""The documented responses that this process received from the deployed API."""
RUNNING = pytest.StashKey[Cloud]()
"""In pytest's stash: a running cloud that the tests use instead of starting one."""


@dataclass(frozen=True)
class Client:
    """An API client with one key."""

    base_url: str
    key: str | None

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Send a request with a JSON body and check the response against the documentation."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= options.pop("headers", {})
        url = path if path.startswith(self.base_url) else self.base_url + path
        response = requests.request(
            method, url, json=body, headers=headers, timeout=TIMEOUT, **options
        )
        first = next(iter(response.history), response)  # a signed link redirects to S3
        sent = str(first.request.path_url).removeprefix(urlsplit(self.base_url).path)
        documented = answers.check(method, sent, first.status_code, first.headers, first.text)
        if documented:
            RECEIVED.add(documented)
        return response

    def create(self, **fields: Any) -> dict[str, Any]:
        """Create a video; return the accepted resource."""
        response = self.call("POST", "/v1/videos", fields)
        assert response.status_code == 202, response.text
        video: dict[str, Any] = response.json()
        return video

    def wait(self, video_id: str, seconds: float = 300) -> dict[str, Any]:
        """Poll until the video has ended; return it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            response = self.call("GET", f"/v1/videos/{video_id}")
            assert response.status_code == 200, response.text
            video: dict[str, Any] = response.json()
            if video["status"] in ("succeeded", "failed", "canceled"):
                return video
            time.sleep(0.3)
        raise AssertionError(f"{video_id} did not end within {seconds} s: {video}")


def run_step(client: Client, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Run one pipeline step and return its result; poll if it takes longer than the wait."""
    response = client.call("POST", path, body, headers=headers)
    for _ in range(8):
        if response.status_code != 202:
            break
        status = response.json()["statusUrl"]
        response = client.call("GET", status, headers={"Prefer": "wait=20"})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()
    return result


@dataclass(frozen=True)
class StackAccess:
    """Operator access to the functions, database, executions and objects of a stack."""

    link: Connection

    def environment(self, function: str) -> dict[str, str]:
        """Return a function's environment in the deployed stack."""
        pages = self.link.client("lambda").get_paginator("list_functions").paginate()
        for function_ in (entry for page in pages for entry in page["Functions"]):
            variables: dict[str, str] = function_.get("Environment", {}).get("Variables", {})
            if variables.get("POWERTOOLS_SERVICE_NAME") == function:
                return variables
        raise AssertionError(f"the stack has no function {function}")

    @contextmanager
    def database(self) -> Iterator[Cursor]:
        """Yield a cursor of the database owner; commit at the end."""
        environment = self.environment("migrate")
        secret = self.link.client("secretsmanager").get_secret_value(
            SecretId=environment["DATABASE_SECRET_ARN"]
        )
        login = json.loads(secret["SecretString"])
        connection = psycopg2.connect(
            host=environment["DATABASE_HOST"],
            port=environment["DATABASE_PORT"],
            dbname=environment["DATABASE_NAME"],
            user=login["username"],
            password=login["password"],
        )
        try:
            with connection, connection.cursor(cursor_factory=Cursor) as cursor:
                yield cursor
        finally:
            connection.close()

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        """Return the rows of a query."""
        with self.database() as cursor:
            cursor.execute(statement, values)
            return [dict(row) for row in cursor.fetchall()]

    def execution(self, run_id: str) -> dict[str, Any]:
        """Return the execution of a run."""
        machine = self.link.outputs["StateMachineArn"]
        arn = f"{machine.replace(':stateMachine:', ':execution:')}:{run_id}"
        execution: dict[str, Any] = self.link.client("stepfunctions").describe_execution(
            executionArn=arn
        )
        return execution

    def objects(self, prefix: str) -> list[str]:
        """Return the keys of the media bucket below a prefix."""
        response = self.link.client("s3").list_objects_v2(
            Bucket=self.link.outputs["MediaBucketName"], Prefix=prefix
        )
        return [item["Key"] for item in response.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return the content of a media object."""
        response = self.link.client("s3").get_object(
            Bucket=self.link.outputs["MediaBucketName"], Key=key
        )
        data: bytes = response["Body"].read()
        return data

    def sweep(self) -> dict[str, int]:
        """Run the sweeper as its schedule does; return its counters."""
        response = self.link.client("lambda").invoke(
            FunctionName=self.link.outputs["SweeperFunctionName"],
            Payload=json.dumps({"source": "schedule"}),
        )
        counters: dict[str, int] = json.loads(response["Payload"].read())
        assert "FunctionError" not in response, counters
        return counters
