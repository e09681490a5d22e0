"""The CloudWatch dashboard of a stage: outcomes and costs of runs, then infrastructure.

The names and dimensions of business metrics are those of `common.application.run_metrics`, as
`tests/infra/test_monitoring.py` asserts.
"""

from collections.abc import Sequence

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from common.domain import models
from infra.config import Stage

_PAID_STAGES = ("story", "image", "speech", "clip")  # stages that call a provider
_STAGES = (*_PAID_STAGES, "merge", "finish")
_OUTCOMES = ("succeeded", "failed", "canceled")
_MINUTES, _DAY = Duration.minutes(5), Duration.days(1)

Row = Sequence[cloudwatch.IWidget]


def business_metric(
    stage: Stage,
    name: str,
    /,
    *,
    statistic: str = "Sum",
    period: Duration = _MINUTES,
    label: str | None = None,
    **dimensions: str,
) -> cloudwatch.Metric:
    """Return a metric that the stage's functions emit."""
    return cloudwatch.Metric(
        namespace=stage.stack_name,
        metric_name=name,
        dimensions_map={"service": "runs", **dimensions},
        statistic=statistic,
        period=period,
        label=label,
    )


class Dashboard(Construct):
    """A dashboard with business metrics above the given rows of graphs."""

    def __init__(
        self, scope: Construct, construct_id: str, *, stage: Stage, rows: Sequence[Row]
    ) -> None:
        super().__init__(scope, construct_id)
        cloudwatch.Dashboard(
            self,
            "Dashboard",
            # Dashboard names are unique per account, not per region.
            dashboard_name=f"{stage.stack_name}-{Aws.REGION}",
            widgets=[_runs(stage), _costs(stage), *rows],
        )


def graph(title: str, *metrics: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    """Return a graph that takes a third of the dashboard's width."""
    return cloudwatch.GraphWidget(title=title, left=list(metrics), width=8)


def _runs(stage: Stage) -> Row:
    by_code = cloudwatch.SearchExpression(
        expression=(
            f"SEARCH('{{{stage.stack_name},service,code}} MetricName=\"RunsFailed\"', 'Sum', 300)"
        ),
        label="",
        period=_MINUTES,
    )
    return [
        graph(
            "Runs by outcome",
            *(
                business_metric(stage, "RunsEnded", outcome=outcome, label=outcome)
                for outcome in _OUTCOMES
            ),
        ),
        graph("Failed runs by code", by_code),
        graph(
            "Seconds per stage (p95)",
            *(
                business_metric(stage, "StageSeconds", statistic="p95", stage=name, label=name)
                for name in _STAGES
            ),
        ),
    ]


def _costs(stage: Stage) -> Row:
    providers = sorted({model.provider for model in models.models() if model.is_paid})
    waits = [
        cloudwatch.Metric(
            namespace=stage.stack_name,
            metric_name="StepWaits",
            dimensions_map={"service": name},
            statistic="Sum",
            period=_MINUTES,
            label=name,
        )
        for name in _PAID_STAGES
    ]
    return [
        graph(
            "USD per provider and day (UTC)",
            *(
                business_metric(
                    stage, "UsdToday", statistic="Maximum", period=_DAY, provider=name, label=name
                )
                for name in providers
            ),
        ),
        graph(
            "USD in the last hour, possible duplicates",
            business_metric(stage, "UsdLastHour", statistic="Maximum"),
            business_metric(stage, "PossibleDuplicates"),
        ),
        graph("Waits for a provider", *waits),
    ]
