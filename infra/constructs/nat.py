"""The NAT instance of stage `dev`: the way out of the VPC, for a third of a NAT gateway's price.

It signals CloudFormation when it translates addresses (nat.sh), so nothing that needs a way out
is deployed before, and one that does not come up fails the deployment with the reason. See
docs/decisions/0018-nat-instance-in-dev.md.
"""

from pathlib import Path

import jsii
from aws_cdk import Aws, CfnCreationPolicy, CfnResourceSignal, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.config import Stage
from infra.constructs.nag import acknowledge

_USER_DATA = Path(__file__).with_name("nat.sh")
_INSTANCE_TYPE = ec2.InstanceType("t4g.micro")  # dnf runs out of memory on a t4g.nano
_COMES_UP_WITHIN = Duration.minutes(15)
_RECOVER = actions.Ec2InstanceAction.RECOVER
_REBOOT = actions.Ec2InstanceAction.REBOOT


@jsii.implements(ec2.IMachineImage)
class _Image:
    """An image by its id, in whatever region the stack is deployed to."""

    def __init__(self, image_id: str) -> None:
        self._image_id = image_id

    def get_image(self, scope: Construct) -> ec2.MachineImageConfig:
        return ec2.MachineImageConfig(
            image_id=self._image_id,
            os_type=ec2.OperatingSystemType.LINUX,
            user_data=ec2.UserData.for_linux(),
        )


def provider(stage: Stage) -> ec2.NatInstanceProviderV2:
    """Return the provider of NAT for the VPC; `finish` completes it when the VPC is made.

    The image is `nat_image`, or else the newest, whose id CloudFormation reads from a public SSM
    parameter at each deployment. Without `nat_image` a later deployment replaces the instance as
    soon as AWS has published a newer image (infra/kept_settings.py).
    """
    newest = ec2.MachineImage.latest_amazon_linux2023(cpu_type=ec2.AmazonLinuxCpuType.ARM_64)
    return ec2.NatProvider.instance_v2(
        instance_type=_INSTANCE_TYPE,
        machine_image=_Image(stage.nat_image) if stage.nat_image else newest,
        default_allowed_traffic=ec2.NatTrafficDirection.OUTBOUND_ONLY,
        associate_public_ip_address=True,
        user_data=ec2.UserData.for_linux(),
    )


def finish(nat: ec2.NatInstanceProviderV2) -> ec2.Instance:
    """Encrypt the instance's disk, and have it signal when it is up; return the instance."""
    (instance,) = nat.gateway_instances
    resource = instance.node.default_child
    assert isinstance(resource, ec2.CfnInstance)
    resource.add_property_override(
        "BlockDeviceMappings", [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]
    )
    resource.cfn_options.creation_policy = CfnCreationPolicy(
        resource_signal=CfnResourceSignal(count=1, timeout=_COMES_UP_WITHIN.to_iso_string())
    )
    instance.user_data.add_on_exit_commands(
        f"/opt/aws/bin/cfn-signal --stack {Aws.STACK_NAME} --resource {resource.logical_id} "
        f'--region {Aws.REGION} --exit-code "$exitCode" --reason "${{reason:-}}"'
    )
    instance.user_data.add_commands(_USER_DATA.read_text(encoding="utf-8"))
    acknowledge(instance, "EC26", "The disk is encrypted by a property override, set here.")
    acknowledge(instance, "EC28", "Stage dev: its traffic is in the VPC's own metrics.")
    acknowledge(instance, "EC29", "Stage dev: it holds nothing and goes with the stack.")
    return instance


def watch(instance: ec2.Instance, topic: sns.ITopic) -> None:
    """Alarm when the host or the system of the instance fails, and have EC2 repair it.

    A recovered or rebooted instance keeps its addresses and its disk, so it translates addresses
    again by itself.
    """
    checks = (
        # In this order: a reboot must not meet a recovery that has begun.
        ("NatHost", "StatusCheckFailed_System", 2, _RECOVER, "on other hardware"),
        ("NatSystem", "StatusCheckFailed_Instance", 3, _REBOOT, "by a reboot"),
    )
    for name, metric, minutes, action, how in checks:
        alarm = cloudwatch.Alarm(
            instance,
            name,
            metric=cloudwatch.Metric(
                namespace="AWS/EC2",
                metric_name=metric,
                dimensions_map={"InstanceId": instance.instance_id},
                period=Duration.minutes(1),
                statistic="Maximum",
            ),
            threshold=1,
            evaluation_periods=minutes,
            comparison_operator=(cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD),
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
            alarm_description=(
                f"The NAT instance fails, and with it every call to AWS and to providers. EC2 "
                f"starts it again {how}; resume the videos that failed."
            ),
        )
        alarm.add_alarm_action(actions.Ec2Action(action), actions.SnsAction(topic))
