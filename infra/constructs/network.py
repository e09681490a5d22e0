"""The VPC: an isolated database, functions with Internet access, and security groups."""

from typing import TypedDict

from aws_cdk import RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.config import Stage
from infra.constructs import nat
from infra.constructs.logs import retention

HTTPS = ec2.Port.tcp(443)
POSTGRESQL = ec2.Port.tcp(5432)


class _Zones(TypedDict, total=False):
    availability_zones: list[str]
    max_azs: int


class Network(Construct):
    """A VPC over two availability zones with one NAT, and its security groups."""

    def __init__(self, scope: Construct, construct_id: str, *, stage: Stage) -> None:
        super().__init__(scope, construct_id)
        nat_provider = None if stage.nat == "gateway" else nat.provider(stage)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            **_zones(stage),
            nat_gateways=1,
            nat_gateway_provider=nat_provider,
            # The CDK would add a custom resource in Node for a group that no resource uses.
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
        # Traffic to S3 through the endpoint is free; through the NAT it is charged per gigabyte.
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
        self.nat = nat.finish(nat_provider) if nat_provider else None
        if nat_provider is not None:
            for group in (self.functions, self.migrate):
                nat_provider.connections.allow_from(group, HTTPS, "On their way out")

    def delete_before(self, role: iam.Role) -> None:
        """Make CloudFormation delete the functions' security groups and subnets before the role.

        Lambda removes the network interfaces of a deleted function later, with the function's
        role. Until then their subnets and security groups cannot be deleted (aws/aws-cdk#6701).
        """
        resource = role.node.default_child
        assert resource is not None
        subnets = self.vpc.select_subnets(subnet_group_name="Functions").subnets
        for construct in (self.functions, self.migrate, *subnets):
            construct.node.add_dependency(resource)

    def _allow(self) -> None:
        target = self.proxy or self.database
        for group in (self.functions, self.migrate):
            group.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "AWS and the providers")
        self.functions.connections.allow_to(target, POSTGRESQL, "Queries")
        # Directly, because an advisory lock would pin a connection of the proxy's pool.
        self.migrate.connections.allow_to(self.database, POSTGRESQL, "Migrations")
        # The CDK adds the rule from the proxy to the database with the proxy.

    def _closed_group(self, name: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, f"{name}Group", vpc=self.vpc, description=description, allow_all_outbound=False
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
