"""Settings that a deployment must repeat, because CloudFormation replaces something without them.

They are read from the deployed stack, so that nobody has to remember them.
"""

from typing import Any

from botocore.exceptions import ClientError

_GONE = "InvalidInstanceID.NotFound"


def of(stack_name: str, *, cloudformation: Any, ec2: Any) -> dict[str, str]:
    """Return the settings of the deployed stack, as `config.stage` takes them.

    Without `snapshot` CloudFormation replaces a restored database by an empty one, without
    `media_bucket` an imported bucket by a new one. `nat_image` is the image of the running NAT
    instance: a newer one would replace the instance, and break every connection through it.
    The arguments are boto3 clients. Returns nothing for a stack that does not exist.
    """
    try:
        template = cloudformation.get_template(StackName=stack_name)["TemplateBody"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return {}
        raise
    kept: dict[str, str | None] = {}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::RDS::DBInstance":
                kept["snapshot"] = properties.get("DBSnapshotIdentifier")
            case "AWS::S3::Bucket":
                kept["media_bucket"] = properties.get("BucketName")
            case "AWS::EC2::Instance":
                found = cloudformation.describe_stack_resource(
                    StackName=stack_name, LogicalResourceId=name
                )
                instance = found["StackResourceDetail"].get("PhysicalResourceId")
                kept["nat_image"] = _image(ec2, instance) if instance else None
    return {name: value for name, value in kept.items() if value}


def _image(ec2: Any, instance: str) -> str | None:
    """Return the image of the instance; None if there is no such instance any more."""
    try:
        found = ec2.describe_instances(InstanceIds=[instance])
    except ClientError as error:
        if error.response["Error"]["Code"] == _GONE:
            return None
        raise
    image: str = found["Reservations"][0]["Instances"][0]["ImageId"]
    return image
