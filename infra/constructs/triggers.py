"""EventBridge rules that invoke functions.

A schedule and every execution that failed, timed out or was aborted invoke the sweeper. Every
upload invokes `register`.

The sweeper needs no dead-letter queue: a sweep covers all open runs, so the next one makes up for a
lost event. The alarms `SweeperFails` and `SweeperSilent` report when sweeps stop.
"""

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra.constructs.pipeline import Pipeline

SWEEP_EVERY = Duration.minutes(5)


class Triggers(Construct):
    """Rules on the default event bus."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        sweeper: lambda_.Function,
        register: lambda_.Function,
        bucket: s3.Bucket,
        pipeline: Pipeline,
    ) -> None:
        super().__init__(scope, construct_id)
        # An upload that is not registered by then fails as lost, a day after it was announced.
        register.configure_async_invoke(max_event_age=Duration.hours(6), retry_attempts=2)
        events.Rule(
            self,
            "Uploaded",
            description="A client has sent a file",
            event_pattern=events.EventPattern(
                source=["aws.s3"],
                detail_type=["Object Created"],
                detail={
                    "bucket": {"name": [bucket.bucket_name]},
                    "object": {"key": [{"prefix": "_uploads/"}]},
                },
            ),
            targets=[targets.LambdaFunction(register)],
        )
        # The next sweep covers an event that is older than the schedule's interval.
        sweeper.configure_async_invoke(max_event_age=SWEEP_EVERY, retry_attempts=1)
        events.Rule(
            self,
            "ExecutionEnded",
            description="A run's execution failed, timed out or was stopped",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [pipeline.state_machine.state_machine_arn],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
            targets=[targets.LambdaFunction(sweeper)],
        )
        events.Rule(
            self,
            "Schedule",
            description="Looks after runs that a crash left behind",
            schedule=events.Schedule.rate(SWEEP_EVERY),
            targets=[
                targets.LambdaFunction(
                    sweeper, event=events.RuleTargetInput.from_object({"source": "schedule"})
                )
            ],
        )
