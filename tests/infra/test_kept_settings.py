"""Settings that the next deployment has to repeat, read from the deployed stack."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import botocore.session
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from infra import config, kept_settings
from tests.infra.conftest import RESTORED
from tests.infra.template import Json, Template

STACK, INSTANCE, IMAGE = "VideoGenerator-dev", "i-0123456789abcdef0", "ami-0123456789abcdef0"


class Aws:
    """Stubbed clients that accept only the expected calls, in order."""

    def __init__(self) -> None:
        session = botocore.session.get_session()
        session.set_credentials("key", "secret")
        self.clients: dict[str, Any] = {
            name: session.create_client(name, region_name="eu-west-1")
            for name in ("cloudformation", "ec2")
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}

    def deployed(self, template: Json) -> None:
        self.stubs["cloudformation"].add_response(
            "get_template", {"TemplateBody": json.dumps(template)}, {"StackName": STACK}
        )

    def instance(self, physical_id: str | None) -> None:
        detail = {
            "LogicalResourceId": "Nat",
            "ResourceType": "AWS::EC2::Instance",
            "ResourceStatus": "UPDATE_COMPLETE",
            "LastUpdatedTimestamp": "2026-01-01",
            **({"PhysicalResourceId": physical_id} if physical_id else {}),
        }
        self.stubs["cloudformation"].add_response(
            "describe_stack_resource", {"StackResourceDetail": detail}
        )

    def image(self, image: str) -> None:
        self.stubs["ec2"].add_response(
            "describe_instances",
            {"Reservations": [{"Instances": [{"InstanceId": INSTANCE, "ImageId": image}]}]},
            {"InstanceIds": [INSTANCE]},
        )

    def settings(self) -> dict[str, str]:
        return kept_settings.deployed_settings(
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


NAT = {"Resources": {"Nat": {"Type": "AWS::EC2::Instance", "Properties": {}}}}


def test_kept_settings_contain_image_of_running_nat_instance(
    aws: Aws, templates: Mapping[str, Template]
) -> None:
    aws.deployed(templates["dev"].document)
    aws.instance(INSTANCE)
    aws.image(IMAGE)
    kept = aws.settings()
    assert kept == {"nat_image": IMAGE}
    assert config.stage("dev", kept).nat_image == IMAGE


def test_kept_settings_contain_snapshot_and_bucket_of_restored_stack(
    aws: Aws, restored: Template
) -> None:
    aws.deployed(restored.document)
    kept = aws.settings()
    assert kept == RESTORED
    assert config.stage("prod", kept).snapshot == RESTORED["snapshot"]


def test_kept_settings_are_empty_without_restored_resources(aws: Aws, prod: Template) -> None:
    aws.deployed(prod.document)
    assert aws.settings() == {}


def test_kept_settings_omit_image_of_uncreated_nat_instance(aws: Aws) -> None:
    aws.deployed(NAT)
    aws.instance(None)
    assert aws.settings() == {}


def test_kept_settings_omit_image_of_terminated_nat_instance(aws: Aws) -> None:
    aws.deployed(NAT)
    aws.instance(INSTANCE)
    aws.stubs["ec2"].add_client_error("describe_instances", "InvalidInstanceID.NotFound")
    assert aws.settings() == {}


def test_kept_settings_are_empty_for_missing_stack(aws: Aws) -> None:
    aws.stubs["cloudformation"].add_client_error(
        "get_template", "ValidationError", f"Stack with id {STACK} does not exist"
    )
    assert aws.settings() == {}


def test_kept_settings_propagate_access_denied(aws: Aws) -> None:
    aws.stubs["cloudformation"].add_client_error("get_template", "AccessDenied", "no")
    with pytest.raises(ClientError, match="AccessDenied"):
        aws.settings()
