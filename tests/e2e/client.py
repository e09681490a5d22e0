"""A client of the deployed API for tests, and a look behind it."""

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
SEEN: set[Seen] = set()
"""Which documented answers the deployed API gave to this process."""
RUNNING = pytest.StashKey[Cloud]()
"""In pytest's configuration: a cloud that runs already, for the tests to use."""


@dataclass(frozen=True)
class Client:
    """Calls the API with one key."""

    base_url: str
    key: str | None

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:
        """Make one request; `body` is sent as JSON. Holds the answer against what is documented."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        headers |= options.pop("headers", {})
        url = path if path.startswith(self.base_url) else self.base_url + path
        response = requests.request(
            method, url, json=body, headers=headers, timeout=TIMEOUT, **options
        )
        own = next(iter(response.history), response)  # a link leads on to the store
        sent = str(own.request.path_url).removeprefix(urlsplit(self.base_url).path)
        seen = answers.check(method, sent, own.status_code, own.headers, own.text)
        if seen:
            SEEN.add(seen)
        return response

    def create(self, **wish: Any) -> dict[str, Any]:
        """Ask for a video; return it as accepted."""
        response = self.call("POST", "/v1/videos", wish)
        assert response.status_code == 202, response.text
        video: dict[str, Any] = response.json()
        return video

    def wait(self, video_id: str, seconds: float = 300) -> dict[str, Any]:
        """Return the video once it has ended."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            response = self.call("GET", f"/v1/videos/{video_id}")
            assert response.status_code == 200, response.text
            video: dict[str, Any] = response.json()
            if video["status"] in ("succeeded", "failed", "canceled"):
                return video
            time.sleep(0.3)
        raise AssertionError(f"{video_id} did not end within {seconds} s: {video}")


def done(client: Client, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Make one part; a run that takes longer than the wait is asked after, as a client would."""
    response = client.call("POST", path, body, headers=headers)
    for _ in range(8):
        if response.status_code != 202:
            break
        status = response.json()["statusUrl"]
        response = client.call("GET", status, headers={"Prefer": "wait=20"})
    assert response.status_code == 200, response.text
    made: dict[str, Any] = response.json()
    return made


@dataclass(frozen=True)
class Backstage:
    """What an operator can see: functions, database, executions, objects."""

    link: Connection

    def environment(self, function: str) -> dict[str, str]:
        """Return a function's environment in the deployed stack."""
        pages = self.link.client("lambda").get_paginator("list_functions").paginate()
        for found in (entry for page in pages for entry in page["Functions"]):
            variables: dict[str, str] = found.get("Environment", {}).get("Variables", {})
            if variables.get("POWERTOOLS_SERVICE_NAME") == function:
                return variables
        raise AssertionError(f"there is no function {function}")

    @contextmanager
    def database(self) -> Iterator[Cursor]:
        """Yield a cursor of the owner on the stack's database; committed at the end."""
        place = self.environment("migrate")
        secret = self.link.client("secretsmanager").get_secret_value(
            SecretId=place["DATABASE_SECRET_ARN"]
        )
        login = json.loads(secret["SecretString"])
        connection = psycopg2.connect(
            host=place["DATABASE_HOST"],
            port=place["DATABASE_PORT"],
            dbname=place["DATABASE_NAME"],
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
        found: dict[str, Any] = self.link.client("stepfunctions").describe_execution(
            executionArn=arn
        )
        return found

    def objects(self, prefix: str) -> list[str]:
        """Return the keys in the media bucket below a prefix."""
        answer = self.link.client("s3").list_objects_v2(
            Bucket=self.link.outputs["MediaBucketName"], Prefix=prefix
        )
        return [item["Key"] for item in answer.get("Contents", [])]

    def read(self, key: str) -> bytes:
        """Return a media object."""
        answer = self.link.client("s3").get_object(
            Bucket=self.link.outputs["MediaBucketName"], Key=key
        )
        data: bytes = answer["Body"].read()
        return data

    def sweep(self) -> dict[str, int]:
        """Run the sweeper, as its schedule does; return what it did."""
        answer = self.link.client("lambda").invoke(
            FunctionName=self.link.outputs["SweeperFunctionName"],
            Payload=json.dumps({"source": "schedule"}),
        )
        done: dict[str, int] = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, done
        return done
