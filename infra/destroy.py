"""Take a stage down: `python -m infra.destroy --stage dev`.

Nothing in the stack deletes media by itself, so the bucket of a stage that keeps no data is
emptied here, and then `cdk destroy` removes everything. A stage that keeps data (`prod`) keeps its
bucket and a last snapshot of its database; those go on costing money until somebody deletes them.
"""

import argparse
import subprocess
import sys

import boto3
from botocore.exceptions import ClientError

from infra import config

_CDK = ("npx", "--yes", "aws-cdk@2")


def outputs(stack: str) -> dict[str, str]:
    """Return the outputs of the deployed stack; raises SystemExit when there is none."""
    try:
        found = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        raise SystemExit(
            f"Nothing was deleted: {error.response['Error']['Message']} "
            "Check the account and the region of your AWS credentials."
        ) from error
    return {
        output["OutputKey"]: output["OutputValue"]
        for output in found.get("Outputs", [])
        if "OutputKey" in output and "OutputValue" in output
    }


def empty(bucket: str) -> int:
    """Delete every version of every object in the bucket; return how many there were."""
    s3 = boto3.client("s3")
    deleted = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        if not found:
            continue
        answer = s3.delete_objects(
            Bucket=bucket,
            Delete={
                "Objects": [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found],
                "Quiet": True,
            },
        )
        if errors := answer.get("Errors"):
            raise SystemExit(
                f"{len(errors)} objects of {bucket} could not be deleted, the first with "
                f"{errors[0].get('Code')}; {deleted} were. The stack is untouched."
            )
        deleted += len(found)
    return deleted


def unprotect(stack: str) -> None:
    """Lift the deletion protection of the stack's database."""
    resources = boto3.client("cloudformation").describe_stack_resources(StackName=stack)
    for resource in resources["StackResources"]:
        if resource["ResourceType"] == "AWS::RDS::DBInstance":
            boto3.client("rds").modify_db_instance(
                DBInstanceIdentifier=resource["PhysicalResourceId"],
                DeletionProtection=False,
                ApplyImmediately=True,
            )


def main() -> None:
    """Ask for the stack's name when data are at stake, then take the stage down."""
    parser = argparse.ArgumentParser(prog="python -m infra.destroy", description=__doc__)
    parser.add_argument("--stage", required=True, choices=["dev", "prod"])
    parser.add_argument("--confirm", metavar="STACK", help="the stack's name, instead of a prompt")
    arguments = parser.parse_args()
    stage = config.stage(arguments.stage)
    bucket = outputs(stage.stack_name)["MediaBucketName"]
    kept = (
        "its bucket and a snapshot of its database are kept"
        if stage.keep_data
        else f"every object in {bucket} and the database are deleted for good"
    )
    sys.stdout.write(f"{stage.stack_name} will be destroyed; {kept}.\n")
    if (arguments.confirm or input("Type its name to go on: ")) != stage.stack_name:
        raise SystemExit("That is not its name. Nothing was deleted.")
    if stage.keep_data:
        unprotect(stage.stack_name)
    else:
        sys.stdout.write(f"{empty(bucket)} objects deleted.\n")
    command = [*_CDK, "destroy", stage.stack_name, "--force", "-c", f"stage={stage.name}"]
    raise SystemExit(subprocess.run(command, check=False).returncode)  # noqa: S603 # fixed words


if __name__ == "__main__":
    main()
