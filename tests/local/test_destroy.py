"""`make destroy` against the emulator's CloudFormation and S3."""

import json

import pytest

from infra import config
from infra.local.connection import Connection
from infra.operator.checks import Site
from infra.operator.destroy import destroy

STAGE = config.stage("local")
TEMPLATE = {
    "Resources": {
        "Media": {
            "Type": "AWS::S3::Bucket",
            "Properties": {"VersioningConfiguration": {"Status": "Enabled"}},
        },
        "Alarms": {"Type": "AWS::SNS::Topic"},
    }
}


def test_destroy_empties_bucket_and_deletes_stack(
    small: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudformation, s3 = small.client("cloudformation"), small.client("s3")
    cloudformation.create_stack(StackName=STAGE.stack_name, TemplateBody=json.dumps(TEMPLATE))
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STAGE.stack_name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    bucket = cloudformation.describe_stack_resource(
        StackName=STAGE.stack_name, LogicalResourceId="Media"
    )["StackResourceDetail"]["PhysicalResourceId"]
    for body in (b"first", b"second"):
        s3.put_object(Bucket=bucket, Key="ann/video.mp4", Body=body)
    s3.delete_object(Bucket=bucket, Key="ann/video.mp4")

    destroy(Site(STAGE, small), "local")
    output = capsys.readouterr().out
    assert f"Deleted 3 object versions from {bucket}." in output
    assert f"Deleted {STAGE.stack_name}." in output
    assert bucket not in {bucket_["Name"] for bucket_ in s3.list_buckets()["Buckets"]}

    destroy(Site(STAGE, small), "local")
    assert "There is no stack" in capsys.readouterr().out
