"""The status of a stage's stack in CloudFormation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

_READY = {
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "REVIEW_IN_PROGRESS",  # a change set that was never executed
    "UPDATE_FAILED",
}
_IN_PROGRESS = "_IN_PROGRESS"
_OPERATION_STARTS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}


@dataclass(frozen=True)
class StackState:
    """Status, outputs and creation time of a stack in CloudFormation."""

    name: str
    status: str
    created: datetime
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def can_be_deployed(self) -> bool:
        """True if CloudFormation accepts another deployment."""
        return self.status in _READY

    @property
    def is_deployed(self) -> bool:
        """True if a deployment has succeeded, so that the stack serves requests."""
        return "ApiUrl" in self.outputs


def find(cloudformation: Any, name: str) -> StackState | None:
    """Return the stack's state, or None if it does not exist; raises ClientError."""
    try:
        description = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return StackState(
        name,
        description["StackStatus"],
        description["CreationTime"],
        {output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])},
    )


def recovery(state: StackState, stage: str) -> str:
    """Return the steps that make an undeployable stack deployable again."""
    if state.status == "UPDATE_ROLLBACK_FAILED":
        return (
            "Fix the cause that the stack's events name, then run "
            f"`aws cloudformation continue-update-rollback --stack-name {state.name}`. Media and "
            "database are unchanged."
        )
    if state.status.endswith(_IN_PROGRESS):
        return "Wait until CloudFormation has finished, then run this again."
    # The other statuses follow a failed first deployment or a failed deletion.
    return f"Run `make destroy STAGE={stage}`, then deploy again."


def reason(cloudformation: Any, name: str) -> str:
    """Return the first failed resource of the last operation and the cause, or an empty string."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    first = ""
    for event in (event for page in pages for event in page["StackEvents"]):
        is_stack = event.get("PhysicalResourceId") == event.get("StackId")
        if is_stack and event["ResourceStatus"] in _OPERATION_STARTS:
            break  # events come newest first
        why = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in why and not is_stack:
            first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {why}"
    return first
