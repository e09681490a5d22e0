"""`make destroy`: works from every stack status and is idempotent."""

import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import NoRegionError

from infra.operator import __main__ as command
from infra.operator import destroy
from infra.operator.aws import Aws
from tests.infra.stubs import StubbedAws

DEV, PROD = "VideoGenerator-dev", "VideoGenerator-prod"
BUCKET, DATABASE = "media", "db"
_TYPES = {BUCKET: "AWS::S3::Bucket", DATABASE: "AWS::RDS::DBInstance"}


class Account(StubbedAws):
    """A stubbed account with the calls of the command, in order."""

    def expect_stack(self, name: str, status: str, *resources: str) -> None:
        self.stack(name, status)
        summaries = [
            {
                "LogicalResourceId": name_,
                "PhysicalResourceId": name_,
                "ResourceType": _TYPES[name_],
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": "2026-01-01",
            }
            for name_ in resources
        ]
        self.respond(
            "cloudformation",
            "list_stack_resources",
            {"StackResourceSummaries": summaries},
            {"StackName": name},
        )

    def expect_deletion(self, name: str, ends: str = "DELETE_COMPLETE") -> None:
        """Expect the deletion of the stack, which ends in a status."""
        self.respond("cloudformation", "delete_stack", {}, {"StackName": name})
        self.stack(name, ends)

    def expect_failure_event(self, name: str, logical_id: str, reason: str) -> None:
        event = {
            "StackId": "arn",
            "EventId": "1",
            "StackName": name,
            "LogicalResourceId": logical_id,
            "ResourceType": "AWS::EC2::SecurityGroup",
            "ResourceStatus": "DELETE_FAILED",
            "ResourceStatusReason": reason,
            "Timestamp": "2026-01-01",
        }
        earlier_event = {**event, "LogicalResourceId": "Earlier", "ResourceStatusReason": "Older."}
        begin = {
            **event,
            "PhysicalResourceId": "arn",
            "ResourceStatus": "DELETE_IN_PROGRESS",
            "ResourceStatusReason": "User Initiated",
        }
        self.respond(
            "cloudformation",
            "describe_stack_events",
            {"StackEvents": [event, begin, earlier_event]},
            {"StackName": name},
        )

    def expect_objects(self, *keys: str, errors: tuple[str, ...] = ()) -> None:
        """Expect the bucket to list and delete a version of each key, and a marker of the first."""
        versions = [{"Key": key, "VersionId": "1"} for key in keys]
        markers = [{"Key": keys[0], "VersionId": "2"}]
        self.respond(
            "s3",
            "list_object_versions",
            {"Versions": versions, "DeleteMarkers": markers},
            {"Bucket": BUCKET},
        )
        self.respond(
            "s3",
            "delete_objects",
            {"Errors": [{"Key": keys[0], "Code": code} for code in errors]} if errors else {},
            {"Bucket": BUCKET, "Delete": {"Objects": [*versions, *markers], "Quiet": True}},
        )

    def expect_protection_removed(self) -> None:
        expected: Any = {
            "DBInstanceIdentifier": DATABASE,
            "DeletionProtection": False,
            "ApplyImmediately": True,
        }
        self.respond("rds", "modify_db_instance", {}, expected)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account()
    monkeypatch.setattr(Aws, "client", lambda _, service: account.client(service))
    monkeypatch.setenv("AWS_REGION", account.region)
    monkeypatch.setattr(destroy, "_WAITER_CONFIG", {"Delay": 0, "MaxAttempts": 2})
    yield account
    account.assert_all_called()


class Command:
    """The command. Calling it returns what it printed to stderr."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.printed = ""

    def __call__(self, stack: str, confirm: str | None = None) -> str:
        stage = stack.removeprefix("VideoGenerator-")
        status = command.main(["destroy", "--stage", stage, "--confirm", confirm or stage])
        self.printed, error = self._capsys.readouterr()
        assert bool(status) == bool(error)
        return error


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_FAILED"]
)
def test_destroy_dev_empties_bucket_and_deletes_stack_from_every_status(
    aws: Account, run: Command, status: str
) -> None:
    aws.expect_stack(DEV, status, BUCKET, DATABASE)
    aws.expect_objects("a", "b")
    aws.expect_deletion(DEV)
    assert run(DEV) == ""


def test_destroy_works_without_bucket_after_failed_first_deployment(
    aws: Account, run: Command
) -> None:
    aws.expect_stack(DEV, "ROLLBACK_COMPLETE")
    aws.expect_deletion(DEV)
    assert run(DEV) == ""


def test_destroy_finishes_failed_deletion_when_repeated(aws: Account, run: Command) -> None:
    aws.expect_stack(DEV, "CREATE_COMPLETE", BUCKET)
    aws.expect_objects("a")
    aws.expect_deletion(DEV, ends="DELETE_FAILED")
    aws.expect_failure_event(DEV, "FunctionsGroup", "has a dependent object")
    message = run(DEV)
    assert "FunctionsGroup (AWS::EC2::SecurityGroup): has a dependent object" in message
    assert "run this again" in message
    aws.expect_stack(DEV, "DELETE_FAILED", BUCKET)
    aws.refuse("s3", "list_object_versions", "NoSuchBucket")
    aws.expect_deletion(DEV)
    assert run(DEV) == ""


def test_destroy_of_deleted_stack_does_nothing(aws: Account, run: Command) -> None:
    aws.no_stack(DEV)
    assert run(DEV) == ""


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_FAILED"])
def test_destroy_prod_keeps_media_and_removes_deletion_protection(
    aws: Account, run: Command, status: str
) -> None:
    aws.expect_stack(PROD, status, BUCKET, DATABASE)
    aws.expect_protection_removed()
    aws.expect_deletion(PROD)
    assert run(PROD) == ""
    assert f"Kept: {BUCKET}" in run.printed
    assert "SECRET_KEY" in run.printed


def test_destroy_prod_works_without_database(aws: Account, run: Command) -> None:
    aws.expect_stack(PROD, "DELETE_FAILED", DATABASE)
    aws.refuse("rds", "modify_db_instance", "DBInstanceNotFound")
    aws.expect_deletion(PROD)
    assert run(PROD) == ""


def test_destroy_with_wrong_confirmation_deletes_nothing(aws: Account, run: Command) -> None:
    aws.stack(DEV, "CREATE_COMPLETE")
    assert "Nothing was deleted" in run(DEV, confirm="prod")


def test_destroy_keeps_stack_if_object_deletion_fails(aws: Account, run: Command) -> None:
    aws.expect_stack(DEV, "CREATE_COMPLETE", BUCKET)
    aws.expect_objects("a", errors=("AccessDenied",))
    assert "AccessDenied" in run(DEV)


def test_destroy_explains_access_denied(aws: Account, run: Command) -> None:
    aws.refuse("cloudformation", "describe_stacks", "AccessDenied", "no")
    assert "may not call DescribeStacks" in run(DEV)


def test_destroy_explains_missing_region(monkeypatch: pytest.MonkeyPatch, run: Command) -> None:
    def no_region(_: Aws, service: str) -> Any:
        raise NoRegionError

    monkeypatch.setattr(Aws, "client", no_region)
    assert "Set AWS_REGION" in run(DEV)


def test_aws_region_variable_is_sufficient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert Aws().client("cloudformation").meta.region_name == "eu-north-1"


def test_destroy_without_terminal_deletes_nothing(
    aws: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.stack(PROD, "CREATE_COMPLETE")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert command.main(["destroy", "--stage", "prod"]) == 1
    assert "CONFIRM=prod" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "text"), [("dve", "Unknown stage 'dve'"), ("local", "make clean")]
)
def test_destroy_explains_stage_that_is_not_in_aws(run: Command, stage: str, text: str) -> None:
    assert text in run(stage)


def test_destroy_removes_failed_first_deployment_in_two_attempts(
    aws: Account, run: Command
) -> None:
    """Deployment, rollback and first deletion fail; the second deletion succeeds."""
    aws.expect_stack(PROD, "ROLLBACK_FAILED", BUCKET, DATABASE)
    aws.expect_protection_removed()
    aws.expect_deletion(PROD, ends="DELETE_FAILED")
    aws.expect_failure_event(PROD, "FunctionsSubnet1", "has dependencies and cannot be deleted")
    assert "FunctionsSubnet1" in run(PROD)
    aws.expect_stack(PROD, "DELETE_FAILED")
    aws.expect_deletion(PROD)
    assert run(PROD) == ""
    aws.no_stack(PROD)
    assert run(PROD) == ""
