"""`python -m infra.destroy`: empties what goes, keeps what stays, and asks before."""

import subprocess
import sys
from collections.abc import Iterator

import boto3
import botocore.session
import pytest
from botocore.stub import Stubber

from infra import destroy

STACK, BUCKET = "VideoGenerator-dev", "media"


class Aws:
    """Clients that answer as told, and fail on any other call."""

    def __init__(self) -> None:
        session = botocore.session.get_session()
        session.set_credentials("key", "secret")
        self.clients = {
            name: session.create_client(name, region_name="eu-west-1")
            for name in ("cloudformation", "s3", "rds")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}

    def deployed(self, stack: str) -> None:
        outputs = [{"OutputKey": "MediaBucketName", "OutputValue": BUCKET}]
        stacks = [
            {
                "StackName": stack,
                "CreationTime": "2026-01-01",
                "StackStatus": "CREATE_COMPLETE",
                "Outputs": outputs,
            }
        ]
        self.stubs["cloudformation"].add_response(
            "describe_stacks", {"Stacks": stacks}, {"StackName": stack}
        )

    def holds(self, *keys: str) -> None:
        """The bucket holds a version of each key, and a delete marker of the first."""
        versions = [{"Key": key, "VersionId": "1"} for key in keys]
        markers = [{"Key": keys[0], "VersionId": "2"}]
        self.stubs["s3"].add_response(
            "list_object_versions",
            {"Versions": versions, "DeleteMarkers": markers},
            {"Bucket": BUCKET},
        )
        self.stubs["s3"].add_response(
            "delete_objects",
            {},
            {"Bucket": BUCKET, "Delete": {"Objects": [*versions, *markers], "Quiet": True}},
        )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    aws = Aws()
    monkeypatch.setattr(boto3, "client", lambda name: aws.clients[name])
    for stub in aws.stubs.values():
        stub.activate()
    yield aws
    for stub in aws.stubs.values():
        stub.assert_no_pending_responses()


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that would have been run."""
    ran: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[bytes]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["destroy", *arguments])
    with pytest.raises(SystemExit) as ended:
        destroy.main()
    return ended.value.code


def test_dev_is_emptied_and_destroyed(
    aws: Aws, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.deployed(STACK)
    aws.holds("a", "b")
    assert run(monkeypatch, "--stage", "dev", "--confirm", STACK) == 0
    (command,) = commands
    assert command[-4:] == [STACK, "--force", "-c", "stage=dev"]


def test_prod_keeps_its_media_and_loses_its_protection(
    aws: Aws, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = "VideoGenerator-prod"
    aws.deployed(stack)
    resource = {
        "LogicalResourceId": "Database",
        "PhysicalResourceId": "db",
        "ResourceType": "AWS::RDS::DBInstance",
        "Timestamp": "2026-01-01",
        "ResourceStatus": "CREATE_COMPLETE",
    }
    aws.stubs["cloudformation"].add_response(
        "describe_stack_resources", {"StackResources": [resource]}, {"StackName": stack}
    )
    aws.stubs["rds"].add_response(
        "modify_db_instance",
        {},
        {"DBInstanceIdentifier": "db", "DeletionProtection": False, "ApplyImmediately": True},
    )
    assert run(monkeypatch, "--stage", "prod", "--confirm", stack) == 0
    assert len(commands) == 1


def test_another_name_deletes_nothing(
    aws: Aws, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.deployed(STACK)
    answer = run(monkeypatch, "--stage", "dev", "--confirm", "VideoGenerator-prod")
    assert "Nothing was deleted" in str(answer)
    assert commands == []


def test_no_stack_no_deletion(
    aws: Aws, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.stubs["cloudformation"].add_client_error(
        "describe_stacks", "ValidationError", f"Stack with id {STACK} does not exist"
    )
    assert "does not exist" in str(run(monkeypatch, "--stage", "dev", "--confirm", STACK))
    assert commands == []


def test_an_object_that_stays_stops_it(
    aws: Aws, commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.deployed(STACK)
    aws.stubs["s3"].add_response(
        "list_object_versions", {"Versions": [{"Key": "a", "VersionId": "1"}]}
    )
    aws.stubs["s3"].add_response(
        "delete_objects", {"Errors": [{"Key": "a", "Code": "AccessDenied"}]}
    )
    assert "AccessDenied" in str(run(monkeypatch, "--stage", "dev", "--confirm", STACK))
    assert commands == []
