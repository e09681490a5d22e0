"""Takes a stage down: `make destroy STAGE=dev`, or `python -m infra.destroy --stage dev`.

Nothing in the stack deletes media, so the bucket of a stage that keeps no data is emptied here
before CloudFormation deletes the stack. A stage that keeps data (`prod`) keeps its bucket and a
last snapshot of its database; both cost money until somebody deletes them.

It can be run again, in any state of the stack: after a deployment that failed or could not be
rolled back, and after a deletion that failed.
"""

import argparse
import os
import sys
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from infra import config
from infra.operator.errors import explain

_BUCKET, _DATABASE = "AWS::S3::Bucket", "AWS::RDS::DBInstance"
# Lambda needs up to 45 minutes to remove the network interfaces of deleted functions.
_WAIT = {"Delay": 15, "MaxAttempts": 240}


@dataclass(frozen=True)
class DeployedStack:
    """A stack in CloudFormation: its status, and the physical ids of its resources by type."""

    name: str
    status: str
    resources: dict[str, list[str]]


def client(service: str) -> Any:
    """Return a boto3 client; the region may be set by AWS_REGION, as for the CDK."""
    return boto3.client(service, region_name=os.environ.get("AWS_REGION"))  # type: ignore[call-overload] # any service


def deployed(name: str) -> DeployedStack | None:
    """Return the stack, or None when there is none; deleted stacks are not found by name.

    Resources are read one by one, not from the outputs: a stack whose first deployment failed
    has none.
    """
    cloudformation = client("cloudformation")
    try:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    resources: dict[str, list[str]] = {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceStatus"] != "DELETE_COMPLETE" and resource.get(
                "PhysicalResourceId"
            ):
                resources.setdefault(resource["ResourceType"], []).append(
                    resource["PhysicalResourceId"]
                )
    return DeployedStack(name, stack["StackStatus"], resources)


def empty(bucket: str) -> int:
    """Delete every version of every object in the bucket; return their number.

    A bucket that no longer exists is empty.
    """
    s3 = client("s3")
    deleted = 0
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not found:
                continue
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                raise SystemExit(
                    f"{len(errors)} objects of {bucket} could not be deleted, the first with "
                    f"{errors[0].get('Code')}; {deleted} were. The stack is untouched."
                )
            deleted += len(found)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
    return deleted


def unprotect(database: str) -> None:
    """Lift the deletion protection of a database that still exists."""
    try:
        client("rds").modify_db_instance(
            DBInstanceIdentifier=database, DeletionProtection=False, ApplyImmediately=True
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBInstanceNotFound":
            raise


def delete(stack: DeployedStack) -> None:
    """Delete the stack and wait until it is gone; raises SystemExit when it is not."""
    cloudformation = client("cloudformation")
    cloudformation.delete_stack(StackName=stack.name)
    sys.stdout.write("Deleting the stack. This takes 20 to 45 minutes.\n")
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=stack.name, WaiterConfig=_WAIT
        )
    except WaiterError as error:
        raise SystemExit(
            f"{stack.name} is not deleted: {_reason(stack.name) or error}\n"
            "What is left is unharmed. Correct the cause, then run this again."
        ) from error
    sys.stdout.write(f"{stack.name} is deleted.\n")


def _reason(name: str) -> str:
    """Return why the last deletion of a resource failed, in CloudFormation's words."""
    events = client("cloudformation").describe_stack_events(StackName=name)["StackEvents"]
    failed = (event for event in events if event["ResourceStatus"] == "DELETE_FAILED")
    event = next(failed, None)
    if event is None:
        return ""
    return f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"


def destroy(stage: config.Stage, confirmed: str | None) -> None:
    """Take the stage down after its name was confirmed."""
    stack = deployed(stage.stack_name)
    if stack is None:
        sys.stdout.write(f"There is no stack {stage.stack_name} in this account and region.\n")
        return
    buckets = stack.resources.get(_BUCKET, [])
    kept = (
        "its bucket and a snapshot of its database are kept"
        if stage.keep_data
        else "every object in its bucket and its database are deleted for good"
    )
    sys.stdout.write(f"{stack.name} ({stack.status}) will be destroyed; {kept}.\n")
    if (confirmed or _typed(stage.name)) != stage.name:
        raise SystemExit(f"That is not {stage.name!r}. Nothing was deleted.")
    if stage.keep_data:
        for database in stack.resources.get(_DATABASE, []):
            unprotect(database)
    else:
        for bucket in buckets:
            sys.stdout.write(f"{empty(bucket)} objects of {bucket} deleted.\n")
    delete(stack)
    if stage.keep_data and buckets:
        sys.stdout.write(f"Kept: {', '.join(buckets)}, and the last snapshot of the database.\n")


def _typed(stage: str) -> str:
    try:
        return input(f"Type {stage} to go on: ")
    except EOFError:
        raise SystemExit(
            f"\nNobody is there to ask. Run this with CONFIRM={stage}. Nothing was deleted."
        ) from None


def main() -> None:
    """Take a stage down, as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m infra.destroy", description=__doc__)
    parser.add_argument("--stage", required=True)
    parser.add_argument("--confirm", metavar="STAGE", help="the stage's name, instead of a prompt")
    arguments = parser.parse_args()
    if arguments.stage == "local":
        raise SystemExit("The local cloud is not in AWS: `make clean` stops and removes it.")
    try:
        destroy(config.stage(arguments.stage), arguments.confirm)
    except ValueError as error:
        raise SystemExit(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise SystemExit(
            f"{explain(error)}\nThen run this again; it goes on from where it stopped."
        ) from error


if __name__ == "__main__":
    main()
