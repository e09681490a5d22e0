"""Alarms that require action, the SNS topic that they notify, and the dashboard."""

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
    """Alarms for executions, the API, the inbox, the sweeper, the database and spending."""

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
        dead_letter_queue: sqs.IQueue,
    ) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(self, "Alarms", display_name=stage.stack_name, enforce_ssl=True)
        # `enforce_ssl` replaces the topic's default policy, which allowed alarms to publish.
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
        # Aborted executions are excluded: their owners canceled the runs.
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
        self._alarm("RunsFail", failed, 3, "Runs fail. Their errors name the stage and the reason.")
        self._alarm("ApiFails", errors, 5, "The API returns 5xx responses. See the log of `api`.")
        self._alarm(
            "SweeperFails",
            sweeper.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
            1,
            "The sweeper fails, so interrupted runs are not ended. See the log of `sweeper`.",
            periods=2,
        )
        self._alarm(
            "RegisterFails",
            register.metric_errors(period=_FIVE_MINUTES, statistic="Sum"),
            3,
            "Uploads are not registered and are lost after a day. See the log of `register`.",
        )
        self._alarm(
            "SweeperSilent",
            sweeps,
            1,
            "The sweeper has stopped running, so interrupted runs are not ended. See its schedule.",
            below=True,
        )
        self._alarm(
            "InboxAside",
            dead_letter_queue.metric_approximate_number_of_messages_visible(period=_FIVE_MINUTES),
            1,
            "Objects in the inbox could not be processed. See the log of `intake`, then redrive "
            "the dead-letter queue.",
        )
        self._alarm(
            "DatabaseStorage",
            storage,
            # Storage autoscaling starts at 10 % free, 2 GiB of 20, so it has failed below that.
            _GIBIBYTE,
            "The database is nearly full and did not grow. Raise database_storage_limit.",
            below=True,
        )
        self._alarm(
            "DatabaseProcessor",
            processor,
            90,
            "The CPU of the database is at its limit.",
            periods=3,
        )
        self._alarm(
            "Spending",
            # The sweeper emits it about every five minutes.
            business_metric(stage, "UsdLastHour", statistic="Maximum", period=Duration.minutes(10)),
            float(stage.hourly_alarm_usd),
            f"Paid calls of the last hour cost {stage.hourly_alarm_usd} USD or more. Find the API "
            "key with GET /v1/usage, then revoke it, lower its caps or lower daily_cap_usd.",
        )
        self._alarm(
            "PossibleDuplicates",
            business_metric(stage, "PossibleDuplicates"),
            1,
            "A paid call was repeated while the outcome of the first is unknown, as its video "
            "allows. Compare the provider's bill with the table provider_jobs.",
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
        description: str,
        *,
        periods: int = 1,
        below: bool = False,
    ) -> None:
        """Add an alarm at or above the threshold or, with `below`, below it.

        Missing data breaches only with `below`.
        """
        operator = cloudwatch.ComparisonOperator
        alarm = cloudwatch.Alarm(
            self,
            name,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            alarm_description=description,
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
