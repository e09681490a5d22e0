"""Settings that every deployment must repeat, or CloudFormation replaces a resource.

They are read from the deployed stack, so that operators do not have to pass them again.
"""

from typing import Any

from botocore.exceptions import ClientError

_GONE = "InvalidInstanceID.NotFound"


def deployed_settings(stack_name: str, *, cloudformation: Any, ec2: Any) -> dict[str, str]:
    """Return the settings of the deployed stack, as `config.stage` accepts them.

    Without `snapshot` CloudFormation replaces a restored database with an empty one, and without
    `media_bucket` an imported bucket with a new one. `nat_image` is the AMI of the running NAT
    instance: a newer one would replace the instance and break every connection through it.
    `cloudformation` and `ec2` are boto3 clients. Returns an empty dict if the stack does not exist.
    """
    try:
        template = cloudformation.get_template(StackName=stack_name)["TemplateBody"]
    except ClientError as error:
        if "does not exist" in error.response["Error"]["Message"]:
            return {}
        raise
    settings: dict[str, str | None] = {}
    for name, resource in template["Resources"].items():
        properties = resource.get("Properties", {})
        match resource["Type"]:
            case "AWS::RDS::DBInstance":
                settings["snapshot"] = properties.get("DBSnapshotIdentifier")
            case "AWS::S3::Bucket":
                settings["media_bucket"] = properties.get("BucketName")
            case "AWS::EC2::Instance":
                response = cloudformation.describe_stack_resource(
                    StackName=stack_name, LogicalResourceId=name
                )
                instance = response["StackResourceDetail"].get("PhysicalResourceId")
                settings["nat_image"] = _image(ec2, instance) if instance else None
    return {name: value for name, value in settings.items() if value}


def _image(ec2: Any, instance: str) -> str | None:
    """Return the AMI of the instance, or None if the instance no longer exists."""
    try:
        response = ec2.describe_instances(InstanceIds=[instance])
    except ClientError as error:
        if error.response["Error"]["Code"] == _GONE:
            return None
        raise
    image: str = response["Reservations"][0]["Instances"][0]["ImageId"]
    return image
