"""What the next deployment has to repeat is read from the deployed stack."""

from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from infra import config, kept_settings

STACK, INSTANCE, IMAGE = "VideoGenerator-dev", "i-0123456789abcdef0", "ami-0123456789abcdef0"


class Aws:
    """Stubbed clients: each answers the calls that the test announced, in order, and no other."""

    def __init__(self) -> None:
        session = botocore.session.get_session()
        session.set_credentials("key", "secret")
        self.clients: dict[str, Any] = {
            name: session.create_client(name, region_name="eu-west-1")
            for name in ("cloudformation", "ec2")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}

    def resources(self, **types: tuple[str, str]) -> None:
        """The stack has these resources: physical id, then type and status."""
        summaries = [
            {
                "LogicalResourceId": "One",
                "PhysicalResourceId": physical_id.replace("_", "-"),
                "ResourceType": kind,
                "ResourceStatus": status,
                "LastUpdatedTimestamp": "2026-01-01",
            }
            for physical_id, (kind, status) in types.items()
        ]
        self.stubs["cloudformation"].add_response(
            "list_stack_resources", {"StackResourceSummaries": summaries}, {"StackName": STACK}
        )

    def image(self, image: str) -> None:
        self.stubs["ec2"].add_response(
            "describe_instances",
            {"Reservations": [{"Instances": [{"InstanceId": INSTANCE, "ImageId": image}]}]},
            {"InstanceIds": [INSTANCE]},
        )

    def settings(self) -> dict[str, str]:
        return kept_settings.of(
            STACK, cloudformation=self.clients["cloudformation"], ec2=self.clients["ec2"]
        )


@pytest.fixture
def aws() -> Iterator[Aws]:
    aws = Aws()
    for stub in aws.stubs.values():
        stub.activate()
    yield aws
    for stub in aws.stubs.values():
        stub.assert_no_pending_responses()


RUNNING = {"i_0123456789abcdef0": ("AWS::EC2::Instance", "UPDATE_COMPLETE")}


def test_image_of_the_running_instance_is_kept(aws: Aws) -> None:
    aws.resources(media=("AWS::S3::Bucket", "CREATE_COMPLETE"), **RUNNING)
    aws.image(IMAGE)
    kept = aws.settings()
    assert kept == {"nat_image": IMAGE}
    assert config.stage("dev", kept).nat_image == IMAGE


def test_stack_without_an_instance_keeps_nothing(aws: Aws) -> None:
    aws.resources(i_old=("AWS::EC2::Instance", "DELETE_COMPLETE"))
    assert aws.settings() == {}


def test_instance_that_somebody_terminated_is_made_of_the_newest_image(aws: Aws) -> None:
    aws.resources(**RUNNING)
    aws.stubs["ec2"].add_client_error("describe_instances", "InvalidInstanceID.NotFound")
    assert aws.settings() == {}


def test_first_deployment_keeps_nothing(aws: Aws) -> None:
    aws.stubs["cloudformation"].add_client_error(
        "list_stack_resources", "ValidationError", f"Stack with id {STACK} does not exist"
    )
    assert aws.settings() == {}


def test_refused_call_is_no_first_deployment(aws: Aws) -> None:
    aws.stubs["cloudformation"].add_client_error("list_stack_resources", "AccessDenied", "no")
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.settings()
