"""The construct of all Lambda functions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aws_cdk import ArnFormat, Duration, IgnoreMode, RemovalPolicy, Size, Stack, Tags
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import function_sources
from infra.config import Stage
from infra.constructs.grants import Grant, allow
from infra.constructs.layers import ARCHITECTURE, RUNTIME, Layers
from infra.constructs.logs import retention
from infra.constructs.nag import acknowledge
from infra.constructs.network import Network
from infra.function_sources import FUNCTIONS
from layers import functions

_INTERFACE_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]


@dataclass(frozen=True)
class SharedResources:
    """Resources that all functions share."""

    stage: Stage
    network: Network
    layers: Layers


class PipelineFunction(Construct):
    """A Lambda function with its asset, log group, role and settings."""

    def __init__(
        self,
        scope: Construct,
        folder: str,
        *,
        shared: SharedResources,
        environment: Mapping[str, str],
        grants: Sequence[Grant],
        group: ec2.SecurityGroup | None = None,
        ffmpeg: bool = False,
        speech: bool = False,
    ) -> None:
        super().__init__(scope, f"{folder.capitalize()}Function")
        stage, network = shared.stage, shared.network
        size = stage.functions[folder]
        self.name = f"{stage.stack_name}-{folder}"
        self.log_group = logs.LogGroup(
            self,
            "Log",
            log_group_name=f"/aws/lambda/{self.name}",
            retention=retention(stage.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.role = self._role(grants)
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=self.name,
            description=f"functions/{folder}",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            handler=f"{folder}.handler.handler",
            code=_sources(folder, stage),
            layers=[
                shared.layers.dependencies,
                *([shared.layers.ffmpeg] if ffmpeg else []),
                *([shared.layers.speech] if speech else []),
            ],
            memory_size=size.memory,
            timeout=Duration.seconds(size.timeout),
            ephemeral_storage_size=Size.mebibytes(size.storage),
            environment={
                "STAGE": stage.name,
                "LOG_LEVEL": stage.log_level,
                "POWERTOOLS_SERVICE_NAME": folder,
                "POWERTOOLS_METRICS_NAMESPACE": stage.stack_name,
                **environment,
            },
            role=self.role,
            log_group=self.log_group,
            tracing=lambda_.Tracing.ACTIVE,
            vpc=network.vpc,
            vpc_subnets=network.functions_subnets,
            security_groups=[group or network.functions],
        )
        Tags.of(self).add("component", folder)
        acknowledge(
            self.function,
            "L1",
            "The layers' wheels are locked and tested for Python 3.13.",
        )

    def _role(self, grants: Sequence[Grant]) -> iam.Role:
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"What {self.name} may do",
            # For the Lambda service, which attaches the function to the VPC; the Deny below
            # excludes the function's code. An inline policy, because Lambda deletes the interfaces
            # of a deleted function later, with this role (aws/aws-cdk#6701).
            inline_policies={
                "NetworkInterfaces": iam.PolicyDocument(
                    statements=[iam.PolicyStatement(actions=_INTERFACE_ACTIONS, resources=["*"])]
                )
            },
        )
        assert role.node.default_child is not None
        acknowledge(
            role.node.default_child,
            "IAM5[Resource::*]",
            "EC2 supports no narrower resource for most actions on network interfaces.",
        )
        own_arn = Stack.of(self).format_arn(
            service="lambda",
            resource="function",
            resource_name=self.name,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        all_grants = [
            allow(["logs:CreateLogStream", "logs:PutLogEvents"], [self.log_group.log_group_arn]),
            *grants,
        ]
        reasons = {
            "IAM5[Resource::*]": "X-Ray supports no resource-level permissions; the rest is a Deny."
        }
        for grant in all_grants:
            role.add_to_policy(grant.statement)
            reasons.update(grant.acknowledged)
        for finding, reason in reasons.items():
            acknowledge(role.node.find_child("DefaultPolicy"), finding, reason)
        role.add_to_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=_INTERFACE_ACTIONS,
                resources=["*"],
                conditions={"ArnEquals": {"lambda:SourceFunctionArn": own_arn}},
            )
        )
        return role

    def depends_on(self, other: Construct) -> None:
        """Deploy the function after `other`."""
        self.function.node.add_dependency(other)


def _sources(folder: str, stage: Stage) -> lambda_.AssetCode:
    """Return the function's asset: the import closure of its handler, with bytecode."""
    sources = {path.relative_to(FUNCTIONS) for path in function_sources.files(folder)}
    compiled = {
        path.parent / "__pycache__" / f"{path.stem}.cpython-*.pyc"
        for path in sources
        if path.suffix == ".py"
    }
    included = sources | compiled
    folders = {parent for path in included for parent in path.parents[:-1]}
    return lambda_.Code.from_asset(
        str(functions.folder(stage.layers)),
        exclude=["*", *(f"!{path.as_posix()}" for path in sorted(folders | included))],
        ignore_mode=IgnoreMode.GIT,
    )
