"""`make destroy`: empty the media bucket of a stage and delete its stack.

Nothing in the stack deletes media, so this command empties the bucket of a stage that keeps no data
before CloudFormation deletes the stack. A stage that keeps data (`prod`) retains its bucket, a
final database snapshot and its secrets, which cost money until an operator deletes them.

The command can be repeated in any state of the stack: after a failed deployment, a failed rollback
or a failed deletion.
"""

from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra.operator import stack
from infra.operator.checks import Site
from infra.operator.errors import OperatorError

_BUCKET, _DATABASE = "AWS::S3::Bucket", "AWS::RDS::DBInstance"
# Lambda takes up to 45 minutes to remove the network interfaces of deleted functions.
_WAITER_CONFIG = {"Delay": 15, "MaxAttempts": 240}


def destroy(site: Site, confirmed: str | None = None) -> None:
    """Delete the stage's stack after its name is confirmed, by `confirmed` or at a prompt.

    Raises OperatorError if the name does not match or a resource cannot be deleted.
    """
    stage, stack_state = site.stage, site.stack
    if stack_state is None:
        print(f"There is no stack {stage.stack_name} in this account and region.")
        return
    consequence = (
        "Its bucket, a final database snapshot and its secrets are kept."
        if stage.keep_data
        else "Every object in its bucket and its database are deleted permanently."
    )
    print(f"The stack {stack_state.name} ({stack_state.status}) will be deleted. {consequence}")
    if (confirmed or _prompt(stage.name)) != stage.name:
        raise OperatorError(f"The name does not match {stage.name!r}. Nothing was deleted.")
    resources = _resources(site.client("cloudformation"), stack_state.name)
    buckets = resources.get(_BUCKET, [])
    if stage.keep_data:
        for database in resources.get(_DATABASE, []):
            _unprotect(site.client("rds"), database)
    else:
        for bucket in buckets:
            print(f"Deleted {_empty(site.client('s3'), bucket)} object versions from {bucket}.")
    _delete(site.client("cloudformation"), stack_state.name)
    if stage.keep_data and buckets:
        print(
            f"Kept: {', '.join(buckets)}, the final database snapshot, and the secrets with "
            "SECRET_KEY and the providers' keys."
        )


def _resources(cloudformation: Any, name: str) -> dict[str, list[str]]:
    """Return the physical ids of the stack's resources by type.

    Outputs would not do: a stack whose first deployment failed has none.
    """
    ids: dict[str, list[str]] = {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            physical_id = resource.get("PhysicalResourceId")
            if physical_id and resource["ResourceStatus"] != "DELETE_COMPLETE":
                ids.setdefault(resource["ResourceType"], []).append(physical_id)
    return ids


def _empty(s3: Any, bucket: str) -> int:
    """Delete every version of every object in the bucket and return their number.

    Returns 0 if the bucket no longer exists.
    """
    deleted = 0
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not versions:
                continue
            objects = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in versions]
            response = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := response.get("Errors"):
                raise OperatorError(
                    f"{len(errors)} object versions in {bucket} could not be deleted "
                    f"({errors[0].get('Code')}); {deleted} were deleted. The stack is unchanged."
                )
            deleted += len(versions)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
    return deleted


def _unprotect(rds: Any, database: str) -> None:
    """Disable the database's deletion protection, if the database still exists."""
    try:
        rds.modify_db_instance(
            DBInstanceIdentifier=database, DeletionProtection=False, ApplyImmediately=True
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBInstanceNotFound":
            raise


def _delete(cloudformation: Any, name: str) -> None:
    """Delete the stack and wait for completion; raises OperatorError if the deletion fails."""
    cloudformation.delete_stack(StackName=name)
    print("Deleting the stack. This takes 20 to 45 minutes.", flush=True)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig=_WAITER_CONFIG
        )
    except WaiterError as error:
        raise OperatorError(
            f"{name} could not be deleted: {stack.reason(cloudformation, name) or error}\n"
            "The remaining resources are intact. Fix the cause, then run this again."
        ) from error
    print(f"Deleted {name}.")


def _prompt(stage: str) -> str:
    try:
        return input(f"Type {stage} to confirm: ")
    except EOFError:
        raise OperatorError(
            f"\nCannot ask for confirmation. Run this with CONFIRM={stage}. Nothing was deleted."
        ) from None
