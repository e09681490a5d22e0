"""`make destroy`: empty the media bucket of a stage and delete its stack.

Nothing in the stack deletes media, so the bucket of a stage that keeps no data is emptied here
before CloudFormation deletes the stack. A stage that keeps data (`prod`) keeps its bucket, a last
snapshot of its database, and its secrets; they cost money until somebody deletes them.

It can be run again, in any state of the stack: after a deployment that failed or could not be
rolled back, and after a deletion that failed.
"""

from typing import Any

from botocore.exceptions import ClientError, WaiterError

from infra.operator import stack
from infra.operator.checks import Site
from infra.operator.errors import OperatorError

_BUCKET, _DATABASE = "AWS::S3::Bucket", "AWS::RDS::DBInstance"
# Lambda needs up to 45 minutes to remove the network interfaces of deleted functions.
_WAIT = {"Delay": 15, "MaxAttempts": 240}


def destroy(site: Site, confirmed: str | None = None) -> None:
    """Delete the stage's stack once its name is confirmed, by `confirmed` or at a prompt.

    Raises OperatorError when the name is another one, or something cannot be deleted.
    """
    stage, found = site.stage, site.stack
    if found is None:
        print(f"There is no stack {stage.stack_name} in this account and region.")
        return
    kept = (
        "its bucket, a snapshot of its database and its secrets are kept"
        if stage.keep_data
        else "every object in its bucket and its database are deleted for good"
    )
    print(f"{found.name} ({found.status}) will be destroyed; {kept}.")
    if (confirmed or _typed(stage.name)) != stage.name:
        raise OperatorError(f"That is not {stage.name!r}. Nothing was deleted.")
    resources = _resources(site.client("cloudformation"), found.name)
    buckets = resources.get(_BUCKET, [])
    if stage.keep_data:
        for database in resources.get(_DATABASE, []):
            _unprotect(site.client("rds"), database)
    else:
        for bucket in buckets:
            print(f"{_empty(site.client('s3'), bucket)} objects of {bucket} deleted.")
    _delete(site.client("cloudformation"), found.name)
    if stage.keep_data and buckets:
        print(
            f"Kept: {', '.join(buckets)}, the last snapshot of the database, and the secrets with "
            "SECRET_KEY and the providers' keys."
        )


def _resources(cloudformation: Any, name: str) -> dict[str, list[str]]:
    """Return the physical ids of the stack's resources by type.

    They are not read from the outputs: a stack whose first deployment failed has none.
    """
    found: dict[str, list[str]] = {}
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=name):
        for resource in page["StackResourceSummaries"]:
            physical_id = resource.get("PhysicalResourceId")
            if physical_id and resource["ResourceStatus"] != "DELETE_COMPLETE":
                found.setdefault(resource["ResourceType"], []).append(physical_id)
    return found


def _empty(s3: Any, bucket: str) -> int:
    """Delete every version of every object in the bucket; return their number.

    A bucket that no longer exists is empty.
    """
    deleted = 0
    try:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if not found:
                continue
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            if errors := answer.get("Errors"):
                raise OperatorError(
                    f"{len(errors)} objects of {bucket} could not be deleted, the first with "
                    f"{errors[0].get('Code')}; {deleted} were. The stack is untouched."
                )
            deleted += len(found)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchBucket":
            raise
    return deleted


def _unprotect(rds: Any, database: str) -> None:
    """Lift the deletion protection of a database that still exists."""
    try:
        rds.modify_db_instance(
            DBInstanceIdentifier=database, DeletionProtection=False, ApplyImmediately=True
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "DBInstanceNotFound":
            raise


def _delete(cloudformation: Any, name: str) -> None:
    """Delete the stack and wait until it is gone; raises OperatorError when it is not."""
    cloudformation.delete_stack(StackName=name)
    print("Deleting the stack. This takes 20 to 45 minutes.", flush=True)
    try:
        cloudformation.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=_WAIT)
    except WaiterError as error:
        raise OperatorError(
            f"{name} is not deleted: {stack.reason(cloudformation, name) or error}\n"
            "What is left is unharmed. Correct the cause, then run this again."
        ) from error
    print(f"{name} is deleted.")


def _typed(stage: str) -> str:
    try:
        return input(f"Type {stage} to go on: ")
    except EOFError:
        raise OperatorError(
            f"\nNobody is there to ask. Run this with CONFIRM={stage}. Nothing was deleted."
        ) from None
