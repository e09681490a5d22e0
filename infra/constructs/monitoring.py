"""Alarms that a person must act on, one dashboard, and a topic to subscribe to."""

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.config import Stage
from infra.constructs.budget import MonthlyBudget
from infra.constructs.dashboard import Dashboard, business_metric, graph

_GIBIBYTE = 2**30
_FIVE_MINUTES = Duration.minutes(5)


class Monitoring(Construct):
    """Watches executions, the API, the inbox, the sweeper and the database."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        stage: Stage,
        state_machine: sfn.StateMachine,
        api: apigateway.RestApi,
        sweeper: lambda_.Function,
        register: lambda_.Function,
        database: rds.IDatabaseInstance,
        aside: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Alarms", display_name=stage.stack_name, enforce_ssl=True)
        # The statement above replaces the topic's default policy, which had let alarms in.
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        if stage.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(stage.alarm_email))
        # Aborted executions are runs that their owners canceled.
        failed = cloudwatch.MathExpression(
            expression="failed + timed_out",
            label="Runs that ended badly",
            period=_FIVE_MINUTES,
            using_metrics={
                "failed": state_machine.metric_failed(),
                "timed_out": state_machine.metric_timed_out(),
            },
        )
        errors = api.metric_server_error(period=_FIVE_MINUTES, statistic="Sum")
        sweeps = sweeper.metric_invocations(period=Duration.minutes(15), statistic="Sum")
        storage = database.metric_free_storage_space(period=_FIVE_MINUTES, statistic="Minimum")
        processor = database.metric_cpu_utilization(period=_FIVE_MINUTES)
        self._alarm("RunsFail", failed, 3, "Runs fail; their records say at which stage and why.")
        self._alarm("ApiFails", errors, 5, "The API answers 5xx; see the log of `api`.")
        self._alarm(
            "SweeperFails",
            sweeper.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
            1,
            "Runs that a crash left open stay open; see the log of `sweeper`.",
            periods=2,
        )
        self._alarm(
            "RegisterFails",
            register.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
            3,
            "Uploads stay pending and are lost after a day; see the log of `register`.",
        )
        self._alarm(
            "SweeperSilent",
            sweeps,
            1,
            "The schedule has stopped; runs that a crash left open stay open.",
            below=True,
        )
        self._alarm(
            "InboxAside",
            aside.metric_approximate_number_of_messages_visible(period=_FIVE_MINUTES),
            1,
            "Objects in the inbox could not be taken in; see the log of `intake`, then send the "
            "messages of the queue back.",
        )
        self._alarm(
            "DatabaseStorage",
            storage,
            # RDS grows the storage when a tenth is free, 2 GiB of 20; it has failed to below that.
            _GIBIBYTE,
            "The database is nearly full and did not grow: raise database_storage_limit.",
            below=True,
        )
        self._alarm("DatabaseProcessor", processor, 90, "The database is at its limit.", periods=3)
        self._alarm(
            "Spending",
            # A sweep writes it every five minutes, not to the second.
            business_metric(stage, "UsdLastHour", statistic="Maximum", period=Duration.minutes(10)),
            float(stage.hourly_alarm_usd),
            f"Paid calls of the last hour cost {stage.hourly_alarm_usd} USD or more. GET /v1/usage "
            "says which key made them: revoke it, or lower its caps or daily_cap_usd.",
        )
        self._alarm(
            "PossibleDuplicates",
            business_metric(stage, "PossibleDuplicates"),
            1,
            "A paid call was made again while the outcome of the first is unknown, as its video "
            "allows: compare the provider's bill with the table provider_jobs.",
        )
        if stage.monthly_budget_usd:
            MonthlyBudget(self, "Budget", stage=stage, topic=self.topic)
        Dashboard(
            self,
            "Dashboard",
            stage=stage,
            rows=[
                [
                    graph("Executions", state_machine.metric_started(), failed),
                    graph("Time of an execution", state_machine.metric_time(statistic="p95")),
                    graph("API", api.metric_count(), api.metric_client_error(), errors),
                ],
                [
                    graph("API latency", api.metric_latency(statistic="p95")),
                    graph("Database", processor, database.metric_database_connections()),
                    graph("Free storage", storage),
                ],
            ],
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        what_to_do: str,
        *,
        periods: int = 1,
        below: bool = False,
    ) -> None:
        """Alarm at the threshold or beyond; without data only what should never be silent does."""
        operator = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            alarm_description=what_to_do,
            comparison_operator=(
                operator.LESS_THAN_THRESHOLD
                if below
                else operator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
            ),
            treat_missing_data=(
                cloudwatch.TreatMissingData.BREACHING
                if below
                else cloudwatch.TreatMissingData.NOT_BREACHING
            ),
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
