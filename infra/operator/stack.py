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
_AT_WORK = "_IN_PROGRESS"
_BEGINNINGS = {"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"}


@dataclass(frozen=True)
class StackState:
    """A stack's status in CloudFormation, the outputs that it has, and when it was made."""

    name: str
    status: str
    created: datetime
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def can_be_deployed(self) -> bool:
        """Whether CloudFormation accepts another deployment."""
        return self.status in _READY

    @property
    def is_deployed(self) -> bool:
        """Whether a deployment has succeeded once, so that the stack serves requests."""
        return "ApiUrl" in self.outputs


def find(cloudformation: Any, name: str) -> StackState | None:
    """Return the stack's state, or None when there is no such stack; raises ClientError."""
    try:
        found = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    return StackState(
        name,
        found["StackStatus"],
        found["CreationTime"],
        {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])},
    )


def way_out(state: StackState, stage: str) -> str:
    """Return how to make a stack deployable again that is not."""
    if state.status == "UPDATE_ROLLBACK_FAILED":
        return (
            "Correct what the stack's events name, then "
            f"`aws cloudformation continue-update-rollback --stack-name {state.name}`. Media and "
            "database are untouched."
        )
    if state.status.endswith(_AT_WORK):
        return "Wait until CloudFormation has finished, then run this again."
    # The other statuses follow a failed first deployment or a failed deletion.
    return f"`make destroy STAGE={stage}`, then deploy again."


def reason(cloudformation: Any, name: str) -> str:
    """Return which resource failed first in the last operation, and why; empty if none did."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
    first = ""
    for event in (event for page in pages for event in page["StackEvents"]):
        is_stack = event.get("PhysicalResourceId") == event.get("StackId")
        if is_stack and event["ResourceStatus"] in _BEGINNINGS:
            break  # events come newest first
        why = event.get("ResourceStatusReason", "")
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in why and not is_stack:
            first = f"{event['LogicalResourceId']} ({event['ResourceType']}): {why}"
    return first
