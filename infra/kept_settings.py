"""Settings that a deployment must repeat, because CloudFormation replaces something without them.

They are read from the deployed stack, so that nobody has to remember them.
"""

from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

_GONE = "InvalidInstanceID.NotFound"


def of(stack_name: str, *, cloudformation: Any, ec2: Any) -> dict[str, str]:
    """Return the settings of the deployed stack, as `config.stage` takes them.

    `nat_image` is the image of the running NAT instance: a newer one would replace the instance,
    and break every connection through it. The arguments are boto3 clients. Returns nothing for a
    stack that does not exist.
    """
    try:
        images = [_image(ec2, instance) for instance in _instances(cloudformation, stack_name)]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return {}
        raise
    (image,) = images or [None]
    return {"nat_image": image} if image else {}


def _instances(cloudformation: Any, stack_name: str) -> Iterator[str]:
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_name)
    for page in pages:
        for resource in page["StackResourceSummaries"]:
            if (
                resource["ResourceType"] == "AWS::EC2::Instance"
                and resource["ResourceStatus"] != "DELETE_COMPLETE"
                and resource.get("PhysicalResourceId")
            ):
                yield resource["PhysicalResourceId"]


def _image(ec2: Any, instance: str) -> str | None:
    """Return the image of the instance; None if somebody has terminated it."""
    try:
        found = ec2.describe_instances(InstanceIds=[instance])
    except ClientError as error:
        if error.response["Error"]["Code"] == _GONE:
            return None
        raise
    image: str = found["Reservations"][0]["Instances"][0]["ImageId"]
    return image
