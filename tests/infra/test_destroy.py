"""`python -m infra.destroy`: from every state of the stack, and as often as needed."""

import io
import sys
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import NoRegionError
from botocore.stub import Stubber

from infra import destroy

DEV, PROD = "VideoGenerator-dev", "VideoGenerator-prod"
BUCKET, DATABASE = "media", "db"
_TYPES = {BUCKET: "AWS::S3::Bucket", DATABASE: "AWS::RDS::DBInstance"}


class Aws:
    """Stubbed clients: each answers the calls that the test announced, in order, and no other."""

    def __init__(self) -> None:
        session = botocore.session.get_session()
        session.set_credentials("key", "secret")
        self.clients = {
            name: session.create_client(name, region_name="eu-west-1")
            for name in ("cloudformation", "s3", "rds")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}

    def stack(self, name: str, status: str, *resources: str) -> None:
        self._described(name, status)
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
        self.stubs["cloudformation"].add_response(
            "list_stack_resources", {"StackResourceSummaries": summaries}, {"StackName": name}
        )

    def no_stack(self, name: str) -> None:
        self.stubs["cloudformation"].add_client_error(
            "describe_stacks", "ValidationError", f"Stack with id {name} does not exist"
        )

    def deleted(self, name: str, ends: str = "DELETE_COMPLETE") -> None:
        """The stack can be deleted, and its deletion ends in that status."""
        self.stubs["cloudformation"].add_response("delete_stack", {}, {"StackName": name})
        self._described(name, ends)

    def reason(self, name: str, logical_id: str, text: str) -> None:
        event = {
            "StackId": "arn",
            "EventId": "1",
            "StackName": name,
            "LogicalResourceId": logical_id,
            "ResourceStatus": "DELETE_FAILED",
            "ResourceStatusReason": text,
            "Timestamp": "2026-01-01",
        }
        self.stubs["cloudformation"].add_response(
            "describe_stack_events", {"StackEvents": [event]}, {"StackName": name}
        )

    def holds(self, *keys: str, errors: tuple[str, ...] = ()) -> None:
        """The bucket holds a version of each key and a delete marker of the first."""
        versions = [{"Key": key, "VersionId": "1"} for key in keys]
        markers = [{"Key": keys[0], "VersionId": "2"}]
        self.stubs["s3"].add_response(
            "list_object_versions",
            {"Versions": versions, "DeleteMarkers": markers},
            {"Bucket": BUCKET},
        )
        self.stubs["s3"].add_response(
            "delete_objects",
            {"Errors": [{"Key": keys[0], "Code": code} for code in errors]} if errors else {},
            {"Bucket": BUCKET, "Delete": {"Objects": [*versions, *markers], "Quiet": True}},
        )

    def unprotected(self, error: str | None = None) -> None:
        if error:
            self.stubs["rds"].add_client_error("modify_db_instance", error)
            return
        expected: Any = {
            "DBInstanceIdentifier": DATABASE,
            "DeletionProtection": False,
            "ApplyImmediately": True,
        }
        self.stubs["rds"].add_response("modify_db_instance", {}, expected)

    def _described(self, name: str, status: str) -> None:
        stack = {"StackName": name, "CreationTime": "2026-01-01", "StackStatus": status}
        self.stubs["cloudformation"].add_response(
            "describe_stacks", {"Stacks": [stack]}, {"StackName": name}
        )


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    aws = Aws()
    monkeypatch.setattr(destroy, "client", lambda name: aws.clients[name])
    monkeypatch.setattr(destroy, "_WAIT", {"Delay": 0, "MaxAttempts": 2})
    for stub in aws.stubs.values():
        stub.activate()
    yield aws
    for stub in aws.stubs.values():
        stub.assert_no_pending_responses()


def run(monkeypatch: pytest.MonkeyPatch, stack: str, confirm: str | None = None) -> str | None:
    """Run the command and return the message with which it failed, if it did."""
    stage = stack.removeprefix("VideoGenerator-")
    arguments = ["--stage", stage, "--confirm", confirm or stage]
    monkeypatch.setattr(sys, "argv", ["destroy", *arguments])
    try:
        destroy.main()
    except SystemExit as ended:
        return str(ended.code)
    return None


@pytest.mark.parametrize(
    "status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "ROLLBACK_COMPLETE", "DELETE_FAILED"]
)
def test_dev_is_emptied_and_deleted_from_every_status(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    aws.stack(DEV, status, BUCKET, DATABASE)
    aws.holds("a", "b")
    aws.deleted(DEV)
    assert run(monkeypatch, DEV) is None


def test_stack_whose_first_deployment_failed_has_no_bucket(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.stack(DEV, "ROLLBACK_COMPLETE")
    aws.deleted(DEV)
    assert run(monkeypatch, DEV) is None


def test_second_run_after_a_failed_deletion_finishes_it(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.stack(DEV, "CREATE_COMPLETE", BUCKET)
    aws.holds("a")
    aws.deleted(DEV, ends="DELETE_FAILED")
    aws.reason(DEV, "FunctionsGroup", "has a dependent object")
    message = run(monkeypatch, DEV)
    assert message is not None
    assert "FunctionsGroup: has a dependent object" in message
    assert "run this again" in message
    aws.stack(DEV, "DELETE_FAILED", BUCKET)
    aws.stubs["s3"].add_client_error("list_object_versions", "NoSuchBucket")
    aws.deleted(DEV)
    assert run(monkeypatch, DEV) is None


def test_deleted_stack_leaves_nothing_to_do(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.no_stack(DEV)
    assert run(monkeypatch, DEV) is None


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "ROLLBACK_FAILED"])
def test_prod_keeps_its_media_and_loses_its_protection(
    aws: Aws,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: str,
) -> None:
    aws.stack(PROD, status, BUCKET, DATABASE)
    aws.unprotected()
    aws.deleted(PROD)
    assert run(monkeypatch, PROD) is None
    assert f"Kept: {BUCKET}" in capsys.readouterr().out


def test_prod_whose_database_is_gone_is_deleted(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.stack(PROD, "DELETE_FAILED", DATABASE)
    aws.unprotected(error="DBInstanceNotFound")
    aws.deleted(PROD)
    assert run(monkeypatch, PROD) is None


def test_another_name_deletes_nothing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.stack(DEV, "CREATE_COMPLETE", BUCKET)
    assert "Nothing was deleted" in str(run(monkeypatch, DEV, confirm="prod"))


def test_object_that_cannot_be_deleted_leaves_the_stack(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.stack(DEV, "CREATE_COMPLETE", BUCKET)
    aws.holds("a", errors=("AccessDenied",))
    assert "AccessDenied" in str(run(monkeypatch, DEV))


def test_refused_call_is_explained(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.stubs["cloudformation"].add_client_error("describe_stacks", "AccessDenied", "no")
    message = str(run(monkeypatch, DEV))
    assert "may not call DescribeStacks" in message
    assert "run this again" in message


def test_missing_region_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_region(_: str) -> object:
        raise NoRegionError

    monkeypatch.setattr(destroy, "client", no_region)
    assert "Set AWS_REGION" in str(run(monkeypatch, DEV))


def test_region_of_the_cdk_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert destroy.client("cloudformation").meta.region_name == "eu-north-1"


def test_nobody_to_ask_deletes_nothing(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.stack(PROD, "CREATE_COMPLETE", BUCKET)
    monkeypatch.setattr(sys, "argv", ["destroy", "--stage", "prod"])
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SystemExit, match="CONFIRM=prod"):
        destroy.main()


@pytest.mark.parametrize(
    ("stage", "text"), [("dve", "There is no stage 'dve'"), ("local", "make clean")]
)
def test_stage_that_is_not_in_aws_is_explained(
    monkeypatch: pytest.MonkeyPatch, stage: str, text: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["destroy", "--stage", stage])
    with pytest.raises(SystemExit, match=text):
        destroy.main()


def test_first_deployment_that_failed_is_destroyed_in_two_attempts(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deployment fails, its rollback fails, the deletion fails, and the second one ends."""
    aws.stack(PROD, "ROLLBACK_FAILED", BUCKET, DATABASE)
    aws.unprotected()
    aws.deleted(PROD, ends="DELETE_FAILED")
    aws.reason(PROD, "FunctionsSubnet1", "has dependencies and cannot be deleted")
    assert "FunctionsSubnet1" in str(run(monkeypatch, PROD))
    aws.stack(PROD, "DELETE_FAILED")
    aws.deleted(PROD)
    assert run(monkeypatch, PROD) is None
    aws.no_stack(PROD)
    assert run(monkeypatch, PROD) is None
