"""The state machine, from `statemachine/video.asl.json`."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.config import Stage
from infra.constructs.grants import Grant, allow
from infra.constructs.logs import retention
from infra.constructs.nag import acknowledge

DEFINITION = Path(__file__).resolve().parents[2] / "statemachine" / "video.asl.json"


class Pipeline(Construct):
    """The state machine, which has one execution per run, named by the run's id."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        functions: Mapping[str, lambda_.IFunction],
    ) -> None:
        """Create the state machine; `functions` are the functions of its states, by folder."""
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self,
            "Log",
            # With this prefix Step Functions needs no resource policy per log group.
            log_group_name=f"/aws/vendedlogs/states/{stage.stack_name}",
            retention=retention(stage.log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            state_machine_name=stage.stack_name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            # Inline, so that the template contains the definition and tests can read it.
            definition_body=sfn.DefinitionBody.from_string(definition(stage)),
            definition_substitutions={
                placeholder(folder): function.function_arn for folder, function in functions.items()
            },
            logs=sfn.LogOptions(
                destination=self.log_group, level=sfn.LogLevel.ALL, include_execution_data=False
            ),
            tracing_enabled=True,
        )
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[function.function_arn for function in functions.values()],
            )
        )
        acknowledge(
            self.state_machine,
            "IAM5[Resource::*]",
            "Log delivery and X-Ray support no narrower resource.",
        )

    def allow_start(self) -> Grant:
        """Allow starting executions of this state machine."""
        return allow(["states:StartExecution"], [self.state_machine.state_machine_arn])

    def allow_describe(self) -> Grant:
        """Allow reading the status of executions of this state machine."""
        return self._on_executions("states:DescribeExecution")

    def allow_stop(self) -> Grant:
        """Allow stopping executions of this state machine."""
        return self._on_executions("states:StopExecution")

    def _on_executions(self, action: str) -> Grant:
        stack = Stack.of(self)
        resource = self.state_machine.node.default_child
        assert isinstance(resource, sfn.CfnStateMachine)
        arn = stack.format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.state_machine.state_machine_name}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        finding = (
            "arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:"
            f"<{stack.get_logical_id(resource)}.Name>:*"
        )
        return allow(
            [action],
            [arn],
            {f"IAM5[Resource::{finding}]": "All executions of this state machine."},
        )


def placeholder(folder: str) -> str:
    """Return the placeholder in the definition for the ARN of a folder's function."""
    return f"{folder.capitalize()}FunctionArn"


def definition(stage: Stage) -> str:
    """Return the definition with its MaxConcurrency filled in.

    The placeholder in the file is quoted, so that the file is valid JSON. CloudFormation would keep
    the quotes, but the value has to be a number.
    """
    text = DEFINITION.read_text(encoding="utf-8")
    return text.replace('"${SceneConcurrency}"', str(stage.scene_concurrency))
