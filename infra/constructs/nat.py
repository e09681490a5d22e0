"""The NAT instance of stage `dev`, at a third of the price of a NAT gateway.

It signals CloudFormation when it translates addresses (nat.sh). Resources that need Internet access
are deployed after that, and an instance that does not come up fails the deployment with the reason.
See docs/decisions/0018-nat-instance-in-dev.md.
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
_SIGNAL_TIMEOUT = Duration.minutes(15)
_RECOVER = actions.Ec2InstanceAction.RECOVER
_REBOOT = actions.Ec2InstanceAction.REBOOT


@jsii.implements(ec2.IMachineImage)
class _Image:
    """An AMI by its id, in the region that the stack is deployed to."""

    def __init__(self, image_id: str) -> None:
        self._image_id = image_id

    def get_image(self, scope: Construct) -> ec2.MachineImageConfig:
        return ec2.MachineImageConfig(
            image_id=self._image_id,
            os_type=ec2.OperatingSystemType.LINUX,
            user_data=ec2.UserData.for_linux(),
        )


def provider(stage: Stage) -> ec2.NatInstanceProviderV2:
    """Return the NAT provider for the VPC; call `finish` after the VPC is created.

    The AMI is `nat_image` or else the newest one, whose id CloudFormation reads from a public SSM
    parameter at each deployment. Without `nat_image`, a deployment after AWS has published a newer
    AMI replaces the instance (infra/kept_settings.py).
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
    """Encrypt the instance's disk, add its start-up signal, and return the instance."""
    (instance,) = nat.gateway_instances
    resource = instance.node.default_child
    assert isinstance(resource, ec2.CfnInstance)
    resource.add_property_override(
        "BlockDeviceMappings", [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]
    )
    resource.cfn_options.creation_policy = CfnCreationPolicy(
        resource_signal=CfnResourceSignal(count=1, timeout=_SIGNAL_TIMEOUT.to_iso_string())
    )
    instance.user_data.add_on_exit_commands(
        f"/opt/aws/bin/cfn-signal --stack {Aws.STACK_NAME} --resource {resource.logical_id} "
        f'--region {Aws.REGION} --exit-code "$exitCode" --reason "${{reason:-}}"'
    )
    instance.user_data.add_commands(_USER_DATA.read_text(encoding="utf-8"))
    acknowledge(instance, "EC26", "A property override encrypts the disk.")
    acknowledge(instance, "EC28", "Stage dev does not need detailed monitoring.")
    acknowledge(instance, "EC29", "The instance is stateless and deleted with the stack.")
    return instance


def watch(instance: ec2.Instance, topic: sns.ITopic) -> None:
    """Add alarms on the instance's status checks that notify `topic` and have EC2 repair it.

    A recovered or rebooted instance keeps its addresses and its disk, so it resumes translating
    addresses without intervention.
    """
    checks = (
        # The reboot alarm is slower, so that it does not interrupt a recovery.
        ("NatHost", "StatusCheckFailed_System", 2, _RECOVER, "recovers it on other hardware"),
        ("NatSystem", "StatusCheckFailed_Instance", 3, _REBOOT, "reboots it"),
    )
    for name, metric, minutes, action, repair in checks:
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
                f"The NAT instance has failed, so calls to AWS and providers fail. EC2 {repair}; "
                "afterwards resume the videos that failed."
            ),
        )
        alarm.add_alarm_action(actions.Ec2Action(action), actions.SnsAction(topic))
