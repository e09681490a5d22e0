"""The network: PostgreSQL without a way out, functions with one, and who may talk to whom."""

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
        self.nat = nat.finish(nat_provider) if nat_provider else None
        if nat_provider is not None:
            for group in (self.functions, self.migrate):
                nat_provider.connections.allow_from(group, HTTPS, "On their way out")

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
