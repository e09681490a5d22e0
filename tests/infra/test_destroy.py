"""`make destroy`: from every state of the stack, and as often as needed."""

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
    """What the command asks of the account, in its order."""

    def holds_stack(self, name: str, status: str, *resources: str) -> None:
        self.stack(name, status)
        summaries = [
            {
                "LogicalResourceId": one,
                "PhysicalResourceId": one,
                "ResourceType": _TYPES[one],
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": "2026-01-01",
            }
            for one in resources
        ]
        self.answer(
            "cloudformation",
            "list_stack_resources",
            {"StackResourceSummaries": summaries},
            {"StackName": name},
        )

    def deletes(self, name: str, ends: str = "DELETE_COMPLETE") -> None:
        """The stack can be deleted, and its deletion ends in that status."""
        self.answer("cloudformation", "delete_stack", {}, {"StackName": name})
        self.stack(name, ends)

    def fails_at(self, name: str, logical_id: str, reason: str) -> None:
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
        of_before = {**event, "LogicalResourceId": "Before", "ResourceStatusReason": "Older."}
        begin = {
            **event,
            "PhysicalResourceId": "arn",
            "ResourceStatus": "DELETE_IN_PROGRESS",
            "ResourceStatusReason": "User Initiated",
        }
        self.answer(
            "cloudformation",
            "describe_stack_events",
            {"StackEvents": [event, begin, of_before]},
            {"StackName": name},
        )

    def holds_objects(self, *keys: str, errors: tuple[str, ...] = ()) -> None:
        """The bucket holds a version of each key and a delete marker of the first."""
        versions = [{"Key": key, "VersionId": "1"} for key in keys]
        markers = [{"Key": keys[0], "VersionId": "2"}]
        self.answer(
            "s3",
            "list_object_versions",
            {"Versions": versions, "DeleteMarkers": markers},
            {"Bucket": BUCKET},
        )
        self.answer(
            "s3",
            "delete_objects",
            {"Errors": [{"Key": keys[0], "Code": code} for code in errors]} if errors else {},
            {"Bucket": BUCKET, "Delete": {"Objects": [*versions, *markers], "Quiet": True}},
        )

    def unprotects(self) -> None:
        expected: Any = {
            "DBInstanceIdentifier": DATABASE,
            "DeletionProtection": False,
            "ApplyImmediately": True,
        }
        self.answer("rds", "modify_db_instance", {}, expected)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    account = Account()
    monkeypatch.setattr(Aws, "client", lambda _, service: account.client(service))
    monkeypatch.setenv("AWS_REGION", account.region)
    monkeypatch.setattr(destroy, "_WAIT", {"Delay": 0, "MaxAttempts": 2})
    yield account
    account.assert_all_asked()


class Command:
    """Runs the command; returns its exit status and what it printed as an error."""

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
def test_dev_is_emptied_and_deleted_from_every_status(
    aws: Account, run: Command, status: str
) -> None:
    aws.holds_stack(DEV, status, BUCKET, DATABASE)
    aws.holds_objects("a", "b")
    aws.deletes(DEV)
    assert run(DEV) == ""


def test_stack_whose_first_deployment_failed_has_no_bucket(aws: Account, run: Command) -> None:
    aws.holds_stack(DEV, "ROLLBACK_COMPLETE")
    aws.deletes(DEV)
    assert run(DEV) == ""


def test_second_run_after_a_failed_deletion_finishes_it(aws: Account, run: Command) -> None:
    aws.holds_stack(DEV, "CREATE_COMPLETE", BUCKET)
    aws.holds_objects("a")
    aws.deletes(DEV, ends="DELETE_FAILED")
    aws.fails_at(DEV, "FunctionsGroup", "has a dependent object")
    message = run(DEV)
    assert "FunctionsGroup (AWS::EC2::SecurityGroup): has a dependent object" in message
    assert "run this again" in message
    aws.holds_stack(DEV, "DELETE_FAILED", BUCKET)
    aws.refuse("s3", "list_object_versions", "NoSuchBucket")
    aws.deletes(DEV)
    assert run(DEV) == ""


def test_deleted_stack_leaves_nothing_to_do(aws: Account, run: Command) -> None:
    aws.no_stack(DEV)
    assert run(DEV) == ""


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_FAILED"])
def test_prod_keeps_its_media_and_loses_its_protection(
    aws: Account, run: Command, status: str
) -> None:
    aws.holds_stack(PROD, status, BUCKET, DATABASE)
    aws.unprotects()
    aws.deletes(PROD)
    assert run(PROD) == ""
    assert f"Kept: {BUCKET}" in run.printed
    assert "SECRET_KEY" in run.printed


def test_prod_whose_database_is_gone_is_deleted(aws: Account, run: Command) -> None:
    aws.holds_stack(PROD, "DELETE_FAILED", DATABASE)
    aws.refuse("rds", "modify_db_instance", "DBInstanceNotFound")
    aws.deletes(PROD)
    assert run(PROD) == ""


def test_another_name_deletes_nothing(aws: Account, run: Command) -> None:
    aws.stack(DEV, "CREATE_COMPLETE")
    assert "Nothing was deleted" in run(DEV, confirm="prod")


def test_object_that_cannot_be_deleted_leaves_the_stack(aws: Account, run: Command) -> None:
    aws.holds_stack(DEV, "CREATE_COMPLETE", BUCKET)
    aws.holds_objects("a", errors=("AccessDenied",))
    assert "AccessDenied" in run(DEV)


def test_refused_call_is_explained(aws: Account, run: Command) -> None:
    aws.refuse("cloudformation", "describe_stacks", "AccessDenied", "no")
    assert "may not call DescribeStacks" in run(DEV)


def test_missing_region_is_explained(monkeypatch: pytest.MonkeyPatch, run: Command) -> None:
    def no_region(_: Aws, service: str) -> Any:
        raise NoRegionError

    monkeypatch.setattr(Aws, "client", no_region)
    assert "Set AWS_REGION" in run(DEV)


def test_region_of_the_cdk_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert Aws().client("cloudformation").meta.region_name == "eu-north-1"


def test_nobody_to_ask_deletes_nothing(
    aws: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.stack(PROD, "CREATE_COMPLETE")
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    assert command.main(["destroy", "--stage", "prod"]) == 1
    assert "CONFIRM=prod" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("stage", "text"), [("dve", "There is no stage 'dve'"), ("local", "make clean")]
)
def test_stage_that_is_not_in_aws_is_explained(run: Command, stage: str, text: str) -> None:
    assert text in run(stage)


def test_first_deployment_that_failed_is_destroyed_in_two_attempts(
    aws: Account, run: Command
) -> None:
    """The deployment fails, its rollback fails, the deletion fails, and the second one ends."""
    aws.holds_stack(PROD, "ROLLBACK_FAILED", BUCKET, DATABASE)
    aws.unprotects()
    aws.deletes(PROD, ends="DELETE_FAILED")
    aws.fails_at(PROD, "FunctionsSubnet1", "has dependencies and cannot be deleted")
    assert "FunctionsSubnet1" in run(PROD)
    aws.holds_stack(PROD, "DELETE_FAILED")
    aws.deletes(PROD)
    assert run(PROD) == ""
    aws.no_stack(PROD)
    assert run(PROD) == ""
