"""The network: PostgreSQL without a way out, functions with one, and who may talk to whom."""

from typing import TypedDict

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import Stage
from infra.constructs.logs import retention
from infra.constructs.nag import acknowledge

HTTPS = ec2.Port.tcp(443)
POSTGRESQL = ec2.Port.tcp(5432)


class _Zones(TypedDict, total=False):
    availability_zones: list[str]
    max_azs: int


class Network(Construct):
    """A VPC over two availability zones with one NAT, and its security groups."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        nat = None if stage.nat == "gateway" else _nat_instance()
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            **_zones(stage),
            nat_gateways=1,
            nat_gateway_provider=nat,
            # Done by a custom resource in Node, for a group that nothing here uses.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=24
                ),
                ec2.SubnetConfiguration(
                    name="Functions",
                    subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS,
                    cidr_mask=20,
                ),
                ec2.SubnetConfiguration(
                    name="Database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=24
                ),
            ],
        )
        self.functions_subnets = ec2.SubnetSelection(subnet_group_name="Functions")
        self.database_subnets = ec2.SubnetSelection(subnet_group_name="Database")
        # Media go to S3 through here: free, while every gigabyte through the NAT is paid.
        self.vpc.add_gateway_endpoint(
            "S3",
            service=ec2.GatewayVpcEndpointAwsService.S3,
            subnets=[self.functions_subnets],
        )
        self._log_rejected_traffic(stage)
        self.functions = self._closed_group("Functions", "The functions of the pipeline")
        self.migrate = self._closed_group("Migrate", "The function that migrates the schema")
        self.proxy = self._closed_group("Proxy", "RDS Proxy") if stage.proxy else None
        self.database = self._closed_group("Database", "PostgreSQL")
        self._allow()
        if nat is not None:
            self._harden(nat)

    def delete_before(self, role: iam.Role) -> None:
        """Have CloudFormation delete the functions' security groups and subnets before the role.

        Lambda removes the network interfaces of a deleted function later, with the function's
        role. Until then nothing that they are in can be deleted (aws/aws-cdk#6701).
        """
        resource = role.node.default_child
        assert resource is not None
        subnets = self.vpc.select_subnets(subnet_group_name="Functions").subnets
        for part in (self.functions, self.migrate, *subnets):
            part.node.add_dependency(resource)

    def _allow(self) -> None:
        entrance = self.proxy or self.database
        for group in (self.functions, self.migrate):
            group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "AWS and the providers")
        self.functions.connections.allow_to(entrance, POSTGRESQL, "Queries")
        # Past the proxy: an advisory lock would pin a connection of the pool.
        self.migrate.connections.allow_to(self.database, POSTGRESQL, "Migrations")
        # The pool's own way to the database is a rule that the CDK adds with the proxy.

    def _harden(self, nat: ec2.NatInstanceProviderV2) -> None:
        for group in (self.functions, self.migrate):
            nat.connections.allow_from(group, HTTPS, "On their way out")
        for instance in nat.gateway_instances:
            resource = instance.node.default_child
            assert isinstance(resource, ec2.CfnInstance)
            resource.add_property_override(
                "BlockDeviceMappings", [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]
            )
            acknowledge(instance, "EC26", "The disk is encrypted by a property override, set here.")
            acknowledge(instance, "EC28", "Stage dev: its traffic is in the VPC's own metrics.")
            acknowledge(instance, "EC29", "Stage dev: it holds nothing and goes with the stack.")

    def _closed_group(self, name: str, what: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, f"{name}Group", vpc=self.vpc, description=what, allow_all_outbound=False
        )

    def _log_rejected_traffic(self, stage: Stage) -> None:
        group = logs.LogGroup(
            self,
            "RejectedTraffic",
            retention=retention(stage.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(group),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )


def _zones(stage: Stage) -> _Zones:
    if stage.availability_zones:
        return {"availability_zones": list(stage.availability_zones)}
    return {"max_azs": 2}


def _nat_instance() -> ec2.NatInstanceProviderV2:
    # Its image is an SSM parameter that CloudFormation reads at deploy; nothing is looked up here.
    return ec2.NatProvider.instance_v2(
        instance_type=ec2.InstanceType("t4g.nano"),
        default_allowed_traffic=ec2.NatTrafficDirection.OUTBOUND_ONLY,
        associate_public_ip_address=True,
    )
